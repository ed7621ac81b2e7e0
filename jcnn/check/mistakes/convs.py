"""Mistakes of convolution and its gradients."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jcnn.check import reference
from jcnn.check.mistakes.catalogue import Mistake, Wrong

Array = np.ndarray


def _flipped(w: Array) -> Array:
    return np.flip(w, tuple(range(w.ndim - 2)))


def _first_flipped(w: Array) -> Array:
    """The first axis; with a single axis there is no such mistake."""
    return np.flip(w, 0) if w.ndim > 3 else w


def _last_flipped(w: Array) -> Array:
    return np.flip(w, w.ndim - 3) if w.ndim > 3 else w


def _all_but_first_flipped(w: Array) -> Array:
    """For operations that flip every axis themselves: the first stays flipped."""
    return _flipped(_first_flipped(w)) if w.ndim > 3 else w


def _all_but_last_flipped(w: Array) -> Array:
    return _flipped(_last_flipped(w)) if w.ndim > 3 else w


def _flipped_with_channels(w: Array) -> Array:
    return np.flip(w)


def _transposed(w: Array) -> Array:
    if w.ndim > 3 and w.shape[0] != w.shape[1]:
        raise ValueError("the filter is not square")
    return w.swapaxes(0, 1) if w.ndim > 3 else w


def _with_filter(change: Callable[[Array], Array], *, gradient: bool = True) -> dict[str, Wrong]:
    """conv, convolve, conv_transpose and conv_backward's dx (and dw) with another filter."""

    def backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
        dx, *_ = reference.conv_backward(dy, x, change(w), **options)
        _, dw, db = reference.conv_backward(dy, x, w, **options)
        return dx, change(dw) if gradient else dw, db

    return {
        "conv": lambda x, w, b=None, **options: reference.conv(x, change(w), b, **options),
        "convolve": lambda x, w, b=None, **options: reference.convolve(x, change(w), b, **options),
        "conv_transpose": lambda y, w, b=None, **options: reference.conv_transpose(y, change(w), b, **options),
        "conv_backward": backward,
    }


def _only(leaf: str, change: Callable[..., Array]) -> dict[str, Wrong]:
    """conv_backward with one gradient replaced by change(dy, x, w, right gradients, options)."""

    def backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
        right = dict(zip(("dx", "dw", "db"), reference.conv_backward(dy, x, w, **options), strict=True))
        return tuple({**right, leaf: change(dy, x, w, right, options)}.values())

    return {"conv_backward": backward}


def _window(x: Array, w: Array, options: dict[str, Any]) -> Any:
    return reference.walk(x.shape[1:-1], w.shape[:-2], options)


def _channels_kept(w: Array, groups: int) -> Array:
    c_group, c_out = w.shape[-2:]
    if c_group != c_out // groups:
        raise ValueError("not as many filters as channels")
    split = w.reshape(*w.shape[:-1], groups, -1)
    return split.swapaxes(-3, -1).reshape(w.shape)


def _unswapped_dx(dy: Array, x: Array, w: Array, _: Any, options: dict[str, Any]) -> Array:
    groups = options.get("groups", 1)
    return reference.input_gradient(dy, _channels_kept(w, groups), _window(x, w, options), groups, x.shape[1:-1])


def _unswapped_transpose(y: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
    return reference.conv_transpose(y, _channels_kept(w, options.get("groups", 1)), b, **options)


def _padded_dx(dy: Array, x: Array, w: Array, _: Any, options: dict[str, Any]) -> Array:
    window = _window(x, w, options)
    sizes = tuple(n + lo + hi for n, (lo, hi) in zip(x.shape[1:-1], window.padding, strict=True))
    bare = window._replace(padding=((0, 0),) * len(sizes))
    return reference.input_gradient(dy, w, bare, options.get("groups", 1), sizes)


def _seen_dx(dy: Array, x: Array, w: Array, right: dict[str, Array], options: dict[str, Any]) -> Array:
    """Only as far as windows reach."""
    window = _window(x, w, options)
    kept = [slice(None)]
    for n, o, f, s, (lo, _), d in zip(x.shape[1:-1], dy.shape[1:-1], *window, strict=True):
        kept.append(slice(0, min(n, s * (o - 1) + d * (f - 1) + 1 - lo)))
    return right["dx"][tuple(kept)]


def _stretched_wrong(leaf: str) -> Callable[..., Array]:
    def change(dy: Array, x: Array, w: Array, _: Any, options: dict[str, Any]) -> Array:
        window = _window(x, w, options)._replace(stride=(1,) * (x.ndim - 2))
        groups = options.get("groups", 1)
        if leaf == "dx":
            return reference.input_gradient(dy, w, window, groups, x.shape[1:-1])
        return reference.filter_gradient(dy, x, w.shape, window, groups)

    return change


def _last_position(dy: Array) -> Array:
    cut = np.zeros_like(dy)
    at = (slice(None), *(slice(-1, None),) * (dy.ndim - 2))
    cut[at] = dy[at]
    return cut


def _last_example(dy: Array) -> Array:
    cut = np.zeros_like(dy)
    cut[-1] = dy[-1]
    return cut


def _dw_of(change: Callable[[Array], Array]) -> dict[str, Wrong]:
    def dw(dy: Array, x: Array, w: Array, _: Any, options: dict[str, Any]) -> Array:
        return reference.conv_backward(change(dy), x, w, **options)[1]

    return _only("dw", dw)


def _spread(channels: int, groups: int) -> Array:
    """The channels in the order 0, G, 2G, …, 1, G + 1, …"""
    return np.arange(channels).reshape(-1, groups).T.reshape(-1)


def _mixed_groups() -> dict[str, Wrong]:
    def conv(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        return reference.conv(x[..., _spread(x.shape[-1], options.get("groups", 1))], w, b, **options)

    def convolve(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        return conv(x, _flipped(w), b, **options)

    def back(dx: Array, groups: int) -> Array:
        placed = np.zeros_like(dx)
        placed[..., _spread(dx.shape[-1], groups)] = dx
        return placed

    def conv_transpose(y: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        x = back(reference.conv_transpose(y, w, **options), options.get("groups", 1))
        return x if b is None else x + b

    def conv_backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
        groups = options.get("groups", 1)
        dx, dw, db = reference.conv_backward(dy, x[..., _spread(x.shape[-1], groups)], w, **options)
        return back(dx, groups), dw, db

    return {"conv": conv, "convolve": convolve, "conv_transpose": conv_transpose, "conv_backward": conv_backward}


def _first_group() -> dict[str, Wrong]:
    def first(x: Array, groups: int) -> Array:
        return np.concatenate([x[..., : x.shape[-1] // groups]] * groups, -1)

    def conv(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        return reference.conv(first(x, options.get("groups", 1)), w, b, **options)

    def conv_backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
        groups = options.get("groups", 1)
        dx, dw, db = reference.conv_backward(dy, first(x, groups), w, **options)
        summed = np.zeros_like(dx)
        summed[..., : dx.shape[-1] // groups] = dx.reshape(*dx.shape[:-1], groups, -1).sum(-2)
        return summed, dw, db

    return {"conv": conv, "convolve": lambda x, w, b=None, **o: conv(x, _flipped(w), b, **o), "conv_backward": conv_backward}


def _output(change: Callable[..., Array], kinds: tuple[str, ...] = ("conv", "convolve", "conv_transpose")) -> dict[str, Wrong]:
    """change(right output without its bias, bias, x, w)."""

    def made(kind: str) -> Wrong:
        def wrong(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
            return change(getattr(reference, kind)(x, w, **options), 0.0 if b is None else b, x, w)

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
        {"conv": _with_filter(_flipped)["conv"]},
    ),
    Mistake(
        "filter not flipped",
        "The filter is not flipped: the way back from y to x goes through the filter reversed along every spatial axis "
        "(and so does the convolution of mathematics).",
        {kind: wrong for kind, wrong in _with_filter(_flipped, gradient=False).items() if kind != "conv"},
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
        "channels not swapped",
        "Going back, the filter's input and output channels must change places (w[k] transposed): "
        "dx[c_in] = Σ dy[c_out] · w[k][c_in, c_out].",
        {**_only("dx", _unswapped_dx), "conv_transpose": _unswapped_transpose},
    ),
    Mistake(
        "stride forgotten in dx",
        "In dx the output gradient is not pulled apart: between its entries belong S − 1 zeros, for output o saw pixel S·o.",
        _only("dx", _stretched_wrong("dx")),
    ),
    Mistake(
        "stride forgotten in dw",
        "In dw the windows of x are taken one pixel apart: dy[o] meets the window that starts at S·o.",
        _only("dw", _stretched_wrong("dw")),
    ),
    Mistake(
        "padding not cropped",
        "dx still has the size of the padded image: what fell on the padding is to be cropped off again.",
        _only("dx", _padded_dx),
    ),
    Mistake(
        "unseen pixels dropped",
        "dx ends where the last window ends: pixels that no window saw have gradient 0, and dx has the shape of x.",
        _only("dx", _seen_dx),
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
            "conv": lambda x, w, b=None, **o: reference.conv(_last_channel(x, o.get("groups", 1)), w, b, **o),
            "convolve": lambda x, w, b=None, **o: reference.convolve(_last_channel(x, o.get("groups", 1)), w, b, **o),
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
    Mistake(
        "bias not summed over the batch",
        "db is summed over the positions but not over the examples: every output of every example adds the same b.",
        _only("db", lambda dy, *_: dy.sum(tuple(range(1, dy.ndim - 1)))),
    ),
    Mistake(
        "bias not summed over space",
        "db is summed over the examples but not over the positions: every output of every example adds the same b.",
        _only("db", lambda dy, *_: dy.sum(0)),
    ),
    Mistake(
        "bias of the last example only",
        "db holds the sum of the last example alone: it is overwritten for each example, where it should be added.",
        _only("db", lambda dy, *_: dy[-1].sum(tuple(range(dy.ndim - 2)))),
    ),
    Mistake(
        "mean instead of sum in db",
        "db is the mean of dy over examples and positions: the gradient of an added b is the sum.",
        _only("db", lambda dy, *_: dy.mean(tuple(range(dy.ndim - 1)))),
    ),
    Mistake(
        "mean over positions in dw",
        "dw is averaged over the positions of the window: the gradient of a shared filter is the sum over all its uses.",
        _only("dw", lambda dy, _x, _w, right, _o: right["dw"] / math.prod(dy.shape[1:-1])),
    ),
    Mistake(
        "last position only in dw",
        "dw comes from the last position of the window alone: each position overwrites the one before (= for +=).",
        _dw_of(_last_position),
    ),
    Mistake(
        "last example only in dw",
        "dw comes from the last example alone: each example overwrites the one before (= for +=).",
        _dw_of(_last_example),
    ),
    Mistake(
        "dw flipped",
        "dw is turned round: tap k of dw pairs dy[o] with x[S·o + D·k − P], a correlation, nothing is flipped.",
        _only("dw", lambda _dy, _x, _w, right, _o: _flipped(right["dw"])),
    ),
    Mistake(
        "dw with its channels exchanged",
        "dw has output channels before input channels: it has the shape of w, (*F, C_in / G, C_out).",
        _only("dw", lambda _dy, _x, _w, right, _o: right["dw"].swapaxes(-1, -2)),
    ),
)
