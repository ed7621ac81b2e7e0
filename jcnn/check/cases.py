"""The adversarial cases: small, so that a person can redo them, and each with something that usual tests leave out."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jcnn import geometry
from jcnn.check import reference, walking
from jcnn.window import parse_window

Array = np.ndarray


class Case(NamedTuple):
    """One call of a candidate.

    Attributes:
        name: what is special, in words.
        args: the positional arguments by name, in order.
        options: the keyword arguments; only what differs from the defaults.
        features: what the case has, in words, to say when a candidate fails.
        whole: all numbers are small and whole, so that any float arithmetic adds them exactly.
    """

    name: str
    args: dict[str, Any]
    options: dict[str, Any]
    features: frozenset[str]
    whole: bool

    @property
    def size(self) -> int:
        """How many numbers go in."""
        return sum(np.size(value) for value in self.args.values())


class _Walk(NamedTuple):
    name: str
    sizes: tuple[int, ...]
    window: tuple[int, ...]
    channels: tuple[int, int, int] = (1, 1, 1)  # groups, C_in, C_out
    options: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    batch: int = 1
    bias: bool = False
    values: str = "whole"


_WALKS = (
    _Walk("a single pixel", (1, 1), (1, 1)),
    _Walk("a 2×2 filter on 3×3 pixels", (3, 3), (2, 2)),
    _Walk("a 2×2 filter on 2×2 pixels: as large as the input", (2, 2), (2, 2), (1, 2, 2)),
    _Walk("one axis", (5,), (3,), batch=2, bias=True),
    _Walk("a 1×1 filter with channels", (2, 3), (1, 1), (1, 2, 3), batch=2),
    _Walk("windows that overlap", (4, 4), (3, 3), options={"stride": 1}),
    _Walk("a filter that is not square", (4, 5), (3, 2), (1, 2, 3), {"stride": 1}, 2, True),
    _Walk("as many filters as channels", (4, 4), (2, 2), (1, 3, 3), {"stride": 1}, 3, True),
    _Walk("stride 2", (5, 5), (3, 3), options={"stride": 2}),
    _Walk("a stride that leaves a rest", (6, 5), (3, 2), (1, 2, 2), {"stride": 2}, 2),
    _Walk("a stride of its own for every axis", (6, 5), (2, 3), (1, 1, 2), {"stride": (3, 1)}, 2),
    _Walk("a stride larger than the filter", (7, 8), (2, 2), (1, 2, 1), {"stride": 3}),
    _Walk("padding", (3, 3), (3, 3), options={"padding": 1, "stride": 1}),
    _Walk("padding and stride", (5, 4), (3, 3), (1, 2, 2), {"padding": 1, "stride": 2}, 2, True),
    _Walk("asymmetric padding", (4, 4), (3, 3), (1, 2, 2), {"padding": ((0, 1), (2, 1)), "stride": 1}, 2),
    _Walk("padding of its own for every axis", (3, 5), (2, 3), (1, 1, 2), {"padding": (1, 2), "stride": 1}),
    _Walk("same padding with an odd pixel", (5, 4), (2, 2), (1, 1, 2), {"padding": "same", "stride": 1}, values="normal"),
    _Walk("same padding and stride", (6, 5), (3, 2), (1, 2, 2), {"padding": "same", "stride": 2}, 2),
    _Walk("the odd pixel at the start", (4, 6), (2, 4), (1, 1, 1), {"padding": "same_lower", "stride": 1}),
    _Walk("dilation 2", (5, 5), (2, 2), options={"dilation": 2, "stride": 1}),
    _Walk("dilation, stride and padding", (8, 7), (3, 2), (1, 2, 2), {"dilation": (2, 3), "stride": 2, "padding": (1, 0)}, 2),
    _Walk("two groups", (3, 4), (2, 2), (2, 4, 4), {"groups": 2}, 2, True),
    _Walk("three groups, two filters each", (3, 3), (2, 2), (3, 3, 6), {"groups": 3, "stride": 1}, 2),
    _Walk("a window that hangs over (ceil)", (5, 6), (2, 3), (1, 1, 2), {"stride": 2, "rounding": "ceil"}, 2),
    _Walk("zeros", (4, 4), (3, 3), (1, 2, 2), {"stride": 1}, 2, True, "zeros"),
    _Walk("ties", (4, 5), (2, 2), (1, 2, 1), {"stride": 1}, 2, False, "ties"),
    _Walk("ties of windows that do not overlap", (4, 4), (2, 2), (1, 1, 1), {}, 1, False, "ties"),
    _Walk("three axes", (3, 2, 3), (2, 2, 2), (1, 2, 2), {"stride": 1}, 2, values="normal"),
    _Walk("any numbers", (6, 7), (3, 3), (1, 3, 4), {"stride": (2, 1), "padding": 1}, 3, True, "normal"),
    _Walk(
        "one large image", (23, 19), (5, 3), (1, 4, 6), {"stride": (2, 1), "padding": 2, "dilation": (1, 2)}, 2, True, "normal"
    ),
)


def values_of(kind: str, shape: Sequence[int], name: str) -> Array:
    """Numbers of a kind, the same every time for the same name."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), *shape])
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "zeros":
        return np.zeros(shape)
    if kind == "ties":
        return rng.integers(-1, 2, shape).astype(np.float64)
    if kind == "distinct":
        # No two numbers alike, the larger part negative, so that a zero would win wherever it was taken for a pixel.
        size = int(np.prod(shape))
        return (rng.permutation(size) - 3 * size // 4 - 0.5).reshape(shape)
    numbers = rng.integers(1, 5, shape)
    return np.where(rng.random(shape) < 0.4, -numbers, numbers).astype(np.float64)


def _features(walk: _Walk) -> frozenset[str]:
    options, found = walk.options, set()
    rank = len(walk.sizes)
    window = parse_window(walk.sizes, walk.window, **{k: v for k, v in options.items() if k != "groups"})
    if any(s > 1 for s in window.stride):
        found.add("a stride above 1")
    if any((n + lo + hi - geometry.span(f, d)) % s for n, f, s, (lo, hi), d in zip(walk.sizes, *window, strict=True)):
        found.add("a stride that leaves a rest")
    if any(s < f for f, s in zip(window.size, window.stride, strict=True)):
        found.add("windows that overlap")
    if any(lo or hi for lo, hi in window.padding):
        found.add("padding")
    if any(lo != hi for lo, hi in window.padding):
        found.add("asymmetric padding")
    if any(d > 1 for d in window.dilation):
        found.add("dilation")
    if len(set(window.size)) > 1:
        found.add("a filter that is not square")
    if walk.channels[0] > 1:
        found.add("groups")
    elif walk.channels[1:] != (1, 1):
        found.add("more than one channel")
    if walk.batch > 1:
        found.add("more than one example")
    if rank != 2:
        found.add(f"{rank} spatial {'axis' if rank == 1 else 'axes'}")
    if options.get("rounding") == "ceil":
        found.add('rounding="ceil"')
    if isinstance(options.get("padding"), str):
        found.add("padding given by name")
    if isinstance(options.get("stride"), tuple):
        found.add("a stride of its own for every axis")
    return frozenset(found)


def conv_cases(kind: str) -> tuple[Case, ...]:
    """The cases of conv, convolve, conv_transpose and conv_backward."""
    return tuple(_conv_case(kind, walk) for walk in _WALKS)


def _conv_case(kind: str, walk: _Walk) -> Case:
    groups, c_in, c_out = walk.channels
    options = dict(walk.options)
    if options.get("stride") == 1:
        del options["stride"]
    features = _features(walk)
    values = "whole" if walk.values == "ties" else walk.values
    x = values_of(values, (walk.batch, *walk.sizes, c_in), "x" + walk.name)
    w = values_of("whole" if values == "zeros" else values, (*walk.window, c_in // groups, c_out), "w" + walk.name)
    outputs = walking.walk(walk.sizes, walk.window, options).output_shape(walk.sizes)
    dy = values_of(values, (walk.batch, *outputs, c_out), "dy" + walk.name)
    whole = values != "normal"
    if kind == "conv_backward":
        return Case(walk.name, {"dy": dy, "x": x, "w": w}, options, features, whole)
    bias = c_in if kind == "conv_transpose" else c_out
    b = {"b": values_of("whole" if whole else "normal", (bias,), "b" + walk.name)} if walk.bias else {}
    features |= {"a bias"} if b else set()
    if kind != "conv_transpose":
        return Case(walk.name, {"x": x, "w": w, **b}, options, features, whole)
    if options.pop("rounding", "floor") == "ceil":
        # Without its way of rounding the same window reaches as far by padding.
        options["padding"] = walking.walk(walk.sizes, walk.window, walk.options).padding
        features -= {'rounding="ceil"'}
    asked = {"output_size": walk.sizes}
    if reference.conv_transpose(dy, w, **options).shape[1:-1] == walk.sizes:
        asked = {}
    else:
        features |= {"output_size"}
    return Case(walk.name, {"y": dy, "w": w, **b}, {**options, **asked}, features, whole)


def pool_cases(kind: str) -> tuple[Case, ...]:
    """The cases of pooling and its backward: windows that all see the input, maxima alone except where they shall tie."""
    return tuple(_pool_cases(kind))


def _pool_cases(kind: str) -> Iterator[Case]:
    for walk in _WALKS:
        if "groups" in walk.options:
            continue
        window = walking.walk(walk.sizes, walk.window, {"stride": None, **walk.options})
        if any(0 in axis for axis in window.seen(walk.sizes, ((0, 0),) * len(walk.sizes))):
            continue
        shape = (walk.batch, *walk.sizes, walk.channels[1])
        average = kind.startswith("avg")
        values = walk.values if walk.values in {"zeros", "ties"} else "normal" if walk.values == "normal" else "distinct"
        x = values_of("whole" if average and values in {"distinct", "ties"} else values, shape, "x" + walk.name)
        dy = values_of(
            "normal" if values == "normal" else "whole",
            (walk.batch, *window.output_shape(walk.sizes), shape[-1]),
            "dy" + walk.name,
        )
        features = _features(walk) | ({"ties"} if values in {"zeros", "ties"} and not average else set())
        size = walk.window[0] if len(set(walk.window)) == 1 else walk.window
        gradient = {"dy": dy} if kind.endswith("backward") else {}
        exact = values != "normal" and not average
        yield Case(walk.name, {**gradient, "x": x, "window": size}, dict(walk.options), features, exact)
        if average and "padding" in features:
            counted = {**walk.options, "count_padding": True}
            yield Case(
                f"{walk.name}, counted", {**gradient, "x": x, "window": size}, counted, features | {"count_padding"}, exact
            )


def global_cases(kind: str) -> tuple[Case, ...]:
    """The cases of pooling over whole maps."""
    found = []
    for name, shape, values in (
        ("a single pixel", (1, 1, 1, 1), "distinct"),
        ("2×2 pixels", (1, 2, 2, 1), "distinct"),
        ("one axis", (2, 3, 2), "distinct"),
        ("maps that are not square", (2, 3, 4, 3), "distinct"),
        ("three axes", (2, 2, 3, 2, 2), "normal"),
        ("zeros", (2, 2, 2, 2), "zeros"),
        ("ties", (2, 3, 3, 2), "ties"),
        ("one large map", (2, 17, 19, 4), "normal"),
    ):
        x = values_of(values, shape, "x" + name)
        features = {"more than one example"} if shape[0] > 1 else set()
        features |= {geometry.spatial_axes(len(shape) - 2)} if len(shape) != 4 else set()
        features |= {"ties"} if values in {"zeros", "ties"} and "max" in kind else set()
        dy = values_of("normal" if values == "normal" else "whole", (shape[0], shape[-1]), "dy" + name)
        args = {"dy": dy, "x": x} if kind.endswith("backward") else {"x": x}
        found.append(Case(name, args, {}, frozenset(features), values != "normal" and "max" in kind))
    return tuple(found)
