"""The adversarial cases of normalisation, dropout and enlarging."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jcnn.check.cases.case import NO_PIXELS, Case, scaled, values_of
from jcnn.geometry import spatial_axes

_FAR = 2.0**12

FAR_FROM_ZERO = "numbers far from 0"
"""A feature: beside their mean the differences between numbers are small."""


# Who writes for images takes axes by their numbers, and would not notice that there are more or fewer.
_OF_OTHER_RANKS: tuple[tuple[str, tuple[int, ...], dict[str, Any]], ...] = (
    (NO_PIXELS, (6, 3), {}),
    ("one axis", (3, 5, 2), {}),
    ("three axes", (2, 2, 3, 2, 2), {}),
)


def batch_cases(*, backward: bool, own: bool = False) -> tuple[Case, ...]:
    """The cases of batch normalisation by the batch's own statistics; of our `own` those of other ranks than images have."""
    return tuple(
        _cases(
            backward,
            *(_OF_OTHER_RANKS if own else ()),
            ("two values", (2, 1, 1, 1), {}),
            ("2×2 pixels", (1, 2, 2, 1), {}),
            ("one example", (1, 3, 4, 2), {}),
            *_OF_ALL,
            ("as many examples as channels", (3, 2, 2, 3), {}),
            ("many examples", (33, 2, 2, 3), {}),
        )
    )


def layer_cases(*, backward: bool, own: bool = False) -> tuple[Case, ...]:
    """The cases of layer normalisation, as `batch_cases`."""
    return tuple(
        _cases(
            backward,
            *(_OF_OTHER_RANKS if own else ()),
            ("two values", (1, 1, 1, 2), {}),
            ("one example", (1, 3, 4, 2), {}),
            *_OF_ALL,
            ("as many examples as channels", (3, 2, 2, 3), {}),
            ("many channels", (2, 2, 3, 33), {}),
            ("whole examples", (3, 2, 4, 3), {"axes": "all"}),
            ("whole examples of small numbers", (2, 3, 2, 4), {"axes": "all"}),
        )
    )


def group_cases(*, backward: bool, own: bool = False) -> tuple[Case, ...]:
    """The cases of group normalisation, as `batch_cases`."""
    of_all = (
        (name, (*shape[:-1], 2 * shape[-1]), {"groups": 3 if shape[-1] == 3 else 2, **options})
        for name, shape, options in (*_OF_ALL, *(_OF_OTHER_RANKS[1:] if own else ()))
    )
    return tuple(
        _cases(
            backward,
            ("two values", (1, 1, 1, 4), {"groups": 2}),
            ("one group", (2, 3, 4, 3), {"groups": 1}),
            ("as many groups as channels", (2, 3, 4, 3), {"groups": 3}),
            *of_all,
            ("as many groups as channels in each", (3, 2, 2, 9), {"groups": 3}),
            ("many channels", (2, 2, 3, 32), {"groups": 4}),
        )
    )


def evaluation_cases(*, backward: bool, own: bool = False) -> tuple[Case, ...]:
    """The cases of batch normalisation by statistics that are given, as `batch_cases`."""
    found = []
    few = (("one number", (1, 1, 1, 1), {}), ("one example", (1, 3, 4, 2), {}))
    for case in _cases(backward, *few, *_OF_ALL, *(_OF_OTHER_RANKS if own else ())):
        channels = case.args["x"].shape[-1]
        name = case.twin or case.name
        mean, variance = values_of("normal", (channels,), "mean" + name), values_of("normal", (channels,), "variance" + name)
        variance = 0.5 + variance**2
        if "a constant channel" in case.features:
            variance[0] = 0.0
        if FAR_FROM_ZERO in case.features:
            mean = mean + _FAR
        if "small numbers" in case.features and case.twin is None:
            mean, variance = mean * _SMALL, variance * _SMALL**2
        found.append(case._replace(args={**case.args, "mean": mean, "variance": variance}))
    return tuple(found)


_SMALL = 2.0**-9

_OF_ALL: tuple[tuple[str, tuple[int, ...], dict[str, Any]], ...] = (
    ("maps that are not square", (2, 3, 4, 3), {}),
    ("a constant channel", (2, 3, 2, 3), {}),
    ("all numbers alike", (2, 2, 3, 2), {}),
    ("another epsilon", (2, 3, 4, 3), {"epsilon": 0.25}),
    ("small numbers", (3, 2, 4, 3), {}),
    (FAR_FROM_ZERO, (2, 4, 3, 3), {}),
    ("scales of both signs and 0", (2, 3, 3, 3), {}),
    ("one large map", (2, 17, 19, 3), {}),
    ("many numbers", (4, 3, 5, 3), {}),
    ("any numbers", (2, 2, 3, 3), {}),
)


def _cases(backward: bool, *described: tuple[str, tuple[int, ...], dict[str, Any]]) -> Iterator[Case]:
    for name, shape, options in described:
        x = values_of("normal", shape, "x" + name)
        scale, offset = (
            1 + values_of("normal", shape[-1:], "scale" + name) / 2,
            values_of("normal", shape[-1:], "offset" + name),
        )
        features = {"more than one example"} if shape[0] > 1 else set()
        if len(shape) != 4:
            features.add(NO_PIXELS if len(shape) == 2 else spatial_axes(len(shape) - 2))
        features |= {f"another {option}" for option in options if option in {"axes", "epsilon"}}
        if name == "a constant channel":
            x[..., 0] = 2.0
        elif name == "all numbers alike":
            x = np.full(shape, 0.75)
        elif "small numbers" in name:
            x = x * _SMALL
            features.add("small numbers")
        elif name == "scales of both signs and 0":
            scale[:3] = (-1.5, 0.0, 2.0)
        if name in {"a constant channel", "all numbers alike", FAR_FROM_ZERO}:
            features.add(name)
            x = x + _FAR * (name == FAR_FROM_ZERO)
        dy = {"dy": values_of("normal", shape, "dy" + name)} if backward else {}
        case = Case(name, {**dy, "x": x, "scale": scale, "offset": offset}, options, frozenset(features), whole=False)
        yield case
        if name == "any numbers":
            yield from scaled(case, ["dy"] if backward else ["scale", "offset"])


def dropout_cases(*, backward: bool) -> tuple[Case, ...]:
    """The cases of dropout: keys, rates, shapes; whole maps too."""
    found = []
    for number, (name, shape, options) in enumerate(
        (
            ("half of a row", (1, 8), {"rate": 0.5}),
            ("a rate of 0", (2, 3), {"rate": 0.0}),
            ("a quarter", (4, 5), {"rate": 0.25}),
            ("most", (5, 6), {"rate": 0.875}),
            ("as many examples as numbers", (4, 4), {"rate": 0.5}),
            ("images", (2, 3, 4, 3), {"rate": 0.3}),
            ("whole maps", (3, 2, 4, 3), {"rate": 0.5, "spatial": True}),
            ("whole maps along one axis", (3, 5, 4), {"rate": 0.3, "spatial": True}),
            ("any numbers", (9, 7), {"rate": 0.3}),
        )
    ):
        x = values_of("normal", shape, "x" + name)
        dy = {"dy": values_of("normal", shape, "dy" + name)} if backward else {}
        key = np.array([0, 100 + number], np.uint32)
        features = {"more than one example"} if shape[0] > 1 else set()
        features |= {"spatial axes before the channels"} if len(shape) > 2 else set()
        features |= {"whole maps"} if "spatial" in options else set()
        found.append(Case(name, {**dy, "x": x, "key": key}, options, frozenset(features), whole=False))
    return (*found, *scaled(found[-1], *([name] for name in (["dy"] if backward else ["x"]))))


def upsample_cases(*, backward: bool) -> tuple[Case, ...]:
    """The cases of enlarging maps: whole factors of one and of each axis, by the nearest pixel and by lines."""
    found = []
    for name, shape, factor, options, values in (
        ("a single pixel", (1, 1, 1, 1), 2, {}, "whole"),
        ("2×2 pixels", (1, 2, 2, 1), 2, {}, "whole"),
        ("a factor of 1", (1, 2, 3, 2), 1, {}, "whole"),
        ("a factor of 3", (2, 2, 3, 1), 3, {}, "whole"),
        ("maps that are not square", (2, 3, 4, 2), 2, {}, "normal"),
        ("a factor of its own for every axis", (2, 2, 3, 2), (3, 2), {}, "normal"),
        ("one axis", (2, 4, 2), 2, {}, "normal"),
        ("three axes", (1, 2, 3, 2, 2), 2, {}, "normal"),
        ("by lines", (2, 3, 4, 2), 2, {"method": "linear"}, "normal"),
        ("by lines, a single pixel", (2, 1, 1, 2), 2, {"method": "linear"}, "normal"),
        ("by lines, a factor of 3", (1, 4, 3, 2), 3, {"method": "linear"}, "normal"),
        ("by lines, a factor of its own for every axis", (2, 3, 2, 1), (1, 4), {"method": "linear"}, "normal"),
        ("by lines, one axis", (2, 5, 2), 4, {"method": "linear"}, "normal"),
        ("any numbers", (3, 3, 4, 2), 2, {}, "normal"),
    ):
        x = values_of(values, shape, "x" + name)
        factors = (factor,) * (len(shape) - 2) if isinstance(factor, int) else factor
        output = (shape[0], *(n * a for n, a in zip(shape[1:-1], factors, strict=True)), shape[-1])
        dy = {"dy": values_of(values, output, "dy" + name)} if backward else {}
        features = {"more than one example"} if shape[0] > 1 else set()
        features |= {spatial_axes(len(shape) - 2)} if len(shape) != 4 else set()
        features |= {"lines between pixels"} if options else set()
        args = {**dy, "x": x, "factor": factor}
        found.append(Case(name, args, options, frozenset(features), values == "whole"))
    return (*found, *scaled(found[-1], *([name] for name in (["dy"] if backward else ["x"]))))
