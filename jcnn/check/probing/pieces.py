"""Conditions on the place or the value of a number, by which a formula may hold here and another there."""

import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.probing.formula import FUNCTIONS, call_values

Array = np.ndarray
Shape = tuple[int, ...]


SIZES = {
    "N": "N (examples)",
    "C": "C (the last axis)",
    "M": "M (all axes but the last)",
    "H": "H (rows)",
    "W": "W (columns)",
    "pieces": "the number of pieces",
}


class Piece(NamedTuple):
    """A condition on the numbers of an output.

    Attributes:
        text: what is so where it holds, to follow on "where".
        opposite: the same where it does not.
        cost: how far-fetched it is.
        holds: for a call and the output's shape, a mask or one truth for all; None where it makes no sense.
        whole: it is one truth for the call.
    """

    text: str
    opposite: str
    cost: float
    holds: Callable[[Case, Shape], Any]
    whole: bool = False


def pieces_of(kind: str) -> tuple[Piece, ...]:
    """The conditions that make sense for an operation."""
    names = ("x", "logits") if "softmax" in kind else ("x",)
    found = list(_of_calls(kind))
    found += _of_places(kind)
    for name in (*names, "dy"):
        found += _of_values(name)
    if "entropy" in kind:
        found += _of_labels()
    if kind in {"global_max_pool_backward", "maxout_backward"}:
        found.append(Piece("it is the maximum", "it is not the maximum", 1.2, _is_maximum))
    if "softmax" in kind:
        found.append(
            Piece("the logit is the largest of its example", "the logit is not the largest of its example", 2.5, _is_largest)
        )
    return tuple(found)


def _input(case: Case) -> Array:
    return next(case.args[name] for name in ("x", "logits", "prediction") if name in case.args)


def _of_calls(kind: str) -> Iterator[Piece]:
    def about(text: str, opposite: str, cost: float, test: Callable[[Case], bool]) -> Piece:
        return Piece(text, opposite, cost, lambda case, _: test(case), whole=True)

    yield about("there is more than one example", "there is one example", 2, lambda case: _input(case).shape[0] > 1)
    yield about("the last axis is longer than 1", "the last axis has length 1", 2, lambda case: _input(case).shape[-1] > 1)
    yield about("there is more than one row", "there is one row", 1.9, lambda case: _input(case)[..., 0].size > 1)
    yield about("some x is 0", "no x is 0", 2, lambda case: bool((_input(case) == 0).any()))
    for number, word in ((2, "two"), (3, "three"), (4, "four")):
        more, few = f"there are more than {word} axes", f"there are at most {word} axes"
        yield about(more, few, 2 + number / 10, lambda case, number=number: _input(case).ndim > number)
    sizes = ["N", "C", *(("H", "W") if "pool" in kind else ("M",)), *(["pieces"] if "maxout" in kind else [])]
    for place, one in enumerate(sizes):
        for other in sizes[place + 1 :]:

            def compared(case: Case, test: Callable[[Any, Any], bool], one: str = one, other: str = other) -> bool:
                values = call_values(case)
                return bool(test(values[one], values[other]))

            for sign, opposite, test in (
                ("=", "≠", operator.eq),
                (">", "≤", operator.gt),
                ("<", "≥", operator.lt),
            ):
                names = f"{SIZES[one]} {sign} {SIZES[other]}", f"{SIZES[one]} {opposite} {SIZES[other]}"
                yield about(*names, 2.6, lambda case, test=test, compared=compared: compared(case, test))
    if "entropy" in kind:
        yield about(
            "labels are distributions",
            "labels are class numbers",
            1.5,
            lambda case: case.args["labels"].shape == case.args["logits"].shape,
        )
    if "maxout" in kind:
        for number in (1, 2):
            yield about(
                f"there are more than {number} pieces",
                f"there are at most {number} pieces",
                2,
                lambda case, number=number: case.args["pieces"] > number,
            )
    for name in ("slope", "alpha"):
        yield about(f"{name} is given", f"{name} is not given", 2, lambda case, name=name: name in case.options)


def _of_places(kind: str) -> Iterator[Piece]:
    """First, last and even places along the axes; and in rows that are counted through."""
    # Rows counted through come first: with two axes they are the examples, with more only they hold in all.
    axes: list[tuple[str, Callable[[Shape, Array], tuple[Array, int]]]] = [
        ("example", _axis(0)),
        ("place along the last axis", _axis(-1)),
    ]
    if "softmax" in kind or "squared" in kind:
        axes.append(
            ("row (all axes but the last counted through)", _counted_rows(whole="entropy" in kind or "squared" in kind))
        )
    if "pool" in kind:
        axes += [("row", _axis(1, least=4)), ("column", _axis(-2, least=4)), ("pixel (rows counted through)", _counted_pixels)]
    for number, (noun, at) in enumerate(axes):
        for text, opposite, cost, test in (
            (f"it is the first {noun}", f"it is not the first {noun}", 1, lambda place, _: place == 0),
            (f"it is the last {noun}", f"it is not the last {noun}", 1, lambda place, size: place == size - 1),
            (f"{noun} is even", f"{noun} is odd", 1.5, lambda place, _: place % 2 == 0),
            (
                f"it is one of the first two of the {noun}s",
                f"it is none of the first two of the {noun}s",
                2,
                lambda place, _: place < 2,
            ),
        ):

            def holds(case: Case, shape: Shape, at: Any = at, test: Any = test) -> Any:
                found = at(shape, _input(case))
                return None if found is None else test(*found)

            yield Piece(text, opposite, cost + 0.1 * number, holds)


def _axis(axis: int, least: int = 1) -> Callable[[Shape, Array], Any]:
    def at(shape: Shape, _: Array) -> Any:
        if len(shape) < least:
            return None
        return np.indices(shape)[axis], shape[axis]

    return at


def _counted_rows(*, whole: bool) -> Callable[[Shape, Array], Any]:
    def at(shape: Shape, given: Array) -> Any:
        leading = shape if whole and len(shape) < given.ndim else shape[:-1]
        size = int(np.prod(leading))
        numbers = np.arange(size).reshape(leading)
        return np.broadcast_to(numbers if leading == shape else numbers[..., None], shape), size

    return at


def _counted_pixels(shape: Shape, _: Array) -> Any:
    inner = shape[1:-1]
    if not inner:
        return None
    size = int(np.prod(inner))
    return np.broadcast_to(np.arange(size).reshape(1, *inner, 1), shape), size


def _of_values(name: str) -> Iterator[Piece]:
    shown = name

    def compared(test: Callable[[Array], Array]) -> Callable[[Case, Shape], Any]:
        def holds(case: Case, shape: Shape) -> Any:
            value = case.args.get(name)
            return test(value) if value is not None and value.shape == shape else None

        return holds

    for bound in (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5):
        cost = 1 + (bound != 0) * 0.5 + (name == "dy") * 0.5
        text = f"{bound:g}".replace("-", "−")
        yield Piece(f"{shown} > {text}", f"{shown} ≤ {text}", cost, compared(lambda value, bound=bound: value > bound))
        yield Piece(f"{shown} ≥ {text}", f"{shown} < {text}", cost, compared(lambda value, bound=bound: value >= bound))
    yield Piece(f"{shown} = 0", f"{shown} ≠ 0", 1.2, compared(lambda value: value == 0))
    for bound in (1.0, 100.0, 300.0, 700.0):
        text = f"|{shown}| > {bound:g}"
        yield Piece(text, f"|{shown}| ≤ {bound:g}", 2, compared(lambda value, bound=bound: np.abs(value) > bound))
        yield Piece(f"{shown} > {bound:g}", f"{shown} ≤ {bound:g}", 2, compared(lambda value, bound=bound: value > bound))
        yield Piece(f"{shown} < −{bound:g}", f"{shown} ≥ −{bound:g}", 2, compared(lambda value, bound=bound: value < -bound))


def _of_labels() -> Iterator[Piece]:
    def at_label(case: Case, shape: Shape) -> Any:
        labels, logits = case.args["labels"], case.args["logits"]
        if shape != logits.shape or labels.shape == logits.shape:
            return None
        return np.arange(shape[-1]) == labels[..., None]

    yield Piece("it is the label's class", "it is another class than the label's", 1, at_label)


def _is_largest(case: Case, shape: Shape) -> Any:
    x = _input(case)
    return x == x.max(-1, keepdims=True) if x.shape == shape else None


def _is_maximum(case: Case, shape: Shape) -> Any:
    x = case.args["x"]
    if x.shape != shape:
        return None
    if "pieces" in case.args:
        return FUNCTIONS["ungrouped"](FUNCTIONS["first_max"](FUNCTIONS["groups"](x, case.args["pieces"]), "classes")) > 0
    return FUNCTIONS["first_max"](x, "pixels") > 0
