"""What a pooling takes of each window, the largest or the sum, in two forms."""

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Real

from jcnn.window import Window

Formulation = Literal["taps", "lax"]
Form = Callable[[Window, Array], Array]


def max_taps(window: Window, x: Real[Array, "n *s c"]) -> Real[Array, "n *o c"]:
    """max_k view(x, k), one comparison per tap."""
    best, *others = views(window, x)
    for seen, wins in zip(others, challenges(window, x.shape[1:-1]), strict=True):
        best = jnp.where(wins(seen, best), seen, best)
    return best


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


def challenges(window: Window, sizes: Sequence[int]) -> Iterator[Callable[[Array, Array], Bool[Array, "n *o c"]]]:
    """For every tap after the first, the test by which what it sees replaces the best so far.

    It wins where it is strictly larger, is the first NaN, or is the first that sees a pixel at all: a pixel may be as low as
    the padding's stand-in, and must still be the one that wins.
    """
    sees_pixel = [_on_input(window, tap, sizes) for tap in window.taps()]
    so_far = sees_pixel[0]
    for sees in sees_pixel[1:]:
        first = sees & ~so_far

        def wins(seen: Array, best: Array, first: np.ndarray = first) -> Array:
            larger = ~(seen <= best) & (best == best)  # noqa: PLR0124 (a NaN is not equal to itself)
            return larger | jnp.asarray(first) if first.any() else larger

        yield wins
        so_far = so_far | sees


def _on_input(window: Window, tap: tuple[int, ...], sizes: Sequence[int]) -> np.ndarray:
    """At every output position, whether the tap sees a pixel and not the padding; (1, *O, 1)."""
    axes = []
    for k, n, o, s, (lo, _), d in zip(
        tap, sizes, window.output_shape(sizes), window.stride, window.padding, window.dilation, strict=True
    ):
        at = s * np.arange(o) + d * k - lo
        axes.append((at >= 0) & (at < n))
    return reduce(np.logical_and.outer, axes)[None, ..., None]


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
