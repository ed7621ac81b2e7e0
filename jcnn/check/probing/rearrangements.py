"""Axes exchanged, arrays turned round, or numbers reshaped into another order: one array read or written in another order."""

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
        argument: it is read in that order, not returned.
    """

    array: str
    text: str
    cost: int
    order_of: "_Order"
    argument: bool = False

    def moved(self, terms: Terms) -> Array | None:
        """The right coefficients after it; None where the sizes do not allow it."""
        order = self.order_of(terms.space.shape_of(self.array))
        if order is None:
            return None
        # A number that is read at another place gives its terms to the one that belongs there.
        order = np.argsort(order, axis=None) if self.argument else order.reshape(-1)
        space = terms.space
        before = int(np.prod([size for array in self._before(space) for size in space.shape_of(array)], dtype=int))
        count = int(np.prod(space.shape_of(self.array)))
        return np.take(terms.right.reshape(before, count, -1), order, axis=1).reshape(-1)

    def _before(self, space: Space) -> tuple[str, ...]:
        return space.arrays[: space.arrays.index(self.array)]


def find_rearrangement(terms: Sequence[Terms], arrays: Sequence[str], result: str, most: int) -> Rearrangement | None:
    """The simplest other order of an array that turns the right products into the candidate's, in every geometry.

    Args:
        terms: in every geometry.
        arrays: those that may be in another order.
        result: which of the arrays is returned; the others are arguments.
        most: how far-fetched it may be.
    """
    # Where many axes are long, orders differ soonest.
    telling = sorted(terms, key=lambda one: sum(size > 1 for size in one.space.shape), reverse=True)
    found = []
    for array in arrays:
        shapes = [one.space.shape_of(array) for one in terms]
        long = [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if max(sizes) > 1]
        for text, cost, order_of in _orders(array, long, returned=array == result):
            if cost <= most:
                found.append(Rearrangement(array, text, cost, order_of, argument=array != result))
    for one in sorted(found, key=lambda rearrangement: rearrangement.cost):
        if all(_same(one.moved(call), call.got) for call in telling):
            return one
    return None


def _same(one: Array | None, other: Array) -> bool:
    return one is not None and bool(np.allclose(one, other, rtol=1e-9, atol=1e-12))


_CHANNELS_FIRST = {"output": (0, 3, 1, 2), "image": (0, 3, 1, 2), "filter": (3, 2, 0, 1)}


def _orders(array: str, long: Sequence[int], *, returned: bool) -> Iterator[tuple[str, int, "_Order"]]:
    """Of an array whose other axes have length 1."""
    names = NAMES[array]
    for count in range(1, len(long) + 1):
        for flipped in itertools.combinations(long, count):
            text = f"turned round along its {_listed([names[axis] + 's' for axis in flipped])}"
            yield text, count, _Flipped(flipped)
    for axis, (steps, way) in itertools.product(long, ((1, "on"), (-1, "back"))):
        yield f"moved one {names[axis]} {way}, the last coming round to the first", 2, _Rolled(axis, steps)
    short = tuple(axis for axis in range(len(names)) if axis not in long)
    usual = [tuple(long), tuple(axis for axis in _CHANNELS_FIRST.get(array, ()) if axis in long)]
    for lie in itertools.permutations(long):
        if lie != tuple(long):
            order = ", ".join(names[axis] for axis in lie)
            yield f"with its axes in the order ({order})", 2, _Transposed((*short, *lie))
    for lie, read in itertools.product(itertools.permutations(long), repeat=2):
        if lie != read:
            text = _poured(*(", ".join(names[axis] for axis in order) for order in (lie, read)), returned=returned)
            # An argument comes in a usual order, a result is returned in one.
            own, other = (read, lie) if returned else (lie, read)
            cost = 3 + 2 * (own not in usual) + (other not in usual)
            yield text, cost, _Poured((*short, *lie), (*short, *read))


def _poured(lie: str, read: str, *, returned: bool) -> str:
    if returned:
        return f"reshaped where a transpose is needed: its numbers come in the order ({lie}), and the order ({read}) is right"
    return (
        f"as if its numbers, which come in the order ({lie}), came in the order ({read}): reshape leaves them where they are, "
        "transpose exchanges axes"
    )


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
    """The numbers one after the other in one order of the axes, taken for those of another."""

    def __init__(self, lie: tuple[int, ...], read: tuple[int, ...]) -> None:
        self.lie, self.read = lie, read

    def __call__(self, shape: tuple[int, ...]) -> Array | None:
        numbers = np.arange(np.prod(shape)).reshape(shape).transpose(self.lie)
        return numbers.reshape([shape[axis] for axis in self.read]).transpose(np.argsort(self.read))


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
