"""From a number to the values that were added to make it: coefficient × value, or a few of them."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Array = np.ndarray

_MOST = 36
_EXACT = 1e-10


def distinct(shape: Sequence[int], seed: int) -> Float[Array, "..."]:
    """Numbers between 1 and 2 of both signs, of which no few have a simple ratio, sum or difference."""
    rng = np.random.default_rng([2**16, seed])
    return rng.uniform(1.0, 2.0, tuple(shape)) * rng.choice([-1.0, 1.0], tuple(shape))


def _fractions() -> Array:
    found = {p / q for q in range(1, _MOST + 1) for p in (*range(1, _MOST + 1), 48, 49, 56, 64)}
    return np.array(sorted(found, key=lambda value: (value != 1, max(value, 1 / value))))


SIMPLE = _fractions()
"""Coefficients that a slip makes, the simplest first: p / q."""


class Decoder:
    """Finds a number as coefficient × one of the values, as a sum of two, or of all along some axes."""

    def __init__(self, values: Array) -> None:
        """Prepares the values, of any shape."""
        self.shape = values.shape
        self.values = values.reshape(-1)
        self._pairs = self._sums_of_two()
        self._along = self._sums_along(values)

    def _sums_of_two(self) -> tuple[Array, Array]:
        n = len(self.values)
        first, second = np.triu_indices(n, 1)
        sums = [self.values[first] + sign * self.values[second] for sign in (1.0, -1.0)]
        table = np.concatenate([*sums, 2 * self.values]) if n < 80 else np.zeros(0)
        pairs = [np.stack([first, second, np.full_like(first, sign)], 1) for sign in (1, -1)]
        alone = np.stack([np.arange(n), np.arange(n), np.ones(n, int)], 1)
        return table, np.concatenate([*pairs, alone]) if n < 80 else np.zeros((0, 3), int)

    def _sums_along(self, values: Array) -> list[tuple[float, Array]]:
        """Sums over some of the axes, and what they add."""
        numbers = np.arange(values.size).reshape(values.shape)
        long = [axis for axis in range(values.ndim) if values.shape[axis] > 1]
        found = []
        for count in range(1, len(long) + 1):
            for axes in itertools.combinations(long, count):
                moved = np.moveaxis(numbers, axes, range(-count, 0)).reshape(
                    -1, np.prod([values.shape[a] for a in axes], dtype=int)
                )
                found += [(float(self.values[row].sum()), row) for row in moved]
        return found

    def decode(self, number: float) -> list[tuple[int, float]] | None:
        """Pairs of a value's flat index and its coefficient; None where it is no sum of them that a slip makes."""
        if abs(number) < 1e-11:
            return []
        ratio = number / self.values
        size = np.abs(ratio)
        ones = np.flatnonzero(np.abs(size - 1) < _EXACT)
        if len(ones):
            return [(int(ones[0]), round(float(ratio[ones[0]])))]
        two = self._two(number)
        whole = self._simple(ratio, size)
        if whole is not None and (two is None or _plain(whole[1])):
            return [whole]
        if two is not None:
            return two
        for total, row in self._along:
            factor = number / total if total else 0.0
            found = SIMPLE[np.abs(SIMPLE - abs(factor)) < _EXACT * max(abs(factor), 1e-3)]
            if len(found):
                return [(int(at), float(np.copysign(found[0], factor))) for at in row]
        return self._few(number)

    def _few(self, number: float) -> list[tuple[int, float]] | None:
        """A sum of three or four different values."""
        table, pairs = self._pairs
        plus = pairs[:, 2] == 1 if len(pairs) else np.zeros(0, bool)
        plus &= pairs[:, 0] != pairs[:, 1]
        sums, chosen = table[plus], pairs[plus, :2]
        order = np.argsort(sums)
        sums, chosen = sums[order], chosen[order]
        for others, places in ((self.values, np.arange(len(self.values))[:, None]), (sums, chosen)):
            if not len(sums):
                return None
            wanted = number - others
            near = np.clip(np.searchsorted(sums, wanted), 0, len(sums) - 1)
            for shift in (0, -1):
                at = np.clip(near + shift, 0, len(sums) - 1)
                for hit in np.flatnonzero(np.abs(sums[at] - wanted) < 1e-11):
                    found = {*map(int, places[hit]), *map(int, chosen[at[hit]])}
                    if len(found) == places.shape[1] + 2:
                        return [(value, 1.0) for value in sorted(found)]
        return None

    def _simple(self, ratio: Array, size: Array) -> tuple[int, float] | None:
        close = np.abs(size[:, None] - SIMPLE[None]) < _EXACT * np.minimum(size[:, None], 1)
        hits = np.argwhere(close)
        if not len(hits):
            return None
        at, coefficient = min(hits, key=lambda hit: hit[1])
        return int(at), float(np.copysign(SIMPLE[coefficient], ratio[at]))

    def _two(self, number: float) -> list[tuple[int, float]] | None:
        table, pairs = self._pairs
        for sign in (1.0, -1.0):
            hits = np.flatnonzero(np.abs(table - sign * number) < 1e-11)
            if len(hits):
                first, second, other = map(int, pairs[hits[0]])
                if first == second:
                    return [(first, 2 * sign)]
                return [(first, sign), (second, sign * other)]
        return None


def _plain(coefficient: float) -> bool:
    """A whole number or one through a whole number."""
    size = abs(coefficient)
    return size == round(size) or 1 / size == round(1 / size)


class Decoded(NamedTuple):
    """An array read as sums of values.

    Attributes:
        terms: (flat index in the array, flat index of the value, coefficient).
        unread: flat indices of numbers that are no such sum.
    """

    terms: list[tuple[int, int, float]]
    unread: list[int]


def decoded(array: Array, decoder: Decoder) -> Decoded:
    """Every number of an array."""
    terms, unread = [], []
    flat = array.reshape(-1)
    for at in np.flatnonzero(flat):
        found = decoder.decode(float(flat[at]))
        if found is None:
            unread.append(int(at))
        else:
            terms += [(int(at), value, coefficient) for value, coefficient in found]
    return Decoded(terms, unread)
