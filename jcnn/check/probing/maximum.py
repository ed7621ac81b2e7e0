"""A forward maximum that does not begin at −∞: but at a number, a pixel elsewhere, or the maximum of the window before."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from jcnn.check.operations import kind_of
from jcnn.check.outcome import call
from jcnn.check.probing.collect import Answer, Calls
from jcnn.check.probing.expressions import sizes_along
from jcnn.check.probing.geometries import GEOMETRIES, UNPADDED, Geometry
from jcnn.check.probing.plans import Plan

Array = np.ndarray

_MANY = 8
"""So many calls that a candidate takes are enough."""

_FEWEST = 6

_FAR = 1e6


class _Seen(NamedTuple):
    """A call, what came, and what is right."""

    geometry: Geometry
    x: Array
    got: Array
    right: Array


class _Start(NamedTuple):
    """Where a maximum begins that is right apart from that."""

    text: str
    value: Callable[[_Seen], Array | None]


def explain_start(kind: str, answer: Answer, plan: Plan) -> str | None:
    """A sentence on a maximum that something else than the pixels of its window takes part in; None where there is none.

    Args:
        kind: the operation.
        answer: what the candidate does with a case.
        plan: how it is probed.
    """
    seen = _asked(kind, answer, plan)
    if len(seen) < _FEWEST or all(np.array_equal(one.got, one.right) for one in seen):
        return None
    for start in (*_numbers(seen), *_PLACES, *_RUNNING):
        values = [start.value(one) for one in seen]
        if all(value is not None and np.array_equal(one.got, value) for one, value in zip(seen, values, strict=True)):
            return start.text
    return None


def _asked(kind: str, answer: Answer, plan: Plan) -> list[_Seen]:
    """Pixels of both signs, of one, and far below 0; none where a shape is wrong or an exception comes."""
    known = kind_of(kind)
    found: list[_Seen] = []
    for geometry in (*GEOMETRIES, *UNPADDED):
        if any(p >= f for p, f in zip(geometry.paddings, geometry.window, strict=True)) or len(found) >= 3 * _MANY:
            continue
        calls = Calls(kind, plan, geometry._replace(outputs=geometry.inputs))
        pixels = calls.values["x"]
        for x in (pixels, -np.abs(pixels), pixels - _FAR):
            calls.values["x"] = x
            case = calls.case(None)
            outcome, right = answer(case), call(known.reference, known, case).leaves[0]
            if outcome.declined is not None or outcome.raised or not outcome.leaves:
                break
            got = outcome.leaves[0]
            if got is None or right is None or got.shape != right.shape:
                return []
            found.append(_Seen(geometry, x, got, right))
    return found


def _numbers(seen: list[_Seen]) -> Iterator[_Start]:
    """The number that wins where all pixels are far below 0."""
    far = [one.got[one.got > one.right] for one in seen if one.x.max() < -_FAR / 2]
    values = np.concatenate(far) if far else np.zeros(0)
    if not values.size or np.ptp(values):
        return
    number = float(values[0])
    shown = f"{number:.6g}".replace("-", "−")
    yield _Start(
        f"the maximum starts at {shown}, not at −∞ or the window's first pixel: where all pixels of a window are below {shown} "
        f"it gives {shown}",
        lambda one: np.maximum(one.right, number),
    )
    yield _Start(
        f"the padding is {shown} and takes part in the maximum: where a window reaches over the border and its pixels are "
        f"below {shown} it gives {shown}; a maximum is padded with −∞",
        lambda one: np.where(_hangs_over(one), np.maximum(one.right, number), one.right),
    )


def _hangs_over(one: _Seen) -> Array:
    """Of every output whether its window reaches over the border."""
    over = []
    for axis, count in enumerate(one.got.shape[1:3]):
        sizes = sizes_along(one.geometry, axis)
        first = sizes["S"] * np.arange(count) - sizes["P"]
        over.append((first < 0) | (first + sizes["F"] > sizes["H"]))
    return (over[0][:, None] | over[1])[None, :, :, None]


def _at(place: Callable[[Geometry, Array, Array], tuple[Array, Array]]) -> Callable[[_Seen], Array | None]:
    """The maximum of the window and of the pixel at a place that follows from the output's."""

    def value(one: _Seen) -> Array | None:
        places = np.indices(one.got.shape[1:3])
        rows, columns = place(one.geometry, places[0], places[1])
        if rows.max() >= one.x.shape[1] or columns.max() >= one.x.shape[2]:
            return None
        return np.maximum(one.right, one.x[:, rows, columns])

    return value


_PLACES = (
    _Start(
        "the maximum starts at the first pixel of the image, x[n, 0, 0, c], in place of the window's",
        _at(lambda _, i, j: (0 * i, 0 * j)),
    ),
    _Start("the maximum starts at pixel (i, j) of the image, in place of the first of the window", _at(lambda _, i, j: (i, j))),
    _Start(
        "the maximum starts at pixel (S·i, S·j) of the image, without the padding, in place of the first of the window",
        _at(lambda geometry, i, j: (geometry.strides[0] * i, geometry.strides[1] * j)),
    ),
    _Start("the maximum starts at the very first pixel x[0, 0, 0, 0]", lambda one: np.maximum(one.right, one.x[0, 0, 0, 0])),
)

_NAMES = ("example", "output row", "output column", "channel")


def _kept(order: tuple[int, ...], inner: int) -> Callable[[_Seen], Array]:
    """The maximum of all windows so far, in the loops of that order, of which the innermost begin anew in each round."""

    def value(one: _Seen) -> Array:
        turned = one.right.transpose(order)
        outer = turned.shape[: len(order) - inner]
        running = np.maximum.accumulate(turned.reshape(*outer, -1), axis=-1)
        return running.reshape(turned.shape).transpose(np.argsort(order))

    return value


_RUNNING = tuple(
    _Start(
        "the running maximum is not set back for each window: what the windows before it had still counts, in the order "
        f"({', '.join(_NAMES[axis] for axis in order[len(order) - inner :])})",
        _kept(order, inner),
    )
    for inner in (1, 2, 3, 4)
    for order in itertools.permutations(range(4))
)
