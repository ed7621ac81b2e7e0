"""The adversarial cases: small, so that a person can redo them, and each with something that usual tests leave out."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.combinations import INSTEAD, combined
from jcnn.check.geometries import GEOMETRIES, LARGE, Geometry
from jcnn.definition import sums
from jcnn.geometry import span, spatial_axes
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
        twin: the name of the case whose numbers these are, times a power of two; None where there is none.
    """

    name: str
    args: dict[str, Any]
    options: dict[str, Any]
    features: frozenset[str]
    whole: bool
    twin: str | None = None

    @property
    def size(self) -> int:
        """How many numbers go in."""
        return sum(np.size(value) for value in self.args.values())


def values_of(kind: str, shape: Sequence[int], name: str) -> Array:
    """Numbers of a kind, the same every time for the same name."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), *shape])
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "far below 0":
        return far_below_zero(rng.normal(size=shape))
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


def scaled(case: Case, *groups: Sequence[str]) -> list[Case]:
    """Twins of a case, times powers of two, after which every float keeps its digits.

    Args:
        case: with any numbers.
        *groups: names of arrays that are small, and large, together in twins of their own; in another all of them are tiny.
    """
    everything = [name for group in groups for name in group]
    if not everything:
        return []
    changes = [
        *((f"a large {' and '.join(group)}", LARGE, group) for group in groups),
        *((f"a small {' and '.join(group)}", -12, group) for group in groups),
        ("all tiny", -24, everything),
    ]
    made = []
    for title, exponent, changed in changes:
        scale = 2.0**exponent
        args = {name: value * scale if name in changed else value for name, value in case.args.items()}
        name, features = f"any numbers, {title}", case.features | {"small numbers" if exponent < 0 else "large numbers"}
        made.append(case._replace(name=name, args=args, features=features, twin=case.name))
    return made


def _features(geometry: Geometry) -> frozenset[str]:
    options, found = geometry.options, set()
    rank = len(geometry.sizes)
    window = parse_window(geometry.sizes, geometry.window, **{k: v for k, v in options.items() if k != "groups"})
    if any(s > 1 for s in window.stride):
        found.add("a stride above 1")
    if any((n + lo + hi - span(f, d)) % s for n, f, s, (lo, hi), d in zip(geometry.sizes, *window, strict=True)):
        found.add("a stride that leaves a rest")
    if any(s < f for f, s in zip(window.size, window.stride, strict=True)):
        found.add("windows that overlap")
    if any(lo or hi for lo, hi in window.padding):
        found.add("padding")
    if any(max(edges) > span(f, d) - 1 for f, edges, d in zip(window.size, window.padding, window.dilation, strict=True)):
        found.add("padding beyond the filter")
    if any(lo != hi for lo, hi in window.padding):
        found.add("asymmetric padding")
    if any(d > 1 for d in window.dilation):
        found.add("dilation")
    if len(set(window.size)) > 1:
        found.add("a filter that is not square")
    if geometry.channels[0] > 1:
        found.add("groups")
    elif geometry.channels[1:] != (1, 1):
        found.add("more than one channel")
    if geometry.batch > 1:
        found.add("more than one example")
    if rank != 2:
        found.add(spatial_axes(rank))
    if options.get("rounding") == "ceil":
        found.add('rounding="ceil"')
    if isinstance(options.get("padding"), str):
        found.add("padding given by name")
    if isinstance(options.get("stride"), tuple):
        found.add("a stride of its own for every axis")
    if geometry.values == "normal":
        found.add("numbers that are not whole")
    if geometry.twin:
        found.add("small numbers" if geometry.scale < 1 else "large numbers")
    return frozenset(found)


def conv_cases(kind: str) -> tuple[Case, ...]:
    """The cases of conv, convolve, conv_transpose and conv_backward; of what has options of its own with these."""
    made_of = {"conv_backward": {"dy", "x", "w"}, "conv_transpose": {"dy", "w"}}.get(kind, {"x", "w"})
    together = combined(kind if kind in INSTEAD else "conv")
    return tuple(_conv_case(kind, geometry) for geometry in (*GEOMETRIES, *together) if _differs(geometry, made_of))


def _differs(geometry: Geometry, made_of: set[str]) -> bool:
    """Whether any number of a twin is another one."""
    return geometry.twin is None or not made_of.isdisjoint(geometry.scaled)


def _conv_case(kind: str, geometry: Geometry) -> Case:
    groups, c_in, c_out = geometry.channels
    options = dict(geometry.options)
    if options.get("stride") == 1:
        del options["stride"]
    features = _features(geometry)
    values = "whole" if geometry.values == "ties" else geometry.values
    x = _drawn(geometry, "x", values, (geometry.batch, *geometry.sizes, c_in))
    w = _drawn(geometry, "w", "whole" if values == "zeros" else values, (*geometry.window, c_in // groups, c_out))
    outputs = sums.walk(geometry.sizes, geometry.window, options).output_shape(geometry.sizes)
    dy = _drawn(geometry, "dy", values, (geometry.batch, *outputs, c_out))
    whole = values != "normal"
    name, twin = geometry.name, geometry.twin
    if kind == "conv_backward":
        return Case(name, {"dy": dy, "x": x, "w": w}, options, features, whole, twin)
    bias = c_in if kind == "conv_transpose" else c_out
    b = {"b": _drawn(geometry, "b", "whole" if whole else "normal", (bias,))} if geometry.bias else {}
    features |= {"a bias"} if b else set()
    if kind != "conv_transpose":
        return Case(name, {"x": x, "w": w, **b}, options, features, whole, twin)
    if options.pop("rounding", "floor") == "ceil":
        # Without its way of rounding the same window reaches as far by padding.
        options["padding"] = sums.walk(geometry.sizes, geometry.window, geometry.options).padding
        features -= {'rounding="ceil"'}
    asked = {"output_size": geometry.sizes}
    if sums.conv_transpose(dy, w, **options).shape[1:-1] == geometry.sizes:
        asked = {}
    else:
        features |= {"output_size"}
    return Case(name, {"y": dy, "w": w, **b}, {**options, **asked}, features, whole, twin)


def _drawn(geometry: Geometry, part: str, values: str, shape: Sequence[int]) -> Array:
    """The numbers of an argument, which are those of the twin if there is one."""
    scale = geometry.scale if part in geometry.scaled else 1.0
    return scale * values_of(values, shape, part + (geometry.twin or geometry.name))


def far_below_zero(x: Array) -> Array:
    """Numbers near −2²⁴, with all their digits: there no maximum may start at or be padded with, say, −1e6."""
    return (x - 8.0) * 2.0**21


_FAR_BELOW_ZERO = {
    "any numbers, padding 1 of a 2×2 filter",
    "any numbers, one axis, padding 2",
    "any numbers, a square filter on a square image",
}


def pool_cases(kind: str) -> tuple[Case, ...]:
    """The cases of pooling and its backward: windows that all see the input, maxima alone except where they shall tie."""
    return tuple(_pool_cases(kind))


def _pool_cases(kind: str) -> Iterator[Case]:
    for geometry in (*GEOMETRIES, *combined("pool")):
        if "groups" in geometry.options or not _differs(geometry, {"dy", "x"} if kind.endswith("backward") else {"x"}):
            continue
        window = sums.walk(geometry.sizes, geometry.window, {"stride": None, **geometry.options})
        if any(0 in axis for axis in window.seen(geometry.sizes, ((0, 0),) * len(geometry.sizes))):
            continue
        shape = (geometry.batch, *geometry.sizes, geometry.channels[1])
        average = kind.startswith("avg")
        values = geometry.values if geometry.values in {"zeros", "ties", "normal"} else "distinct"
        x = _drawn(geometry, "x", "whole" if average and values in {"distinct", "ties"} else values, shape)
        if values == "normal" and not average and "padding" in geometry.options:
            x = x - 1.5  # so that zeros would win wherever they were taken for pixels
        dy = _drawn(
            geometry,
            "dy",
            "normal" if values == "normal" else "whole",
            (geometry.batch, *window.output_shape(geometry.sizes), shape[-1]),
        )
        features = _features(geometry) | ({"ties"} if values in {"zeros", "ties"} and not average else set())
        size = geometry.window[0] if len(set(geometry.window)) == 1 else geometry.window
        gradient = {"dy": dy} if kind.endswith("backward") else {}
        args = {**gradient, "x": x, "window": size}
        exact = values != "normal" and not average
        yield Case(geometry.name, args, dict(geometry.options), features, exact, geometry.twin)
        if not average and geometry.name in _FAR_BELOW_ZERO:
            name, below = f"{geometry.name}, far below 0", {**args, "x": far_below_zero(x)}
            yield Case(name, below, dict(geometry.options), features | {"large numbers"}, exact)
        if average and "padding" in features:
            counted = {**geometry.options, "count_padding": True}
            yield Case(f"{geometry.name}, counted", args, counted, features | {"count_padding"}, exact, geometry.twin)


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
        ("any numbers, one axis", (3, 5, 4), "normal"),
        ("any numbers, a tall map", (2, 5, 3, 4), "normal"),
        ("any numbers, square maps", (3, 3, 3, 3), "normal"),
        ("any numbers, one example", (1, 2, 4, 2), "normal"),
        ("far below 0", (2, 3, 4, 3), "far below 0"),
        ("one large map", (2, 17, 19, 4), "normal"),
    ):
        x = values_of(values, shape, "x" + name)
        normal = values in {"normal", "far below 0"}
        features = {"more than one example"} if shape[0] > 1 else set()
        features |= {spatial_axes(len(shape) - 2)} if len(shape) != 4 else set()
        features |= {"ties"} if values in {"zeros", "ties"} and "max" in kind else set()
        features |= {"numbers that are not whole"} if normal else set()
        features |= {"large numbers"} if values == "far below 0" else set()
        dy = values_of("normal" if normal else "whole", (shape[0], shape[-1]), "dy" + name)
        args = {"dy": dy, "x": x} if kind.endswith("backward") else {"x": x}
        found.append(Case(name, args, {}, frozenset(features), not normal and "max" in kind))
        if name == "any numbers, a tall map":
            found += scaled(found[-1], *([name] for name in args))
    return tuple(found)
