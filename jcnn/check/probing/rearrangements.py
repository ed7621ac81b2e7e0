"""Axes exchanged, arrays turned round, or numbers poured into another shape: one array read or written in another order."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jcnn.check.probing.spaces import Space, Terms

Array = np.ndarray

NAMES = {
    "output": ("example", "row", "column", "channel"),
    "image": ("example", "row", "column", "channel"),
    "filter": ("row", "column", "input channel", "output channel"),
    "bias": ("channel",),
}


class Rearrangement(NamedTuple):
    """An array in another order.

    Attributes:
        array: which one.
        text: what was done with it.
        cost: how far-fetched it is.
        order_of: from the array's shape the flat index of the number at each place.
    """

    array: str
    text: str
    cost: int
    order_of: "_Order"

    def moved(self, terms: Terms) -> Array | None:
        """The right coefficients after it; None where the sizes do not allow it."""
        order = self.order_of(terms.space.shape_of(self.array))
        if order is None:
            return None
        space = terms.space
        before = int(np.prod([size for array in self._before(space) for size in space.shape_of(array)], dtype=int))
        count = int(np.prod(space.shape_of(self.array)))
        return np.take(terms.right.reshape(before, count, -1), order.reshape(-1), axis=1).reshape(-1)

    def _before(self, space: Space) -> tuple[str, ...]:
        return space.arrays[: space.arrays.index(self.array)]


def find_rearrangement(terms: Sequence[Terms]) -> Rearrangement | None:
    """The array of which another order turns the right products into the candidate's, in every geometry."""
    for array in terms[0].space.arrays:
        for text, cost, order_of in _orders(array):
            found = Rearrangement(array, text, cost, order_of)
            if all(_same(found.moved(one), one.got) for one in terms):
                return found
    return None


def _same(one: Array | None, other: Array) -> bool:
    return one is not None and bool(np.allclose(one, other, rtol=1e-9, atol=1e-12))


def _orders(array: str) -> Iterator[tuple[str, int, "_Order"]]:
    names = NAMES[array]
    axes = range(len(names))
    for count in range(1, len(names) + 1):
        for flipped in itertools.combinations(axes, count):
            text = f"turned round along its {_listed([names[axis] + 's' for axis in flipped])}"
            yield text, count, _Flipped(flipped)
    for axis, (steps, way) in itertools.product(axes, ((1, "on"), (-1, "back"))):
        yield f"moved one {names[axis]} {way}, the last coming round to the first", 2, _Rolled(axis, steps)
    for moved in itertools.permutations(axes):
        if moved != tuple(axes):
            order = ", ".join(names[axis] for axis in moved)
            yield f"with its axes in the order ({order})", 2, _Transposed(moved)
            yield f"poured, number after number, from the order ({order}) into its shape", 3, _Poured(moved)
            yield f"poured, number after number, into the order ({order})", 3, _Unpoured(moved)


class _Order:
    """From a shape to the flat index of the number that stands at each place in place of the right one."""

    def __call__(self, shape: tuple[int, ...]) -> Array | None:
        raise NotImplementedError


class _Flipped(_Order):
    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def __call__(self, shape: tuple[int, ...]) -> Array | None:
        return np.flip(np.arange(np.prod(shape)).reshape(shape), self.axes)


class _Rolled(_Order):
    def __init__(self, axis: int, steps: int) -> None:
        self.axis, self.steps = axis, steps

    def __call__(self, shape: tuple[int, ...]) -> Array | None:
        return np.roll(np.arange(np.prod(shape)).reshape(shape), self.steps, self.axis)


class _Transposed(_Order):
    """Where the sizes allow it, the axes exchanged."""

    def __init__(self, order: tuple[int, ...]) -> None:
        self.order = order

    def __call__(self, shape: tuple[int, ...]) -> Array | None:
        moved = np.arange(np.prod(shape)).reshape(shape).transpose(self.order)
        return moved if moved.shape == shape else None


class _Poured(_Order):
    """The transposed numbers, one after the other, in the right shape."""

    def __init__(self, order: tuple[int, ...]) -> None:
        self.order = order

    def __call__(self, shape: tuple[int, ...]) -> Array | None:
        return np.arange(np.prod(shape)).reshape(shape).transpose(self.order).reshape(shape)


class _Unpoured(_Order):
    """The numbers as they lie, in the transposed shape, and that transposed back."""

    def __init__(self, order: tuple[int, ...]) -> None:
        self.order = order

    def __call__(self, shape: tuple[int, ...]) -> Array | None:
        back = np.argsort(self.order)
        return np.arange(np.prod(shape)).reshape([shape[axis] for axis in self.order]).transpose(back)


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
