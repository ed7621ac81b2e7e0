"""What a sentence read off a few small calls says of every call, to be held against others before it is said."""

from collections.abc import Callable

import numpy as np

Array = np.ndarray

Claim = Callable[[Array, Array], bool]
"""Whether what came of a call, and what is right there, may be together where the sentence is true."""

_CLOSE = 1e-11
"""Beside the largest number: what is added is small beside some numbers of the cases, but not beside their rounding."""


def is_zero(got: Array, _: Array) -> bool:
    """Of "it is 0 everywhere"."""
    return not got.any()


def is_shifted(got: Array, right: Array) -> bool:
    """Of "a number is added to every number": then none comes out right."""
    return not _same(got, right)


def is_scaled(got: Array, right: Array) -> bool:
    """Of "every number is multiplied": then only zeros come out right."""
    return not right.any() or not _same(got, right)


def _same(got: Array, right: Array) -> bool:
    return bool(np.abs(got - right).max(initial=0) <= _CLOSE * np.abs(right).max(initial=0))
