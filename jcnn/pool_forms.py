"""What a pooling takes of each window, the largest or the sum, in two forms."""

from collections.abc import Callable
from functools import reduce
from typing import Any, Literal

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Real

from jcnn.window import Window

Formulation = Literal["taps", "lax"]
Form = Callable[[Window, Array], Array]


def max_taps(window: Window, x: Real[Array, "n *s c"]) -> Real[Array, "n *o c"]:
    """max_k view(x, k), one comparison per tap."""
    return reduce(lambda best, seen: jnp.where(wins(seen, best), seen, best), views(window, x))


def max_lax(window: Window, x: Real[Array, "n *s c"]) -> Real[Array, "n *o c"]:
    """The same by `lax.reduce_window`, whose gradient XLA calls select-and-scatter; it has none for a dilated window."""
    return _reduce_window(window, x, lowest(x), lax.max)


def sum_taps(window: Window, x: Real[Array, "n *s c"]) -> Real[Array, "n *o c"]:
    """Σ_k view(x, k)."""
    padded = window.pad(x)
    return reduce(jnp.add, (window.view(padded, tap) for tap in window.taps()))


def sum_lax(window: Window, x: Real[Array, "n *s c"]) -> Real[Array, "n *o c"]:
    """The same by `lax.reduce_window`."""
    return _reduce_window(window, x, 0, lax.add)


MAXIMUM: dict[str, Form] = {"taps": max_taps, "lax": max_lax}
SUM: dict[str, Form] = {"taps": sum_taps, "lax": sum_lax}


def views(window: Window, x: Real[Array, "n *s c"]) -> list[Real[Array, "n *o c"]]:
    """What every tap sees, on a padding that never wins."""
    padded = window.pad(x, lowest(x))
    return [window.view(padded, tap) for tap in window.taps()]


def wins(candidate: Real[Array, "..."], best: Real[Array, "..."]) -> Bool[Array, "..."]:
    """Where a later tap replaces the best so far: strictly larger, or the first NaN."""
    return ~(candidate <= best) & (best == best)  # noqa: PLR0124 (a NaN is not equal to itself)


def lowest(x: Real[Array, "..."]) -> float:
    """What no value of this dtype is below."""
    return -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min


def _reduce_window(window: Window, x: Array, start: float, operation: Any) -> Array:
    return lax.reduce_window(
        x,
        x.dtype.type(start),
        operation,
        (1, *window.size, 1),
        (1, *window.stride, 1),
        ((0, 0), *window.padding, (0, 0)),
        window_dilation=(1, *window.dilation, 1),
    )
