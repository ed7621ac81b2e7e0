"""The adversarial cases: small, so that a person can redo them, and each with something that usual tests leave out."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jcnn import geometry
from jcnn.check import formulas, reference
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


def _values(kind: str, shape: Sequence[int], name: str) -> Array:
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
    x = _values(values, (walk.batch, *walk.sizes, c_in), "x" + walk.name)
    w = _values("whole" if values == "zeros" else values, (*walk.window, c_in // groups, c_out), "w" + walk.name)
    outputs = reference.walk(walk.sizes, walk.window, options).output_shape(walk.sizes)
    dy = _values(values, (walk.batch, *outputs, c_out), "dy" + walk.name)
    whole = values != "normal"
    if kind == "conv_backward":
        return Case(walk.name, {"dy": dy, "x": x, "w": w}, options, features, whole)
    bias = c_in if kind == "conv_transpose" else c_out
    b = {"b": _values("whole" if whole else "normal", (bias,), "b" + walk.name)} if walk.bias else {}
    features |= {"a bias"} if b else set()
    if kind != "conv_transpose":
        return Case(walk.name, {"x": x, "w": w, **b}, options, features, whole)
    if options.pop("rounding", "floor") == "ceil":
        # Without its way of rounding the same window reaches as far by padding.
        options["padding"] = reference.walk(walk.sizes, walk.window, walk.options).padding
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
        window = reference.walk(walk.sizes, walk.window, {"stride": None, **walk.options})
        if any(0 in axis for axis in window.seen(walk.sizes, ((0, 0),) * len(walk.sizes))):
            continue
        shape = (walk.batch, *walk.sizes, walk.channels[1])
        average = kind.startswith("avg")
        values = walk.values if walk.values in {"zeros", "ties"} else "normal" if walk.values == "normal" else "distinct"
        x = _values("whole" if average and values in {"distinct", "ties"} else values, shape, "x" + walk.name)
        dy = _values(
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
        x = _values(values, shape, "x" + name)
        features = {"more than one example"} if shape[0] > 1 else set()
        features |= {f"{len(shape) - 2} spatial axes"} if len(shape) != 4 else set()
        features |= {"ties"} if values in {"zeros", "ties"} and "max" in kind else set()
        dy = _values("normal" if values == "normal" else "whole", (shape[0], shape[-1]), "dy" + name)
        args = {"dy": dy, "x": x} if kind.endswith("backward") else {"x": x}
        found.append(Case(name, args, {}, frozenset(features), values != "normal" and "max" in kind))
    return tuple(found)


def dense_cases(kind: str) -> tuple[Case, ...]:
    """The cases of the fully connected layer."""
    found = []
    for name, batch, c_in, c_out, bias, values in (
        ("one number", (1,), 1, 1, False, "whole"),
        ("one example", (1,), 3, 2, True, "whole"),
        ("a square matrix", (2,), 3, 3, True, "whole"),
        ("more examples than inputs", (4,), 2, 3, False, "whole"),
        ("a layer at every pixel", (2, 3, 2), 4, 5, True, "whole"),
        ("zeros", (2,), 3, 2, True, "zeros"),
        ("any numbers", (5,), 7, 4, True, "normal"),
        ("one large layer", (16,), 200, 30, True, "normal"),
    ):
        x = _values(values, (*batch, c_in), "x" + name)
        w = _values("whole" if values == "zeros" else values, (c_in, c_out), "w" + name)
        dy = _values(values, (*batch, c_out), "dy" + name)
        b = {"b": _values("whole", (c_out,), "b" + name)} if bias else {}
        features = {"more than one example"} if batch != (1,) else set()
        features |= {"spatial axes before the channels"} if len(batch) > 1 else set()
        features |= {"a bias"} if b and kind == "dense" else set()
        args = {"dy": dy, "x": x, "w": w} if kind.endswith("backward") else {"x": x, "w": w, **b}
        found.append(Case(name, args, {}, frozenset(features), values != "normal"))
    return tuple(found)


def activation_cases(kind: str) -> tuple[Case, ...]:
    """The cases of the activations."""
    name = kind.removesuffix("_backward")
    parameter = {"leaky_relu": ("slope", 0.2), "elu": ("alpha", 0.5)}.get(name)
    signs = np.array([-2.0, -1.0, 1.0, 2.0, 3.0])
    found = []
    for title, x, options, features in (
        ("one number", np.array([[2.0]]), {}, set()),
        ("both signs", np.stack([signs, -signs / 4]), {}, {"negative numbers"}),
        ("zero among them", np.array([[-1.0, 0.0, -0.0, 1.0]]), {}, {"zeros"}),
        ("zeros", np.zeros((2, 3)), {}, {"zeros"}),
        ("any numbers", _values("normal", (3, 4, 2), title_seed := "x" + name), {}, {"more than two axes"}),
        ("large numbers", np.array([[-800.0, -40.0, -20.0, 20.0, 40.0, 800.0]]), {}, {"large numbers"}),
        ("another parameter", _values("normal", (4, 5), title_seed), dict([parameter] if parameter else []), {"a parameter"}),
    ):
        if title == "another parameter" and not parameter:
            continue
        values = "normal" if title in {"any numbers", "another parameter"} else "whole"
        dy = {"dy": _values(values, x.shape, "dy" + title)} if kind.endswith("backward") else {}
        found.append(Case(title, {**dy, "x": x}, options, frozenset(features), whole=False))
    return tuple(found)


def softmax_cases(kind: str) -> tuple[Case, ...]:
    """The cases of softmax, its logarithm and the cross-entropy."""
    entropy = kind.startswith("softmax_cross_entropy")
    found = []
    for title, x in (
        ("one class", np.array([[2.0]])),
        ("two classes", np.array([[0.0, 1.0]])),
        ("equal logits", np.zeros((2, 4))),
        ("any numbers", _values("normal", (5, 4), "softmax")),
        ("as many examples as classes", _values("normal", (3, 3), "softmax")),
        ("more axes", _values("normal", (2, 3, 4), "softmax")),
        ("logits of ±1000", np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1001.0, -1002.0]])),
    ):
        features = frozenset({title} if title not in {"any numbers", "two classes"} else set())
        shape = x.shape[:-1] if entropy else x.shape
        dy = {"dy": _values("whole", shape, "dy" + title)} if kind.endswith("backward") else {}
        rng = np.random.default_rng(x.size)
        numbers = {"labels": rng.integers(0, x.shape[-1], shape)}
        if not entropy:
            found.append(Case(title, {**dy, "x": x}, {}, features, whole=False))
            continue
        found.append(Case(title, {**dy, "logits": x, **numbers}, {}, features, whole=False))
        if title == "any numbers":
            soft = formulas.softmax(rng.normal(size=x.shape))
            found.append(Case("soft labels", {**dy, "logits": x, "labels": soft}, {}, features | {"soft labels"}, whole=False))
    return tuple(found)


def squared_cases(kind: str) -> tuple[Case, ...]:
    """The cases of the mean squared error."""
    found = []
    for title, shape, values in (
        ("one number", (1, 1), "whole"),
        ("two examples", (2, 3), "whole"),
        ("as many examples as outputs", (3, 3), "whole"),
        ("zeros", (2, 2), "zeros"),
        ("more axes", (2, 3, 4), "normal"),
        ("any numbers", (5, 7), "normal"),
    ):
        dy = {"dy": _values("whole", shape[:-1], "dy" + title)} if kind.endswith("backward") else {}
        prediction, target = (_values(values, shape, part + title) for part in ("prediction", "target"))
        features = frozenset({"more than one example"} if shape[0] > 1 else set())
        found.append(Case(title, {**dy, "prediction": prediction, "target": target}, {}, features, whole=False))
    return tuple(found)


__all__ = [
    "Case",
    "activation_cases",
    "conv_cases",
    "dense_cases",
    "formulas",
    "global_cases",
    "pool_cases",
    "softmax_cases",
    "squared_cases",
]
