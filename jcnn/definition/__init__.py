"""Convolution and pooling as the textbook writes them: sums over the taps of a window, in NumPy and float64.

Slow on purpose. Nothing is rearranged or fused, so that there is nothing to get wrong: the arbiter of every other form.
Output o sees, through tap k, the pixel S·o + D·k − P; outside the image a convolution sees zeros and a pooling nothing.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num

from jcnn.definition import sums
from jcnn.geometry import GeometryError, Padding, Rounding
from jcnn.window import Window, parse_window

__all__ = ["avg_pool_definition", "conv_backward_definition", "conv_definition", "max_pool_definition"]


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
    y = sums.conv(x, w, stride=stride, padding=padding, dilation=dilation, rounding=rounding, groups=groups)
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
    return sums.conv_backward(dy, x, w, stride=stride, padding=padding, dilation=dilation, rounding=rounding, groups=groups)


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
    parsed = parse_window(x.shape[1:-1], window, stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    _refuse_padding_alone(parsed, x.shape[1:-1], ((0, 0),) * (x.ndim - 2))
    return sums.max_pool(x, window, stride=stride, padding=padding, dilation=dilation, rounding=rounding)


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
    parsed = parse_window(sizes, window, stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    # Zeros that were asked for count, those that a "ceil" window hangs over do not.
    asked = parse_window(sizes, window, stride=stride, padding=padding, dilation=dilation).padding
    _refuse_padding_alone(parsed, sizes, asked if count_padding else ((0, 0),) * len(sizes))
    return sums.avg_pool(
        x, window, stride=stride, padding=padding, dilation=dilation, rounding=rounding, count_padding=count_padding
    )


def _refuse_padding_alone(window: Window, sizes: Sequence[int], counted: Sequence[tuple[int, int]]) -> None:
    """Raises a GeometryError for the first position whose taps all lie beyond the image and the padding that counts."""
    empty = [
        tuple(int(np.argmin(counts)) if other == axis else 0 for other in range(len(sizes)))
        for axis, counts in enumerate(window.seen(sizes, counted))
        if (counts == 0).any()
    ]
    if empty:
        raise GeometryError(f"window {min(empty)} sees only padding: expected less padding than the window spans")
