"""Elements at kinks: where a maximum ties or a relu sees 0, and one gradient is as good as another.

They are found without knowing the function: a step of a billionth in any direction changes a smooth function's gradient by
about a billionth; at a kink it jumps. What the gradients on all sides span may be chosen there, element by element.

Elements are not free of each other, though: of two pixels that tie one gets dy, or both a half, never both all of it. A valid
gradient g is a mean of gradients on the sides, output by output, so that for every direction d

    Σ_j min_m u_j ⟨J_j(x_m), d⟩  ≤  ⟨g, d⟩  ≤  Σ_j max_m u_j ⟨J_j(x_m), d⟩        x_m near x, on all its sides

which is asked of d = 1 on everything, on every slice along every axis, and at random.

Source: Clarke 1983, "Optimization and Nonsmooth Analysis", theorem 2.5.1 (the subdifferential as limits of gradients).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray

DIRECTIONS = 32
_STEP = 1e-9

_SIDES = 16
_SLICES = 32
_RANDOM = 4
# Far enough for differences of their own between the sides: beyond a step to a side, below what changes a smooth gradient.
_ASIDE, _DIFFERENCE = 1e-6, 1e-8
_LOOSE = 1e-5


def spans(
    gradient: Callable[..., Sequence[Any]],
    args: Sequence[Any],
    here: Sequence[Array],
    noise: Sequence[Array],
    step: float,
    seed: int,
) -> list[tuple[Array, Array]]:
    """(low, high) of every gradient over the neighbours of a point; equal where the function is smooth.

    Args:
        gradient: gradient(*args), the gradients as a flat sequence.
        args: the point.
        here: the gradients there.
        noise: differences that rounding explains, for every element.
        step: relative to the size of each argument.
        seed: decides the directions.
    """
    low, high = [g.copy() for g in here], [g.copy() for g in here]
    for number in range(DIRECTIONS):
        nearby = gradient(*_moved(args, max(step, _STEP), seed + number))
        for place, found in enumerate(map(np.asarray, nearby)):
            low[place], high[place] = np.minimum(low[place], found), np.maximum(high[place], found)
    spanned = []
    for g, one, other, rounding in zip(here, low, high, noise, strict=True):
        steep = 1e3 * max(step, _STEP) * float(np.abs(g).max(initial=0))
        jumps = other - one > np.maximum(steep, 100 * rounding)
        spanned.append((np.where(jumps, one, g), np.where(jumps, other, g)))
    return spanned


def _moved(args: Sequence[Any], step: float, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)

    def move(leaf: Any) -> Any:
        size = max(float(jnp.abs(leaf).max()), 1e-3) if leaf.size else 1.0
        return leaf + jnp.asarray(step * size * rng.uniform(-1, 1, leaf.shape), leaf.dtype)

    return [jax.tree.map(move, arg) for arg in args]


def together(
    function: Callable[..., Any], args: Sequence[Any], dy: Any, place: int, kink: Array, seed: int
) -> Callable[[Array, Array], bool]:
    """A test of whether a leaf's values at kinks are one choice, with the inequality above.

    Not all corners are reached from a few sides, so that on either side of the span as much again is allowed; where the span
    is a point, as for the total that a maximum sends back, nothing is.

    Args:
        function: f of trees.
        args: x.
        dy: u.
        place: the number of the leaf among the leaves of all args.
        kink: its elements at kinks.
        seed: decides sides and directions.
    """
    leaves, tree = jax.tree.flatten(list(args))
    compiled = jax.jit(lambda flat: function(*jax.tree.unflatten(tree, flat)))
    size = max(float(jnp.abs(leaves[place]).max()), 1e-3)
    u = np.asarray(dy)

    def slopes(sides: Sequence[Array], d: Array) -> Array:
        """u_j ⟨J_j(x_m), d⟩, one side a row."""
        found = []
        for side in sides:
            ends = []
            for sign in (1, -1):
                moved = list(leaves)
                moved[place] = leaves[place] + size * (_ASIDE * side + sign * _DIFFERENCE * d)
                ends.append(np.asarray(compiled(moved)))
            found.append(u * (ends[0] - ends[1]) / (2 * _DIFFERENCE * size))
        return np.array(found)

    def test(got: Array, limit: Array) -> bool:
        rng = np.random.default_rng([seed, 5])
        # What differences of values lose.
        cancelled = 8 * 2.0**-53 * float(np.abs(u * np.asarray(compiled(leaves))).sum()) / (_DIFFERENCE * size)
        sides = [rng.uniform(-1, 1, kink.shape) for _ in range(_SIDES)]
        for d in _directions(kink, rng):
            found = slopes([*sides, d, -d, *(np.sign(side) * np.abs(d) for side in sides[:2])], d)
            low, high = float(found.min(0).sum()), float(found.max(0).sum())
            rounding = float((np.broadcast_to(limit, kink.shape) * np.abs(d)).sum())
            loose = (high - low) + rounding + cancelled + _LOOSE * float(np.abs(found).max(0).sum() + np.abs(got * d).sum())
            if not low - loose <= float((got * d).sum()) <= high + loose:
                return False
        return True

    return test


def _directions(kink: Array, rng: np.random.Generator) -> list[Array]:
    """Ones at all kinks, at those of every slice, and random numbers there."""
    ones = kink * 1.0
    found = [ones]
    for axis in range(kink.ndim):
        if kink.shape[axis] == 1:
            continue
        for number in range(kink.shape[axis]):
            slice_ = np.arange(kink.shape[axis]) == number
            found.append(ones * slice_.reshape([-1 if a == axis else 1 for a in range(kink.ndim)]))
    slices = [d for d in found if d.any()][: 1 + _SLICES]
    return [*slices, *(ones * rng.normal(size=kink.shape) for _ in range(_RANDOM))]
