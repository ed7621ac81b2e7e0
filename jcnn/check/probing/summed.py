"""A bias's gradient: over which axes of dy it is summed, where these are not the right ones."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jcnn.check.operations import kind_of
from jcnn.check.probing.collect import Answer, Calls
from jcnn.check.probing.geometries import WITHOUT_AXES, Geometry
from jcnn.check.probing.plans import Plan

Array = np.ndarray

_GEOMETRIES = (
    Geometry(4, 7, (2, 3), examples=2, outputs=4),
    Geometry(4, 3, (2, 2), examples=4, outputs=5),
    Geometry(5, 5, (2, 2), examples=3, outputs=2),
)
"""Every axis of dy has another length."""

_AXES = {4: ("examples", "rows", "columns", "channels"), 2: ("examples", "channels")}
_TOGETHER = {"sum": np.sum, "mean": np.mean}


class Summed(NamedTuple):
    """How an array is added up.

    Attributes:
        axes: over which axes.
        how: "sum" or "mean".
        kept: axes of length 1 stay.
    """

    axes: tuple[int, ...]
    how: str = "sum"
    kept: bool = False

    def of(self, array: Array) -> Array:
        """The sum."""
        return np.asarray(_TOGETHER[self.how](array, axis=self.axes, keepdims=self.kept))

    def text(self, name: str, names: Sequence[str]) -> str:
        """As a call of NumPy's, and by the names of the axes."""
        whole = len(self.axes) == len(names)
        axis = "" if whole else f"axis={self.axes[0] if len(self.axes) == 1 else self.axes}"
        arguments = ", ".join(filter(None, [axis, "keepdims=True" if self.kept else ""]))
        over = "everything" if whole else _listed([names[axis] for axis in self.axes])
        return f"{name}.{self.how}({arguments}), over {over}"


def explain_sum(kind: str, answer: Answer, plan: Plan, leaf: str) -> str | None:
    """A sentence on a bias's gradient that is dy summed over wrong axes; None where it is right, or something else.

    Args:
        kind: the operation.
        answer: what the candidate does with a case.
        plan: how the operation is probed.
        leaf: the gradient.
    """
    number = kind_of(kind).leaves.index(leaf)
    pairs = []
    for geometry in _GEOMETRIES if plan.spatial else WITHOUT_AXES:
        calls = Calls(kind, plan, geometry)
        case = calls.case(None)
        outcome = answer(case)
        got = outcome.leaves[number] if len(outcome.leaves) > number else None
        if not outcome.declined and got is not None:
            pairs.append((case.args[str(plan.hot)], got))
    if len(pairs) < 2:
        return None
    rank = pairs[0][0].ndim
    right = Summed(tuple(range(rank - 1)))
    for way in _ways(rank):
        if all(_same(way.of(dy), got) for dy, got in pairs):
            if way == right:
                return None
            names = _AXES[rank]
            return f"{leaf} is {way.text(str(plan.hot), names)}, where {right.text(str(plan.hot), names)}, is right."
    return None


def _ways(rank: int) -> Iterator[Summed]:
    """All of them, the right one first."""
    subsets = [axes for count in range(1, rank + 1) for axes in itertools.combinations(range(rank), count)]
    for how, kept in (("sum", False), ("mean", False), ("sum", True), ("mean", True)):
        yield Summed(tuple(range(rank - 1)), how, kept)
        yield from (Summed(axes, how, kept) for axes in subsets)


def _same(one: Array, other: Array) -> bool:
    """But for the order of the axes that are left, which a layout may have otherwise."""
    orders = itertools.permutations(range(one.ndim)) if one.ndim == other.ndim else ()
    turned = (one.transpose(order) for order in orders)
    return any(made.shape == other.shape and bool(np.allclose(made, other, rtol=1e-9, atol=1e-12)) for made in turned)


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
