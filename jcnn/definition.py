"""Convolution and pooling as the textbook writes them: loops over output positions and taps, NumPy, float64.

Slow on purpose. Nothing is rearranged, sliced or fused, so that there is nothing to get wrong: the arbiter of every other form.
Output o sees, through tap k, the pixel S·o + D·k − P; outside the image a convolution sees zeros and a pooling nothing.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from jcnn.geometry import GeometryError, Padding, Rounding
from jcnn.window import Window, parse_window

Index = tuple[int, ...]


def conv_definition(
    x: Num[np.ndarray, "n *s c_in"],
    w: Num[np.ndarray, "*f c_group c_out"],
    b: Num[np.ndarray, " c_out"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
) -> Float[np.ndarray, "n *o c_out"]:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] + b, in float64; arguments as `jcnn.conv`.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", equation 9.6; Dumoulin & Visin 2016, section 2.
    """
    x, w = np.asarray(x, np.float64), np.asarray(w, np.float64)
    sizes = x.shape[1:-1]
    window = parse_window(sizes, w.shape[:-2], stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    y = np.zeros((len(x), *window.output_shape(sizes), w.shape[-1]))
    for position, seen in _walk(window, sizes):
        for tap, pixel in seen:
            for ins, outs in _groups(w, groups):
                y[(..., *position, outs)] += x[(..., *pixel, ins)] @ w[(*tap, slice(None), outs)]
    return y if b is None else y + np.asarray(b, np.float64)


def conv_backward_definition(
    dy: Num[np.ndarray, "n *o c_out"],
    x: Num[np.ndarray, "n *s c_in"],
    w: Num[np.ndarray, "*f c_group c_out"],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
) -> tuple[Float[np.ndarray, "n *s c_in"], Float[np.ndarray, "*f c_group c_out"], Float[np.ndarray, " c_out"]]:
    """(dx, dw, db) by the product rule, term by term of `conv_definition`'s sum; arguments as `jcnn.conv_backward`."""
    dy, x, w = (np.asarray(array, np.float64) for array in (dy, x, w))
    sizes = x.shape[1:-1]
    window = parse_window(sizes, w.shape[:-2], stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for position, seen in _walk(window, sizes):
        for tap, pixel in seen:
            for ins, outs in _groups(w, groups):
                at, here, weights = (..., *pixel, ins), dy[(..., *position, outs)], (*tap, slice(None), outs)
                dx[at] += here @ w[weights].T
                dw[weights] += x[at].T @ here
    return dx, dw, dy.sum(tuple(range(dy.ndim - 1)))


def max_pool_definition(
    x: Num[np.ndarray, "n *s c"],
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    rounding: Rounding = "floor",
) -> Float[np.ndarray, "n *o c"]:
    """y[n, o] = max over the pixels that window o sees, in float64; arguments as `jcnn.max_pool`.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 9.3.
    """
    x = np.asarray(x, np.float64)
    sizes = x.shape[1:-1]
    parsed = parse_window(sizes, window, stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    y = np.zeros((len(x), *parsed.output_shape(sizes), x.shape[-1]))
    for position, seen in _walk(parsed, sizes):
        y[(slice(None), *position)] = np.max([x[(slice(None), *pixel)] for _, pixel in _some(seen, position)], 0)
    return y


def avg_pool_definition(
    x: Num[np.ndarray, "n *s c"],
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    rounding: Rounding = "floor",
    count_padding: bool = False,
) -> Float[np.ndarray, "n *o c"]:
    """y[n, o] = the mean of the pixels that window o sees, in float64; arguments as `jcnn.avg_pool`.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition" (subsampling).
    """
    x = np.asarray(x, np.float64)
    sizes = x.shape[1:-1]
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    parsed = parse_window(sizes, window, rounding=rounding, **geometry)
    # Zeros that were asked for count, those that a "ceil" window hangs over do not.
    counted = parse_window(sizes, window, **geometry).padding if count_padding else ((0, 0),) * len(sizes)
    padded = np.pad(x, ((0, 0), *counted, (0, 0)))
    y = np.zeros((len(x), *parsed.output_shape(sizes), x.shape[-1]))
    for position, seen in _walk(parsed, sizes, counted):
        places = [tuple(i + lo for i, (lo, _) in zip(pixel, counted, strict=True)) for _, pixel in _some(seen, position)]
        y[(slice(None), *position)] = np.mean([padded[(slice(None), *place)] for place in places], 0)
    return y


def _walk(
    window: Window, sizes: Sequence[int], margin: Sequence[tuple[int, int]] | None = None
) -> Iterator[tuple[Index, list[tuple[Index, Index]]]]:
    """Every output position, with the (tap, pixel) pairs that it sees on the image and on a margin around it."""
    edges = [(-lo, n + hi) for n, (lo, hi) in zip(sizes, margin or ((0, 0),) * len(sizes), strict=True)]
    for position in itertools.product(*map(range, window.output_shape(sizes))):
        seen = []
        for tap in window.taps():
            pixel = tuple(
                s * o + d * k - lo
                for o, k, s, d, (lo, _) in zip(position, tap, window.stride, window.dilation, window.padding, strict=True)
            )
            if all(first <= i < end for i, (first, end) in zip(pixel, edges, strict=True)):
                seen.append((tap, pixel))
        yield position, seen


def _groups(w: np.ndarray, groups: int) -> Iterator[tuple[slice, slice]]:
    """The channels of the input and of the output that belong together."""
    c_group, o_group = w.shape[-2], w.shape[-1] // groups
    for g in range(groups):
        yield slice(g * c_group, (g + 1) * c_group), slice(g * o_group, (g + 1) * o_group)


def _some(seen: list[Any], position: Index) -> list[Any]:
    if not seen:
        raise GeometryError(f"window {position} sees only padding: expected less padding than the window spans")
    return seen
