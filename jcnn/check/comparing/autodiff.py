"""Is autodiff itself right here? JAX's reverse mode is a witness like the others, and may be wrong.

A compiler's fault, a derivative rule that somebody wrote, or a NaN in a branch that is not taken: each gives a gradient that
is none. What reverse mode says is held against five others, none of which uses it:

    values              forward compiled, against forward run operation by operation
    the definition      for operations of ours, their sums written out in NumPy
    forward mode        ⟨J v, u⟩ = ⟨v, Jᵀ u⟩ along several directions v
    differences         of ⟨u, f(x + h v)⟩, extrapolated to h = 0, along the same directions
    float32             as float64, but for what float32 loses; forward mode with the same coefficients says how much that is

Where they speak against reverse mode, another derivation takes its place: the definition, forward mode column by column, or
differences element by element.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jcnn.check import bounds
from jcnn.check.bounds import Expected
from jcnn.check.comparing.derivation import Derived, Problem, derived, reverse_mode
from jcnn.check.comparing.directional_derivatives import Function, Slope, differences, slope
from jcnn.check.comparing.own_operations import Known
from jcnn.check.report import Witness

Array = np.ndarray

DIRECTIONS = 3
_CHUNK = 64
_COMPILED = 1e-6


class Trial(NamedTuple):
    """What became of reverse mode, and what candidates are held against.

    Attributes:
        wrong: what reverse mode gets wrong, as a clause; None where nothing speaks against it.
        against: the witnesses that do.
        expected: what is right, for every leaf.
        given: what reverse mode gives, for every leaf.
    """

    wrong: str | None
    against: tuple[Witness, ...]
    expected: list[Expected]
    given: list[Array]


def try_autodiff(problem: Problem, function: Function, dy: jax.Array, known: Known | None, held: str, seed: int) -> Trial:
    """Holds reverse mode against the other witnesses, in float64 first, then in the precisions that people compute in."""
    found = derived(problem, dy, held, seed)
    here = [right.value for right in found.expected]
    defined = known.expected(len(here)) if known else ()
    if [right.value.shape for right in defined] != [value.shape for value in here]:
        defined = ()
    slopes = [slope(function, v) for v in random_directions(found.expected, (), seed)]
    against = [*_against_definition(here, defined, found.names), *_against_slopes(here, slopes)]
    if against:
        expected = list(defined) or _without_reverse_mode(problem, function, dy, slopes, held, seed)
        wrong = f"jax.vjp gives {_off(here, [right.value for right in expected], found.names)}{_declared(problem)}"
        return Trial(wrong, tuple(against), expected, here)
    expected = (
        [_with_choices(right, other) for right, other in zip(found.expected, defined, strict=True)]
        if defined
        else found.expected
    )
    for precision in dict.fromkeys(("float32", held)):
        if precision != "float64" and (witness := _in_precision(problem, dy, found, precision, seed)):
            steady = [right._replace(unsteady=0.0) for right in expected]
            return Trial(f"jax.vjp in {precision} gives {witness.found}", (witness,), steady, found.rough)
    return Trial(None, (), expected, here)


def miscompiled(problem: Problem) -> tuple[Witness, ...]:
    """Whether forward as one compiled program gives other values than operation by operation, far beyond rounding."""
    compiled, alone = (np.asarray(run(*problem.args)) for run in (jax.jit(problem.function), problem.function))
    size = float(np.abs(alone).max(initial=0, where=np.isfinite(alone)))
    with np.errstate(invalid="ignore"):
        same = (np.abs(compiled - alone) <= _COMPILED * size) | (compiled == alone) | ~np.isfinite(alone)
    if same.all():
        return ()
    found = f"forward gives {_off([compiled], [alone], ['y'])}"
    return (Witness("autodiff: forward compiled against forward by operations", holds=False, found=found),)


def random_directions(expected: Sequence[Expected], absent: Iterable[int], seed: int) -> list[list[Array]]:
    """Directions that leave alone what lies at kinks, and leaves that are absent; of the size of the point."""
    absent, rng = set(absent), np.random.default_rng([seed, 3])
    return [
        [
            np.where((right.low < right.high) | (number in absent), 0.0, rng.normal(size=right.value.shape))
            for number, right in enumerate(expected)
        ]
        for _ in range(DIRECTIONS)
    ]


def _with_choices(right: Expected, defined: Expected) -> Expected:
    """The definition's choices at kinks, exact, in place of those that neighbours show."""
    if defined.together is None:
        return right
    return right._replace(low=defined.low, high=defined.high, together=defined.together)


def _against_definition(here: Sequence[Array], defined: Sequence[Expected], names: Sequence[str]) -> list[Witness]:
    said = []
    for name, value, right in zip(names, here, defined, strict=False):
        limit = 8 * right.bound("float64", whole=True) + 1e-12 * float(right.terms.max(initial=0))
        near = (value >= right.low - limit) & (value <= right.high + limit)
        if not near.all():
            said.append(Witness("autodiff against the definition", holds=False, found=_off([value], [right.value], [name])))
    return said


def _against_slopes(here: Sequence[Array], slopes: Sequence[Slope]) -> list[Witness]:
    """By differences, which need nothing but values; forward mode is named where it takes their side."""
    said = []
    for one in slopes:
        value, terms = one.along(here)
        if not one.contradicts(value, terms):
            continue
        said.append(Witness("autodiff against differences", holds=False, found=f"{value:.12g} and {one.differences:.12g}"))
        if one.forward is not None:
            agrees = not one.contradicts(one.forward, terms)
            same = f"{value:.12g} and {one.forward:.12g}"
            said.append(Witness("autodiff against forward mode ⟨Jv,u⟩ = ⟨v,Jᵀu⟩", holds=not agrees, found=same))
        break
    return said


def _in_precision(problem: Problem, dy: jax.Array, found: Derived, precision: str, seed: int) -> Witness | None:
    """Reverse mode in a precision of fewer bits, where it is far off though forward mode is not.

    Both use the same coefficients: a function that is ill-conditioned spoils both, a fault of the compiler only one. One bad
    coefficient among n can hide in J v by a factor of √n; reverse mode has to be off by ten times more than that explains.
    """
    near = max(0.01, 16 * bounds.UNIT[precision])
    rough = found.rough if precision == "float32" else _rough(problem, dy, precision)
    for place, (right, low) in enumerate(zip(found.expected, rough, strict=True)):
        smooth = right.low == right.high
        size = float(np.abs(right.value).max(initial=0))
        error = np.where(np.isfinite(low), np.abs(low - right.value), np.inf).max(initial=0, where=smooth)
        if not error > 3 * near * size or not 0 < size < np.inf:
            continue
        forward = _forward_error(problem, [other.value.shape for other in found.expected], place, smooth, precision, seed)
        if forward is not None and forward < near and 10 * np.sqrt(low.size) * forward < error / size:
            said = f"{found.names[place]} off by {error / size:.2g} times its largest number"
            return Witness(f"autodiff in {precision} against forward mode in {precision}", holds=False, found=said)
    return None


def _forward_error(
    problem: Problem, shapes: Sequence[tuple[int, ...]], place: int, smooth: Array, precision: str, seed: int
) -> float | None:
    """How far off J v is in a precision, relative to its largest number, v in one leaf only; None without forward mode."""
    rng, worst = np.random.default_rng([seed, 4]), 0.0
    for _ in range(DIRECTIONS):
        v = [np.zeros(shape) for shape in shapes]
        v[place] = np.where(smooth, rng.normal(size=smooth.shape), 0.0)
        wide, narrow = (_pushed(problem, v, dtype) for dtype in ("float64", precision))
        if wide is None or narrow is None:
            return None
        error = np.where(np.isfinite(narrow), np.abs(narrow - wide), np.inf)
        worst = max(worst, float(error.max(initial=0)) / max(float(np.abs(wide).max(initial=0)), 1e-300))
    return worst


def _rough(problem: Problem, dy: jax.Array, precision: str) -> list[Array]:
    args = jax.tree.map(lambda leaf: leaf.astype(precision), problem.args)
    gradients = jax.jit(reverse_mode(problem))(args, dy.astype(precision))
    return [np.asarray(g).astype(np.float64) for g in gradients]


def _pushed(problem: Problem, v: Sequence[Array], precision: str) -> Array | None:
    """J v with all numbers in a precision; None where there is no forward mode."""
    leaves, tree = jax.tree.flatten(problem.args)

    def push(leaves: list[jax.Array], v: list[jax.Array]) -> jax.Array:
        return jax.jvp(lambda *flat: problem.function(*jax.tree.unflatten(tree, flat)), leaves, v)[1]

    try:
        pushed = jax.jit(push)([leaf.astype(precision) for leaf in leaves], [jnp.asarray(a, precision) for a in v])
    except TypeError:
        return None
    return np.asarray(pushed).astype(np.float64)


def _without_reverse_mode(
    problem: Problem, function: Function, dy: jax.Array, slopes: Sequence[Slope], held: str, seed: int
) -> list[Expected]:
    """Forward mode where differences do not speak against it, else differences."""
    forward = all(one.forward is not None and not one.contradicts(one.forward, abs(one.differences)) for one in slopes)
    if forward:
        return derived(problem, dy, held, seed, forward_mode(problem)).expected
    return _by_differences(function)


def forward_mode(problem: Problem) -> Callable[[Sequence[Any], jax.Array], list[jax.Array]]:
    """Jᵀ u, an element at a time: (J e)ᵀ u for every unit vector e."""

    def gradient(args: Sequence[Any], dy: jax.Array) -> list[jax.Array]:
        leaves, tree = jax.tree.flatten(list(args))

        def value(*flat: jax.Array) -> jax.Array:
            return problem.function(*jax.tree.unflatten(tree, flat))

        found = []
        for place, leaf in enumerate(leaves):

            def element(number: jax.Array, place: int = place, leaf: jax.Array = leaf) -> jax.Array:
                v = [jnp.zeros_like(other) for other in leaves]
                v[place] = jnp.zeros(leaf.size, leaf.dtype).at[number].set(1).reshape(leaf.shape)
                return jnp.vdot(jax.jvp(value, leaves, v)[1], dy)

            found.append(jax.lax.map(element, jnp.arange(leaf.size), batch_size=_CHUNK).reshape(leaf.shape))
        return found

    return gradient


def _by_differences(function: Function) -> list[Expected]:
    """An element at a time; rounding explains what differences are off by."""
    size, expected = function.size(), []
    for place, leaf in enumerate(function.leaves):
        value, error = np.zeros(leaf.shape), np.zeros(leaf.shape)
        scale = max(float(jnp.abs(leaf).max()), 1e-3) if leaf.size else 1.0
        for at in np.ndindex(*leaf.shape):
            v = [np.zeros(other.shape) for other in function.leaves]
            v[place][at] = scale
            found, off, _, _ = differences(lambda h, v=v: function.phi(v, h), size)
            value[at], error[at] = found / scale, off / scale
        terms = np.full(leaf.shape, np.abs(value).max(initial=0))
        unsteady = error / bounds.UNIT["float64"]
        expected.append(Expected(value, terms, np.full(leaf.shape, 6.0 * function.u.size), value, value, unsteady))
    return expected


def _off(given: Sequence[Array], right: Sequence[Array], names: Sequence[str]) -> str:
    """By how much the worst leaf is off."""
    worst = ""
    most = -1.0
    for name, one, other in zip(names, given, right, strict=True):
        size = float(np.abs(other).max(initial=0)) or 1.0
        lost = int((~np.isfinite(one)).sum())
        error = np.inf if lost else float(np.abs(one - other).max(initial=0)) / size
        if error > most:
            most = error
            worst = (
                f"{name} with {lost} numbers that are NaN or infinite"
                if lost
                else (f"{name} off by {error:.2g} times its largest number")
            )
    return worst


def _declared(problem: Problem) -> str:
    """What in forward says of itself which derivative it has."""
    words = {
        "stop_gradient": "a stop_gradient",
        "custom_jvp_call": "a custom_jvp",
        "custom_vjp_call": "a custom_vjp",
    }
    try:
        inside = set(_primitives(jax.make_jaxpr(problem.function)(*problem.args).jaxpr))
    except TypeError:
        return ""
    named = [word for primitive, word in words.items() if primitive in inside]
    if not named:
        return ""
    return f" (forward holds {' and '.join(named)}: what that declares is not forward's derivative)"


def _primitives(jaxpr: Any) -> Iterable[str]:
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _primitives(inner)
