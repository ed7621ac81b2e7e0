"""What is derived from a forward pass, with what rounding explains and where its kinks are."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jcnn.check import bounds
from jcnn.check.bounds import Expected
from jcnn.check.comparing import kinks

Array = np.ndarray
_PROBES = 8


class Problem(NamedTuple):
    """forward and its arguments, those to differentiate by apart from the rest; all in float64."""

    function: Callable[..., Any]
    args: list[Any]
    names: list[str]
    positions: list[int]


def is_real(arg: Any) -> bool:
    """Whether arg is an array of floating-point numbers, or a tree of such."""
    leaves = jax.tree.leaves(arg)
    return bool(leaves) and all(hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves)


def make_problem(forward: Callable[..., Any], given: Sequence[Any], options: dict[str, Any]) -> Problem:
    """forward as a function of the real arguments alone.

    Raises:
        TypeError: there are none.
    """
    positions = [place for place, arg in enumerate(given) if is_real(arg)]
    if not positions:
        raise TypeError("args hold no floating-point arrays: expected at least one to differentiate by")

    def function(*real: Any) -> Any:
        every = list(given)
        for place, arg in zip(positions, real, strict=True):
            every[place] = arg
        return forward(*every, **options)

    wide = [jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), given[place]) for place in positions]
    return Problem(function, wide, _argument_names(forward, len(given)), positions)


def _argument_names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        names = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
        ]
    except (TypeError, ValueError):
        names = []
    return [names[place] if place < len(names) else f"argument {place}" for place in range(count)]


class Derived(NamedTuple):
    """Gradients of one derivation.

    Attributes:
        expected: flat, with their bounds and kinks.
        rough: the same in float32.
        names: such as "dw".
    """

    expected: list[Expected]
    rough: list[Array]
    names: list[str]


Gradient = Callable[[Sequence[Any], jax.Array], list[jax.Array]]


def reverse_mode(problem: Problem) -> Gradient:
    """JAX's own gradient, flat."""

    def pull(args: Sequence[Any], dy: jax.Array) -> list[jax.Array]:
        return jax.tree.leaves(jax.vjp(problem.function, *args)[1](dy))

    return pull


def derived(problem: Problem, dy: jax.Array, held: str, seed: int, derivation: Gradient | None = None) -> Derived:
    """What a derivation, by default JAX's reverse mode, gives: gradients with their bounds and kinks."""
    gradient = jax.jit(derivation or reverse_mode(problem))
    here = [np.asarray(g) for g in gradient(problem.args, dy)]
    rng = np.random.default_rng([seed, 2])
    squares = [np.zeros(g.shape) for g in here]
    for _ in range(_PROBES):
        signs = jnp.asarray(rng.choice([-1.0, 1.0], dy.shape))
        for square, g in zip(squares, gradient(problem.args, dy * signs), strict=True):
            np.add(square, np.asarray(g) ** 2 / _PROBES, out=square)
    terms = [np.maximum(np.sqrt(square), np.abs(g)) for square, g in zip(squares, here, strict=True)]
    count = 6.0 * dy.size
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), problem.args)
    rough = [np.asarray(g, np.float64) for g in gradient(single, dy.astype(jnp.float32))]
    unsteady = [_finite(np.abs(r - g)) * 32 / bounds.UNIT["float32"] for r, g in zip(rough, here, strict=True)]
    noise = [bounds.bound(t, count, whole=True) + u * bounds.UNIT["float64"] for t, u in zip(terms, unsteady, strict=True)]
    step = 0.0 if held == "float64" else 8 * bounds.UNIT[held]
    spans = kinks.spans(lambda *args: gradient(args, dy), problem.args, here, noise, step, seed)
    expected = []
    for place, (g, t, u, (low, high)) in enumerate(zip(here, terms, unsteady, spans, strict=True)):
        smooth = np.where(low < high, 0.0, u)  # float32 may choose the other side of a kink: that says nothing about rounding
        together = kinks.together(problem.function, problem.args, dy, place, low < high, seed) if (low < high).any() else None
        expected.append(Expected(g, t, np.full(g.shape, count), low, high, smooth, together))
    return Derived(expected, rough, leaf_names(problem))


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def leaf_names(problem: Problem) -> list[str]:
    """A gradient's name for every leaf: `"d"`, the argument's name, and the way to the leaf."""
    names = []
    for place, arg in zip(problem.positions, problem.args, strict=True):
        for path, _ in jax.tree_util.tree_leaves_with_path(arg):
            names.append(f"d{problem.names[place]}{jax.tree_util.keystr(path)}")
    return names
