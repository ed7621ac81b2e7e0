"""Activations as textbooks write them, in NumPy: what grading takes for right, and nothing is computed by otherwise.

They are written down independently of `jcnn.activations`, which they judge.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Array = np.ndarray

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


class Formula(NamedTuple):
    """An activation.

    Attributes:
        value: f(x, …).
        slope: f′(x, …), at a kink the side that is the convention.
        other: f′(0, …) from the other side of a kink at 0; None where there is none.
        straight: made of straight pieces, so that it scales with x.
        parameters: values to give its parameter, by what is special in them.
    """

    value: Callable[..., Array]
    slope: Callable[..., Array]
    other: Callable[..., float] | None = None
    straight: bool = False
    parameters: dict[str, dict[str, float]] = {}  # noqa: RUF012 (never changed)


def sigma(x: Array) -> Array:
    """σ(x), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def normal_cdf(x: Array) -> Array:
    """Φ(x)."""
    return _erfc(-x / math.sqrt(2)) / 2


def normal_density(x: Array) -> Array:
    """φ(x)."""
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where positive, α(eˣ − 1) elsewhere."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu_slope(x: Array, alpha: float = 1.0) -> Array:
    """1 where x is positive, αeˣ elsewhere."""
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))
