"""The adversarial cases of what moves a window: small enough to redo by hand, each with what usual tests leave out."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jcnn.check.cases.case import Case, far_below_zero, of_integers, scaled, values_of
from jcnn.check.cases.combinations import INSTEAD, combined
from jcnn.check.cases.geometries import GEOMETRIES, Geometry
from jcnn.definition import sums
from jcnn.geometry import span, spatial_axes
from jcnn.window import Window, parse_window

Array = np.ndarray


def _overlap(window: Window, sizes: tuple[int, ...]) -> bool:
    """Whether there is a pixel that several windows see, with a tap each."""
    for size, f, stride, (before, _), dilation, count in zip(sizes, *window, window.output_shape(sizes), strict=True):
        pixels = stride * np.arange(count)[:, None] + dilation * np.arange(f) - before
        seen = np.bincount(pixels[(pixels >= 0) & (pixels < size)], minlength=1)
        if seen.max() > 1:
            return True
    return False


_MANY = 7


def _lines(sizes: tuple[int, ...]) -> list[str]:
    """Whether an image or a filter is a row or a column."""
    return [name for name, size in zip(("row", "column"), sizes, strict=True) if size == 1 and max(sizes) > 1]


def _features(geometry: Geometry) -> frozenset[str]:
    options, found = geometry.options, set()
    rank = len(geometry.sizes)
    window = parse_window(geometry.sizes, geometry.window, **{k: v for k, v in options.items() if k != "groups"})
    if any(s > 1 for s in window.stride):
        found.add("a stride above 1")
    if any((n + lo + hi - span(f, d)) % s for n, f, s, (lo, hi), d in zip(geometry.sizes, *window, strict=True)):
        found.add("a stride that leaves a rest")
    if _overlap(window, geometry.sizes):
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
    if rank == 2:
        found |= {f"a filter of one {name}" for name in _lines(window.size)}
        found |= {f"an image of one {name}" for name in _lines(geometry.sizes)}
    if any(s > f for s, f in zip(window.stride, window.size, strict=True)):
        found.add("a stride larger than the filter")
    if max(geometry.channels[1:]) > _MANY:
        found.add("many channels")
    if geometry.batch > _MANY:
        found.add("many examples")
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


def conv_cases(*, backward: bool) -> tuple[Case, ...]:
    """The cases of a convolution."""
    if backward:
        return _convolution_cases("conv_backward")
    cases = list(_convolution_cases("conv"))
    place = next(number for number, case in enumerate(cases) if case.name == "any numbers, one square example")
    cases.insert(place + 1, of_integers(cases[place]))
    return tuple(cases)


def _convolution_cases(kind: str) -> tuple[Case, ...]:
    """The cases of "conv" and "conv_backward", and those of which the relatives' cases are made."""
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


_FAR_BELOW_ZERO = {
    "any numbers, padding 1 of a 2×2 filter",
    "any numbers, one axis, padding 2",
    "any numbers, a square filter on a square image",
}


def pool_cases(*, average: bool, backward: bool) -> tuple[Case, ...]:
    """The cases of pooling and its backward: windows that all see the input, maxima alone except where they shall tie."""
    return tuple(_pool_cases(average=average, backward=backward))


def _pool_cases(*, average: bool, backward: bool) -> Iterator[Case]:
    for geometry in (*GEOMETRIES, *combined("pool")):
        if "groups" in geometry.options or not _differs(geometry, {"dy", "x"} if backward else {"x"}):
            continue
        window = sums.walk(geometry.sizes, geometry.window, {"stride": None, **geometry.options})
        if any(0 in axis for axis in window.seen(geometry.sizes, ((0, 0),) * len(geometry.sizes))):
            continue
        shape = (geometry.batch, *geometry.sizes, geometry.channels[1])
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
        gradient = {"dy": dy} if backward else {}
        args = {**gradient, "x": x, "window": size}
        exact = values != "normal" and not average
        yield Case(geometry.name, args, dict(geometry.options), features, exact, geometry.twin)
        if average and not backward and geometry.name == "windows that overlap":
            yield of_integers(Case(geometry.name, args, dict(geometry.options), features, exact))
        if not average and geometry.name in _FAR_BELOW_ZERO:
            name, below = f"{geometry.name}, far below 0", {**args, "x": far_below_zero(x)}
            yield Case(name, below, dict(geometry.options), features | {"large numbers"}, exact)
        if average and "padding" in features:
            counted = {**geometry.options, "count_padding": True}
            yield Case(f"{geometry.name}, counted", args, counted, features | {"count_padding"}, exact, geometry.twin)


def conv_transpose_cases(*, backward: bool) -> tuple[Case, ...]:
    """The cases of the convolution's adjoint; of its backward the output gradient's shape says which `output_size` it was."""
    forward = _convolution_cases("conv_transpose")
    if not backward:
        return forward
    found = []
    for case in forward:
        if case.twin:
            continue
        shape = sums.conv_transpose(*case.args.values(), **case.options).shape
        dx = values_of("whole" if case.whole else "normal", shape, "dx" + case.name)
        options = {name: value for name, value in case.options.items() if name not in sums.SIZE_OPTIONS}
        args = {"dx": dx, "y": case.args["y"], "w": case.args["w"]}
        found.append(Case(case.name, args, options, case.features - {"output_size", "a bias"}, case.whole))
    return (*found, *_twins(found))


def locally_connected_cases(*, backward: bool) -> tuple[Case, ...]:
    """The cases of `conv` without groups and ways of rounding, with filters and biases of its own for every position."""
    found = []
    for case in _convolution_cases("locally_connected"):
        if case.twin or {"groups", "rounding"} & set(case.options):
            continue
        values = "whole" if case.whole else "normal"
        x, shared = case.args["x"], case.args["w"]
        outputs = sums.walk(x.shape[1:-1], shared.shape[:-2], case.options).output_shape(x.shape[1:-1])
        w = values_of(values, (*outputs, *shared.shape), "w" + case.name)
        args: dict[str, Any] = {"x": x, "w": w}
        if backward:
            dy = values_of(values, (len(x), *outputs, shared.shape[-1]), "dy" + case.name)
            found.append(Case(case.name, {"dy": dy, **args}, case.options, case.features - {"a bias"}, case.whole))
            continue
        if "b" in case.args:
            args["b"] = values_of(values, (*outputs, shared.shape[-1]), "b" + case.name)
        found.append(Case(case.name, args, case.options, case.features, case.whole))
    return (*found, *_twins(found))


def _twins(found: Sequence[Case]) -> list[Case]:
    """Those of a case that every candidate takes."""
    plain = next(case for case in found if case.name == "any numbers, one square example")
    return scaled(plain, *([name] for name in plain.args))
