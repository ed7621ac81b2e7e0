"""Mistakes in the walk of the window, shared by convolution, pooling and all their gradients."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from jcnn.check.mistakes.catalogue import Mistake, Wrong, walked
from jcnn.definition import sums
from jcnn.definition.sums import Variation
from jcnn.window import Window

_CONVS = ("conv", "convolve", "conv_backward", "convolve_backward", "conv_transpose", "conv_transpose_backward")
_UNSHARED = ("locally_connected", "locally_connected_backward")
_POOLS = ("max_pool", "max_pool_backward", "avg_pool", "avg_pool_backward")
_ALL = _CONVS + _POOLS
_FORWARD = ("conv", "convolve", "max_pool", "avg_pool")


def _stride_forgotten(window: Window) -> Window:
    return window._replace(stride=(1,) * len(window.size))


def _stride_exchanged(window: Window) -> Window:
    return window._replace(stride=window.stride[::-1])


def _dilation_forgotten(window: Window) -> Window:
    return window._replace(dilation=(1,) * len(window.size))


def _dilation_plus_one(window: Window) -> Window:
    return window._replace(dilation=tuple(d + 1 for d in window.dilation))


def _padding_forgotten(window: Window) -> Window:
    return window._replace(padding=((0, 0),) * len(window.size))


def _padding_swapped(window: Window) -> Window:
    return window._replace(padding=tuple((hi, lo) for lo, hi in window.padding))


def _padding_exchanged(window: Window) -> Window:
    return window._replace(padding=window.padding[::-1])


def _low_on_both_sides(window: Window) -> Window:
    return window._replace(padding=tuple((lo, lo) for lo, _ in window.padding))


def _one_late(window: Window) -> Window:
    return window._replace(padding=tuple((lo - 1, hi + 1) for lo, hi in window.padding))


def _without_last(window: Window) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(max(f - 1, 1)) for f in window.size))


def _without_first(window: Window) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(min(1, f - 1), f) for f in window.size))


def _one_short(kind: str) -> Wrong:
    """The last position along every axis left out: of the output, or of dy."""
    right = getattr(sums, kind)

    def forward(*args: Any, **options: Any) -> Any:
        y = right(*args, **options)
        return y[(slice(None), *(slice(0, -1),) * (y.ndim - 2))]

    def backward(dy: np.ndarray, *args: Any, **options: Any) -> Any:
        cut = np.zeros_like(dy)
        kept = (slice(None), *(slice(0, -1),) * (dy.ndim - 2))
        cut[kept] = dy[kept]
        gradients = right(cut, *args, **options)
        return (*gradients[:2], right(dy, *args, **options)[2]) if isinstance(gradients, tuple) else gradients

    return backward if kind.endswith("backward") else forward


def _ceil_forgotten(kind: str) -> Wrong:
    def forward(*args: Any, **options: Any) -> Any:
        return getattr(sums, kind)(*args, **{**options, "rounding": "floor"})

    return forward


MISTAKES = (
    Mistake(
        "stride forgotten",
        "The window moves one pixel at a time whatever the stride is: output o looks at pixel S·o + k − P, not at o + k − P.",
        walked(_ALL, Variation(_stride_forgotten)),
    ),
    Mistake(
        "strides of the axes exchanged",
        "The stride of the first axis is used along the last one and the other way round: keep the order of the axes of x.",
        walked(_ALL, Variation(_stride_exchanged)),
    ),
    Mistake(
        "dilation forgotten",
        "The taps stand side by side whatever the dilation is: tap k looks D·k pixels on, not k.",
        walked(_ALL, Variation(_dilation_forgotten)),
    ),
    Mistake(
        "dilation counted as gaps",
        "Dilation D means taps D pixels apart, with D − 1 pixels between them; here D pixels lie between them.",
        walked(_ALL, Variation(_dilation_plus_one)),
    ),
    Mistake(
        "padding forgotten",
        "The padding is left out: pixel 0 of the padded image is pixel −lo of x.",
        walked(_ALL, Variation(_padding_forgotten)),
    ),
    Mistake(
        "padding on the wrong side",
        "Where more padding is due on one side (an odd pixel of 'same', or (lo, hi)) it is put, or cropped, on the other.",
        walked(_ALL + _UNSHARED, Variation(_padding_swapped)),
    ),
    Mistake(
        "first padding used on both sides",
        "Padding (lo, hi) is taken as (lo, lo): the two sides of an axis may differ.",
        walked(_FORWARD, Variation(_low_on_both_sides)),
    ),
    Mistake(
        "paddings of the axes exchanged",
        "The padding of the first axis is used along the last one and the other way round: keep the order of the axes of x.",
        walked(_ALL, Variation(_padding_exchanged)),
    ),
    Mistake(
        "window one pixel late",
        "Every window starts one pixel too late, an off-by-one: position 0 begins at pixel 0 of the padded image.",
        walked(_ALL + _UNSHARED, Variation(_one_late)),
    ),
    Mistake(
        "last tap forgotten",
        "The loop over the window ends one tap early, an off-by-one: range(F) already stops before F.",
        walked(_ALL + _UNSHARED, Variation(taps=_without_last)),
    ),
    Mistake(
        "first tap forgotten",
        "The loop over the window starts at tap 1, an off-by-one: the first tap is number 0.",
        walked(_ALL + _UNSHARED, Variation(taps=_without_first)),
    ),
    Mistake(
        "last position forgotten",
        "The last position along every axis is left out: there are (N + lo + hi − F)/S + 1 of them, and the + 1 is missing.",
        {kind: _one_short(kind) for kind in _ALL if not kind.startswith("conv_transpose")},
    ),
    Mistake(
        'rounding="ceil" ignored',
        'With rounding="ceil" one more window hangs over the end of the image; here it is dropped, as with "floor".',
        {kind: _ceil_forgotten(kind) for kind in _FORWARD},
    ),
    Mistake(
        "= for +=",
        "Each tap overwrites what the taps before it left, where it should be added (= for +=): "
        "an output sums over all taps, and a pixel of overlapping windows collects from all of them.",
        walked(
            ("conv", "convolve", "conv_backward", "conv_transpose", "max_pool_backward", "avg_pool", "avg_pool_backward"),
            Variation(assign=True),
        ),
    ),
    Mistake(
        "windows overwrite each other",
        "Each position of the window overwrites what the positions before it left in dx (= for +=): "
        "a pixel of overlapping windows collects from all of them.",
        walked(("conv_backward", "conv_transpose", "max_pool_backward", "avg_pool_backward"), Variation(last="covers")),
    ),
    Mistake(
        "winners overwritten",
        "A pixel that is the maximum of several overlapping windows keeps the gradient of the last one alone (= for +=): "
        "it collects from all the windows it wins.",
        walked(("max_pool_backward",), Variation(last="gives")),
    ),
    Mistake(
        "padded with the edge",
        "The image is padded with copies of its edge: padding is zeros.",
        walked(("conv", "convolve", "conv_backward", "avg_pool"), Variation(edge="edge")),
    ),
)
