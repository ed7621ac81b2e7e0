"""Mistakes in single gradients of convolution."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jcnn.check.mistakes.catalogue import Mistake, Wrong
from jcnn.check.mistakes.convs import flipped
from jcnn.definition import sums

Array = np.ndarray


def _only(leaf: str, change: Callable[..., Array]) -> dict[str, Wrong]:
    """conv_backward with one gradient replaced by change(dy, x, w, right gradients, options)."""

    def backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
        right = dict(zip(("dx", "dw", "db"), sums.conv_backward(dy, x, w, **options), strict=True))
        return tuple({**right, leaf: change(dy, x, w, right, options)}.values())

    return {"conv_backward": backward}


def _window(x: Array, w: Array, options: dict[str, Any]) -> Any:
    return sums.walk(x.shape[1:-1], w.shape[:-2], options)


def _channels_kept(w: Array, groups: int) -> Array:
    c_group, c_out = w.shape[-2:]
    if c_group != c_out // groups:
        raise ValueError("not as many filters as channels")
    split = w.reshape(*w.shape[:-1], groups, -1)
    return split.swapaxes(-3, -1).reshape(w.shape)


def _unswapped_dx(dy: Array, x: Array, w: Array, _: Any, options: dict[str, Any]) -> Array:
    groups = options.get("groups", 1)
    return sums.input_gradient(dy, _channels_kept(w, groups), _window(x, w, options), groups, x.shape[1:-1])


def _unswapped_transpose(y: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
    return sums.conv_transpose(y, _channels_kept(w, options.get("groups", 1)), b, **options)


def _padded_dx(dy: Array, x: Array, w: Array, _: Any, options: dict[str, Any]) -> Array:
    window = _window(x, w, options)
    sizes = tuple(n + lo + hi for n, (lo, hi) in zip(x.shape[1:-1], window.padding, strict=True))
    bare = window._replace(padding=((0, 0),) * len(sizes))
    return sums.input_gradient(dy, w, bare, options.get("groups", 1), sizes)


def _cropped_dx(crop: Callable[[int], int]) -> Callable[..., Array]:
    """Padded dx cropped by crop(F) in place of the padding, where there is any."""

    def change(dy: Array, x: Array, w: Array, right: dict[str, Array], options: dict[str, Any]) -> Array:
        window = _window(x, w, options)
        grown, kept = _padded_dx(dy, x, w, right, options), [slice(None)]
        for n, f, (lo, hi) in zip(x.shape[1:-1], window.size, window.padding, strict=True):
            start = crop(f) if lo else 0
            if start + n > n + lo + hi:
                raise ValueError("more cropped than was padded")
            kept.append(slice(start, start + n))
        return grown[tuple(kept)]

    return change


def _from_the_corner(dy: Array, x: Array, w: Array, right: dict[str, Array], options: dict[str, Any]) -> Array:
    """Padded dx cropped to the size of x, but from its corner on."""
    grown = _padded_dx(dy, x, w, right, options)
    return grown[(slice(None), *(slice(0, n) for n in x.shape[1:-1]))]


def _to_the_corner(dy: Array, x: Array, w: Array, right: dict[str, Array], options: dict[str, Any]) -> Array:
    """Padded dx cropped to the size of x, all of it at the beginning."""
    grown = _padded_dx(dy, x, w, right, options)
    return grown[(slice(None), *(slice(have - n, None) for have, n in zip(grown.shape[1:-1], x.shape[1:-1], strict=True)))]


def _unpadded_dw(dy: Array, x: Array, w: Array, _: Any, options: dict[str, Any]) -> Array:
    """Of windows that start at S·o of x itself."""
    window = _window(x, w, options)
    behind = window._replace(padding=tuple((0, lo + hi) for lo, hi in window.padding))
    return sums.filter_gradient(dy, x, w.shape, behind, options.get("groups", 1))


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
            return sums.input_gradient(dy, w, window, groups, x.shape[1:-1])
        return sums.filter_gradient(dy, x, w.shape, window, groups)

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
        return sums.conv_backward(change(dy), x, w, **options)[1]

    return _only("dw", dw)


MISTAKES = (
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
        "dx cropped from the corner",
        "The padded dx is cropped from its corner on (:H, :W): pixel 0 of x lies P into it, so the crop is P:P+H, P:P+W.",
        _only("dx", _from_the_corner),
    ),
    Mistake(
        "dx cropped at the beginning alone",
        "All 2·P of the padding are cropped off the beginning of the padded dx (−H:, −W:): P of them lie on each side, so the "
        "crop is P:P+H, P:P+W.",
        _only("dx", _to_the_corner),
    ),
    Mistake(
        "padding forgotten in dw",
        "In dw the windows start at S·o of x itself, as if all of its padding lay behind it: dy[o] meets the window that "
        "starts at S·o − P, so x is padded on each side here as well.",
        _only("dw", _unpadded_dw),
    ),
    Mistake(
        "dx cropped by one pixel",
        "dx is cropped by one pixel on each side, whatever the padding is: what fell on the padding is as wide as the padding.",
        _only("dx", _cropped_dx(lambda _: 1)),
    ),
    Mistake(
        "dx cropped by half the filter",
        "dx is cropped by half the filter (F // 2), as if the padding were always that: it is as wide as the padding given.",
        _only("dx", _cropped_dx(lambda f: f // 2)),
    ),
    Mistake(
        "unseen pixels dropped",
        "dx ends where the last window ends: pixels that no window saw have gradient 0, and dx has the shape of x.",
        _only("dx", _seen_dx),
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
        "first example only in db",
        "db holds the sum of the first example alone: every example's outputs add the same b.",
        _only("db", lambda dy, *_: dy[0].sum(tuple(range(dy.ndim - 2)))),
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
        _only("dw", lambda _dy, _x, _w, right, _o: flipped(right["dw"])),
    ),
    Mistake(
        "dw with its channels exchanged",
        "dw has output channels before input channels: it has the shape of w, (*F, C_in / G, C_out).",
        _only("dw", lambda _dy, _x, _w, right, _o: right["dw"].swapaxes(-1, -2)),
    ),
)
