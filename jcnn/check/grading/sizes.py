"""Which sizes a call had, in words, and which formula gives the wrong number of rows and columns that came out of it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jcnn import geometry
from jcnn.check.cases import Case
from jcnn.check.grading.symptoms import Seen

_LEAST = 2
"""A formula has to give the wrong sizes of so many calls."""


class Axis(NamedTuple):
    """Sizes along one axis: pixels, taps, stride, padding before and behind, dilation; and whether the stride is not given."""

    h: int
    f: int
    s: int
    lo: int
    hi: int
    d: int
    by_default: bool

    def outputs(self, *, reach: int | None = None, padding: int | None = None, stride: int = 0) -> int:
        """How many outputs there are, with another reach of the filter, padding on both sides together or stride."""
        reach = geometry.span(self.f, self.d) if reach is None else reach
        padding = self.lo + self.hi if padding is None else padding
        return (self.h + padding - reach) // (stride or self.s) + 1


_FORMULAS: tuple[tuple[str, Callable[[Axis], int]], ...] = (
    (
        "a filter with dilation D is taken to reach over D·F pixels, and D·(F − 1) + 1 is right",
        lambda axis: axis.outputs(reach=axis.d * axis.f if axis.d > 1 else axis.f),
    ),
    (
        "a filter with dilation D is taken to reach over D·F − 1 pixels, and D·(F − 1) + 1 is right",
        lambda axis: axis.outputs(reach=axis.d * axis.f - 1 if axis.d > 1 else axis.f),
    ),
    (
        "a filter with dilation D is taken to reach over D·(F − 1) pixels, and D·(F − 1) + 1 is right",
        lambda axis: axis.outputs(reach=axis.d * (axis.f - 1) if axis.d > 1 else axis.f),
    ),
    (
        "a filter with dilation D is taken to reach over F + D pixels, and D·(F − 1) + 1 is right",
        lambda axis: axis.outputs(reach=axis.f + axis.d if axis.d > 1 else axis.f),
    ),
    (
        "a filter with dilation D is taken to reach over F pixels, and D·(F − 1) + 1 is right",
        lambda axis: axis.outputs(reach=axis.f),
    ),
    (
        "where no stride is given the window moves by 1, and it is to move by its own size",
        lambda axis: axis.outputs(stride=1 if axis.by_default else axis.s),
    ),
    (
        "where no stride is given the window moves by 2, and it is to move by its own size",
        lambda axis: axis.outputs(stride=2 if axis.by_default else axis.s),
    ),
    ("the padding is counted once, and it is on both sides", lambda axis: axis.outputs(padding=max(axis.lo, axis.hi))),
    (
        'a padding that is not 0 is taken for "same", ⌈H/S⌉ outputs whatever its number',
        lambda axis: -(-axis.h // axis.s) if axis.lo or axis.hi else axis.outputs(),
    ),
)
"""Mistakes in the number of outputs, and what it is with them."""


def sizes_of(case: Case) -> str:
    """The sizes of a call that moves a window, in words; "" for any other."""
    axes = _axes(case)
    if axes is None:
        return ""
    across = "×".join(str(axis.h) for axis in axes)
    window = "×".join(str(axis.f) for axis in axes)
    parts = [f"{across} pixels", f"window {window}", f"S = {_one([axis.s for axis in axes])}"]
    parts.append(f"P = {_one([axis.lo if axis.lo == axis.hi else (axis.lo, axis.hi) for axis in axes])}")
    if any(axis.d > 1 for axis in axes):
        parts.append(f"D = {_one([axis.d for axis in axes])}")
    return ", ".join(parts)


def explain_sizes(leaf: str, seen: Sequence[Seen]) -> str:
    """Which mistake gives the wrong sizes of all calls, in a sentence; "" where none of those that are known does.

    Args:
        leaf: the output, with a row or column for each position of the window.
        seen: what came of the cases.
    """
    wrong, all_axes = [], []
    for one in seen:
        axes = _axes(one.case)
        got = one.outcome.leaves[0] if one.outcome.leaves else None
        right = one.expected[0].value
        if axes is None or right.ndim != len(axes) + 2 or one.case.options.get("rounding", "floor") != "floor":
            continue
        sizes = got.shape[1:-1] if got is not None and got.ndim == right.ndim else None
        if sizes is None and not one.outcome.raised:
            return ""
        all_axes.append((axes, sizes))
        if sizes is not None and sizes != right.shape[1:-1]:
            wrong.append((one.case, got, right))
    if len(wrong) < _LEAST:
        return ""
    for text, formula in _FORMULAS:
        # Where it raises the formula may have any value: an array of less than no rows is why.
        if all(sizes is None or sizes == tuple(max(formula(axis), 0) for axis in axes) for axes, sizes in all_axes):
            case, got, right = wrong[0]
            return (
                f"{leaf}: its size is wrong, as {text}: {leaf} has shape {got.shape} where {right.shape} is right "
                f"({sizes_of(case)})."
            )
    return ""


def _axes(case: Case) -> tuple[Axis, ...] | None:
    """The sizes along each spatial axis; None where no window moves, or what is given is no number of pixels."""
    x, w = case.args.get("x"), case.args.get("w")
    if not isinstance(x, np.ndarray) or not ("window" in case.args or isinstance(w, np.ndarray)):
        return None
    rank = x.ndim - 2
    size = case.args.get("window", w.shape[:rank] if isinstance(w, np.ndarray) else ())
    options = case.options
    if rank < 1 or isinstance(options.get("padding"), str) or (isinstance(w, np.ndarray) and w.ndim != rank + 2):
        return None
    window = geometry.per_axis("window", size, rank)
    by_default = "window" in case.args and "stride" not in options
    stride = window if by_default else geometry.per_axis("stride", options.get("stride", 1), rank)
    padding = geometry.padding_per_axis(options.get("padding", 0), rank)
    dilation = geometry.per_axis("dilation", options.get("dilation", 1), rank)
    both = [(entry, entry) if isinstance(entry, int) else entry for entry in padding]
    sides = [entry for entry in both if not isinstance(entry, str)]
    if len(sides) < rank:
        return None
    return tuple(
        Axis(h, f, s, lo, hi, d, by_default)
        for h, f, s, (lo, hi), d in zip(x.shape[1:-1], window, stride, sides, dilation, strict=True)
    )


def _one(values: Sequence[Any]) -> str:
    """A value for each axis, once where they are all alike."""
    return str(values[0] if len(set(values)) == 1 else tuple(values))
