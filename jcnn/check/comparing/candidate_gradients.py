"""Calling a candidate's backward pass, and matching the gradients that it returns to the arguments."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jcnn.check.comparing.derivation import Problem
from jcnn.check.outcome import describe_error, to_numpy

Array = np.ndarray


class Failure(Exception):  # noqa: N818 (what the candidate did wrong, no error of ours)
    """Why the candidate's gradients cannot be compared."""


def gradients_of(
    backward: Callable[..., Any],
    dy: jax.Array,
    given: Sequence[Any],
    options: dict[str, Any],
    problem: Problem,
    leaves: Sequence[str],
) -> list[Array | None]:
    """The candidate's gradients, flat, one for every leaf; None where it gives none."""
    mine = [jax.tree.map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, arg) for arg in given]
    upstream = np.array(dy) if any(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(given)) else dy
    taken = mine[: _room(backward, len(mine))]
    try:
        output = backward(upstream, *taken, **options)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Failure(f"It raises {describe_error(error)}") from error
    for name, before, after in zip(problem.names, given, mine, strict=True):
        pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
        if any(isinstance(one, np.ndarray) and not np.array_equal(one, other, equal_nan=True) for one, other in pairs):
            raise Failure(f"It changes its argument {name} in place: work on a copy.")
    parts = _parts(output, problem, taken)
    flat: list[Array | None] = []
    for part, arg in zip(parts, problem.args, strict=True):
        wanted = jax.tree.leaves(arg)
        found = [None] * len(wanted) if part is None else jax.tree.leaves(part)
        if len(found) != len(wanted):
            raise Failure(f"It returns {len(found)} arrays for an argument of {len(wanted)}.")
        for leaf, like in zip(found, wanted, strict=True):
            flat.append(_array(leaves[len(flat)], leaf, like.shape))
    return flat


def _room(backward: Callable[..., Any], count: int) -> int:
    """How many arguments beside dy it takes: a bias that has no say in the gradients may be left out."""
    try:
        parameters = inspect.signature(backward).parameters.values()
    except (TypeError, ValueError):
        return count
    if any(p.kind == p.VAR_POSITIONAL for p in parameters):
        return count
    return min(count, sum(p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} for p in parameters) - 1)


def _parts(output: Any, problem: Problem, taken: Sequence[Any]) -> list[Any]:
    """One gradient for every argument to differentiate by."""
    wanted = len(problem.positions)
    if not isinstance(output, tuple | list):
        return [output, *[None] * (wanted - 1)]
    names = ", ".join(f"d{problem.names[place]}" for place in problem.positions)
    if len(output) == wanted:
        return list(output)
    if len(output) == len(problem.names):
        return [output[place] for place in problem.positions]
    if len(output) == wanted + 1 and len(taken) == wanted:
        return list(output[:wanted])  # the gradient of an optional last argument, a bias, that was not given
    raise Failure(f"It returns {len(output)} gradients: expected {wanted}, ({names}).")


def _array(name: str, leaf: Any, shape: tuple[int, ...]) -> Array | None:
    if leaf is None:
        return None
    array = to_numpy(leaf)
    if array is None:
        raise Failure(f"{name} is a {type(leaf).__name__}: expected an array.")
    if array.dtype.kind in "iubc":
        raise Failure(f"{name} has dtype {array.dtype.name}: expected real floating-point numbers.")
    if array.shape != shape:
        raise Failure(f"{name} has shape {array.shape}: expected {shape}.")
    return array.astype(np.float64)
