"""Mistakes of pooling and its gradients, local and global."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from jcnn.check import formulas
from jcnn.check.mistakes.catalogue import Mistake, Wrong, walked
from jcnn.definition import sums
from jcnn.definition.sums import RIGHT, Variation

Array = np.ndarray


def _split(seen: Array) -> Array:
    mask = (seen == seen.max(0)) * 1.0
    return mask / mask.sum(0)


def _all(seen: Array) -> Array:
    return (seen == seen.max(0)) * 1.0


def _last(seen: Array) -> Array:
    return sums.first_maximum(seen[::-1])[::-1]


def _everywhere(seen: Array) -> Array:
    return np.ones_like(seen)


def _shared(seen: Array) -> Array:
    return np.full_like(seen, 1 / len(seen))


def _first_tap(seen: Array) -> Array:
    return (np.arange(len(seen)).reshape(-1, *(1,) * (seen.ndim - 1)) == 0) * np.ones_like(seen)


def _largest(seen: Array) -> Array:
    return sums.first_maximum(np.where(np.isfinite(seen), np.abs(seen), -1.0))


def _smallest(seen: Array) -> Array:
    return sums.first_maximum(np.where(np.isfinite(seen), -seen, -np.inf))


def _routed(share: Callable[[Array], Array]) -> dict[str, Wrong]:
    return {
        "max_pool_backward": partial(sums.max_pool_backward, share=share),
        "global_max_pool_backward": partial(formulas.global_max_pool_backward, share=share),
        "maxout_backward": partial(formulas.maxout_backward, share=share),
    }


def _chosen(share: Callable[[Array], Array]) -> dict[str, Wrong]:
    """The forward twin: y = Σ_k share_k · seen_k."""

    def pick(seen: Array) -> Array:
        return (np.where(np.isfinite(seen), seen, 0.0) * share(seen)).sum(0)

    def max_pool(x: Array, size: Any, **options: Any) -> Array:
        seen, _ = sums.taps_of(x, size, RIGHT, {"stride": None, **options})
        return pick(seen)

    def global_max_pool(x: Array) -> Array:
        return pick(np.moveaxis(x.reshape(x.shape[0], -1, x.shape[-1]), 1, 0))

    def maxout(x: Array, pieces: int) -> Array:
        return pick(np.moveaxis(x.reshape(*x.shape[:-1], -1, pieces), -1, 0))

    return {"max_pool": max_pool, "global_max_pool": global_max_pool, "maxout": maxout}


def _count(_x: Array, _size: Any, _padding: bool, window: Any, _options: Any) -> float:
    return math.prod(window.size)


def _one(*_: Any) -> float:
    return 1.0


def _pixels(dy: Array, x: Array) -> Array:
    return np.broadcast_to(dy.reshape(dy.shape[0], *(1,) * (x.ndim - 2), -1), x.shape).copy()


def _first_pixel(dy: Array, x: Array) -> Array:
    dx = np.zeros_like(x)
    dx[(slice(None), *(0,) * (x.ndim - 2))] = dy
    return dx


def _keep(kind: str) -> Wrong:
    def wrong(x: Array) -> Array:
        return getattr(formulas, kind)(x).reshape(x.shape[0], *(1,) * (x.ndim - 2), -1)

    return wrong


def _stride_given_up(kind: str) -> Wrong:
    """The window's size for a stride, whatever was asked for."""

    def wrong(*args: Any, **options: Any) -> Any:
        return getattr(sums, kind)(*args, **{**options, "stride": None})

    return wrong


def _tiles(x: Array, size: Any, options: dict[str, Any]) -> tuple[Array, tuple[int, ...]]:
    """The map cut into tiles in one reshape, (N, rows, columns, pixels, C), and the part of the map that is cut."""
    if set(options) - {"stride"} or options.get("stride", size) != size or x.ndim != 4:
        raise NotImplementedError("no tiles")
    f, g = (size, size) if isinstance(size, int) else size
    n, height, width, channels = x.shape
    rows, columns = height // f, width // g
    cut = x[:, : rows * f, : columns * g]
    return cut.reshape(n, rows, columns, f * g, channels), cut.shape


def _tiled(x: Array, size: Any, **options: Any) -> Array:
    return _tiles(x, size, options)[0].max(3)


def _tiled_backward(dy: Array, x: Array, size: Any, **options: Any) -> Array:
    tiles, cut = _tiles(x, size, options)
    taken = np.arange(tiles.shape[3])[:, None] == tiles.argmax(3)[:, :, :, None]
    dx = np.zeros(x.shape)
    dx[:, : cut[1], : cut[2]] = (taken * dy[:, :, :, None]).reshape(cut)
    return dx


MISTAKES = (
    Mistake(
        "tiles cut along the wrong axes",
        "The map is reshaped to (N, rows, columns, F, F, C) at once, which cuts it into other pieces than tiles: "
        "reshape to (N, rows, F, columns, F, C) and take the maximum over both axes of F.",
        {"max_pool": _tiled, "max_pool_backward": _tiled_backward},
    ),
    Mistake(
        "ties split",
        "Where several pixels of a window share the maximum, the gradient is split among them: a valid subgradient, but the "
        "convention (here, in JAX and PyTorch) gives all of it to the first.",
        _routed(_split),
        "kink",
    ),
    Mistake(
        "ties all rewarded",
        "Where several pixels of a window share the maximum, each gets the whole gradient: more goes back than came in. The "
        "convention gives it to the first alone. A mask x == max does this; argmax does not.",
        _routed(_all),
    ),
    Mistake(
        "last of the ties rewarded",
        "Where several pixels of a window share the maximum, the last one gets the gradient (>= for >): a valid choice, but "
        "the convention is the first.",
        _routed(_last),
        "kink",
    ),
    Mistake(
        "gradient to the whole window",
        "Every pixel of the window gets the gradient: only the maximum had a say in the output.",
        _routed(_everywhere),
    ),
    Mistake(
        "gradient shared as by an average",
        "Every pixel of the window gets an equal part of the gradient: that is average pooling's way back.",
        _routed(_shared),
    ),
    Mistake(
        "gradient to the first pixel",
        "The gradient goes to the first pixel of every window: it belongs where the maximum was.",
        {**_routed(_first_tap), "global_avg_pool_backward": lambda dy, x: _first_pixel(dy, x) / math.prod(x.shape[1:-1])},
    ),
    Mistake(
        "largest magnitude instead of maximum",
        "The pixel of the largest magnitude wins: −3 is less than 1.",
        {**_chosen(_largest), **_routed(_largest)},
    ),
    Mistake(
        "minimum instead of maximum", "The smallest pixel of the window wins.", {**_chosen(_smallest), **_routed(_smallest)}
    ),
    Mistake(
        "mean instead of maximum",
        "The window is averaged: max pooling takes its largest value.",
        {"max_pool": sums.avg_pool, "global_max_pool": formulas.global_avg_pool},
    ),
    Mistake(
        "padding of zeros wins",
        "The padding is zeros and beats negative pixels: a maximum is padded with −∞.",
        walked(("max_pool", "max_pool_backward"), Variation(edge=0.0)),
    ),
    Mistake(
        "stride ignored: the window's size",
        "The window moves by its own size whatever the stride is: that is only what stride=None means.",
        {kind: _stride_given_up(kind) for kind in ("max_pool", "avg_pool")},
    ),
    Mistake(
        "sum instead of mean",
        "The pixels are added up: an average divides by how many there are, on the way back as well.",
        {
            "avg_pool": partial(sums.avg_pool, count=_one),
            "avg_pool_backward": partial(sums.avg_pool_backward, count=_one),
            "global_avg_pool": lambda x: x.sum(tuple(range(1, x.ndim - 1))),
            "global_avg_pool_backward": _pixels,
        },
    ),
    Mistake(
        "maximum instead of mean",
        "The largest pixel of the window is taken: average pooling takes the mean.",
        {
            "avg_pool": lambda x, size, count_padding=False, **o: sums.max_pool(x, size, **o),
            "global_avg_pool": formulas.global_max_pool,
        },
    ),
    Mistake(
        "padding counted",
        "The average divides by the padding's pixels too: unless count_padding is given, only pixels of the image count.",
        {
            "avg_pool": lambda x, size, **o: sums.avg_pool(x, size, **{**o, "count_padding": True}),
            "avg_pool_backward": lambda dy, x, size, **o: sums.avg_pool_backward(dy, x, size, **{**o, "count_padding": True}),
        },
    ),
    Mistake(
        "divided by the window's size",
        "The average always divides by the number of taps: at the border fewer of them lie on the image.",
        {
            "avg_pool": partial(sums.avg_pool, count=_count),
            "avg_pool_backward": partial(sums.avg_pool_backward, count=_count),
        },
    ),
    Mistake(
        "count_padding ignored",
        "With count_padding=True the zeros of the padding count as pixels; here they never do.",
        {
            "avg_pool": lambda x, size, **o: sums.avg_pool(x, size, **{**o, "count_padding": False}),
            "avg_pool_backward": lambda dy, x, size, **o: sums.avg_pool_backward(dy, x, size, **{**o, "count_padding": False}),
        },
    ),
    Mistake(
        "spatial axes kept",
        "The output keeps its spatial axes, of size 1: a global pool gives (N, C).",
        {kind: _keep(kind) for kind in ("global_avg_pool", "global_max_pool")},
    ),
)
