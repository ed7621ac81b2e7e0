"""Elements at kinks: where a maximum ties or a relu sees 0, and one gradient is as good as another.

They are found without knowing the function: a step of a billionth in any direction changes a smooth function's gradient by
about a billionth; at a kink it jumps. What the gradients on all sides span may be chosen there, element by element.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray

DIRECTIONS = 32
_STEP = 1e-9


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
