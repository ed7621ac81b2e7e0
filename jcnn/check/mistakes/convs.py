"""Mistakes of convolution and its gradients."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jcnn.check.mistakes.catalogue import Mistake, Wrong
from jcnn.definition import sums

Array = np.ndarray


def flipped(w: Array) -> Array:
    """w turned round along every spatial axis."""
    return np.flip(w, tuple(range(w.ndim - 2)))


def _first_flipped(w: Array) -> Array:
    """The first axis; with a single axis there is no such mistake."""
    return np.flip(w, 0) if w.ndim > 3 else w


def _last_flipped(w: Array) -> Array:
    return np.flip(w, w.ndim - 3) if w.ndim > 3 else w


def _all_but_first_flipped(w: Array) -> Array:
    """For operations that flip every axis themselves: the first stays flipped."""
    return flipped(_first_flipped(w)) if w.ndim > 3 else w


def _all_but_last_flipped(w: Array) -> Array:
    return flipped(_last_flipped(w)) if w.ndim > 3 else w


def _flipped_with_channels(w: Array) -> Array:
    return np.flip(w)


def _transposed(w: Array) -> Array:
    if w.ndim > 3 and w.shape[0] != w.shape[1]:
        raise ValueError("the filter is not square")
    return w.swapaxes(0, 1) if w.ndim > 3 else w


def _with_filter(change: Callable[[Array], Array], *, gradient: bool = True) -> dict[str, Wrong]:
    """conv, convolve, conv_transpose and conv_backward's dx (and dw) with another filter."""

    def backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
        dx, *_ = sums.conv_backward(dy, x, change(w), **options)
        _, dw, db = sums.conv_backward(dy, x, w, **options)
        return dx, change(dw) if gradient else dw, db

    return {
        "conv": lambda x, w, b=None, **options: sums.conv(x, change(w), b, **options),
        "convolve": lambda x, w, b=None, **options: sums.convolve(x, change(w), b, **options),
        "conv_transpose": lambda y, w, b=None, **options: sums.conv_transpose(y, change(w), b, **options),
        "conv_backward": backward,
    }


def _spread(channels: int, groups: int) -> Array:
    """The channels in the order 0, G, 2G, …, 1, G + 1, …"""
    return np.arange(channels).reshape(-1, groups).T.reshape(-1)


def _mixed_groups() -> dict[str, Wrong]:
    def conv(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        return sums.conv(x[..., _spread(x.shape[-1], options.get("groups", 1))], w, b, **options)

    def convolve(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        return conv(x, flipped(w), b, **options)

    def back(dx: Array, groups: int) -> Array:
        placed = np.zeros_like(dx)
        placed[..., _spread(dx.shape[-1], groups)] = dx
        return placed

    def conv_transpose(y: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        x = back(sums.conv_transpose(y, w, **options), options.get("groups", 1))
        return x if b is None else x + b

    def conv_backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
        groups = options.get("groups", 1)
        dx, dw, db = sums.conv_backward(dy, x[..., _spread(x.shape[-1], groups)], w, **options)
        return back(dx, groups), dw, db

    return {"conv": conv, "convolve": convolve, "conv_transpose": conv_transpose, "conv_backward": conv_backward}


def _first_group() -> dict[str, Wrong]:
    def first(x: Array, groups: int) -> Array:
        return np.concatenate([x[..., : x.shape[-1] // groups]] * groups, -1)

    def conv(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        return sums.conv(first(x, options.get("groups", 1)), w, b, **options)

    def conv_backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
        groups = options.get("groups", 1)
        dx, dw, db = sums.conv_backward(dy, first(x, groups), w, **options)
        summed = np.zeros_like(dx)
        summed[..., : dx.shape[-1] // groups] = dx.reshape(*dx.shape[:-1], groups, -1).sum(-2)
        return summed, dw, db

    return {"conv": conv, "convolve": lambda x, w, b=None, **o: conv(x, flipped(w), b, **o), "conv_backward": conv_backward}


def _output(change: Callable[..., Array], kinds: tuple[str, ...] = ("conv", "convolve", "conv_transpose")) -> dict[str, Wrong]:
    """change(right output without its bias, bias, x, w)."""

    def made(kind: str) -> Wrong:
        def wrong(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
            return change(getattr(sums, kind)(x, w, **options), 0.0 if b is None else b, x, w)

        return wrong

    return {kind: made(kind) for kind in kinds}


def _last_channel(x: Array, groups: int) -> Array:
    kept = np.zeros_like(x).reshape(*x.shape[:-1], groups, -1)
    kept[..., -1] = x.reshape(*x.shape[:-1], groups, -1)[..., -1]
    return kept.reshape(x.shape)


MISTAKES = (
    Mistake(
        "filter flipped",
        "The filter is flipped: that is the convolution of mathematics; what networks call conv slides the filter as it is.",
        {"conv": _with_filter(flipped)["conv"]},
    ),
    Mistake(
        "filter not flipped",
        "The filter is not flipped: the way back from y to x goes through the filter reversed along every spatial axis "
        "(and so does the convolution of mathematics).",
        {kind: wrong for kind, wrong in _with_filter(flipped, gradient=False).items() if kind != "conv"},
    ),
    Mistake(
        "filter flipped along the first axis only",
        "The filter is flipped along its first axis but not along the others: convolve and every gradient by the input flip "
        "all spatial axes, conv none.",
        {
            "conv": _with_filter(_first_flipped)["conv"],
            "convolve": _with_filter(_all_but_first_flipped)["convolve"],
            "conv_transpose": _with_filter(_all_but_first_flipped)["conv_transpose"],
            "conv_backward": _with_filter(_all_but_first_flipped, gradient=False)["conv_backward"],
        },
    ),
    Mistake(
        "filter flipped along the last axis only",
        "The filter is flipped along its last spatial axis but not along the others: convolve and every gradient by the input "
        "flip all spatial axes, conv none.",
        {
            "conv": _with_filter(_last_flipped)["conv"],
            "convolve": _with_filter(_all_but_last_flipped)["convolve"],
            "conv_transpose": _with_filter(_all_but_last_flipped)["conv_transpose"],
            "conv_backward": _with_filter(_all_but_last_flipped, gradient=False)["conv_backward"],
        },
    ),
    Mistake(
        "channels flipped too",
        "The filter is flipped along its channel axes as well (w[::-1] on everything): only the spatial axes turn round.",
        {
            "conv": _with_filter(_flipped_with_channels)["conv"],
            "convolve": _with_filter(lambda w: np.flip(w, (-1, -2)))["convolve"],
            "conv_transpose": _with_filter(lambda w: np.flip(w, (-1, -2)))["conv_transpose"],
            "conv_backward": _with_filter(lambda w: np.flip(w, (-1, -2)), gradient=False)["conv_backward"],
        },
    ),
    Mistake(
        "filter axes transposed",
        "The two spatial axes of the filter are exchanged: w[i, j] belongs to row i and column j of the window.",
        _with_filter(_transposed),
    ),
    Mistake(
        "groups mixed",
        "Group g takes every G-th channel: the channels of a group lie side by side, channels g·C/G to (g + 1)·C/G − 1.",
        _mixed_groups(),
    ),
    Mistake(
        "all groups read the first",
        "Every group of filters reads the channels of the first group: the offset g·C/G is missing.",
        _first_group(),
    ),
    Mistake(
        "only the last channel counts",
        "Of the input channels only the last one is in the result: their products are overwritten where they should be added.",
        {
            "conv": lambda x, w, b=None, **o: sums.conv(_last_channel(x, o.get("groups", 1)), w, b, **o),
            "convolve": lambda x, w, b=None, **o: sums.convolve(_last_channel(x, o.get("groups", 1)), w, b, **o),
        },
    ),
    Mistake("bias forgotten", "The bias is not added.", _output(lambda y, _b, _x, _w: y)),
    Mistake(
        "bias added once per tap",
        "The bias is added inside the loop over the taps, once for each: it belongs after it, once for each output.",
        _output(lambda y, b, _x, w: y + b * math.prod(w.shape[:-2])),
    ),
    Mistake(
        "bias subtracted",
        "The bias is subtracted where it is to be added.",
        _output(lambda y, b, _x, _w: y - b),
    ),
    Mistake(
        "mean instead of sum over the taps",
        "The products are averaged over the taps: a convolution adds them up.",
        _output(lambda y, b, _x, w: y / math.prod(w.shape[:-2]) + b, ("conv", "convolve")),
    ),
    Mistake(
        "first example for all",
        "Every example of the batch gets the result of the first one: the batch index is stuck at 0.",
        _output(lambda y, b, _x, _w: np.broadcast_to(y[:1], y.shape) + b),
    ),
)
