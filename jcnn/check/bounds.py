"""How far rounding alone can move a sum.

A sum of n products, added in any order, each operation rounded with unit u, is off by at most

    |error| ≤ γ_n Σ|terms|        γ_n = n·u / (1 − n·u)

For a sum that is linear in each argument Σ|terms| needs no formula of its own: it is the same sum over absolute values;
and n is the same sum over ones.

Source: Higham 2002, "Accuracy and Stability of Numerical Algorithms", sections 3.1 and 4.2.
"""

import numpy as np

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""u, half the distance from 1 to the next number, finest first."""

LARGEST = {"float64": 2.0**1023, "float32": 2.0**127, "float16": 2.0**15, "bfloat16": 2.0**127}
"""Numbers above twice this are infinite."""

_SMALLEST = {"float64": 2.0**-1074, "float32": 2.0**-149, "float16": 2.0**-24, "bfloat16": 2.0**-133}

# What is off by more than this part of the terms is no longer called rounding, however long the sum.
_MOST = {"float64": 1e-8, "float32": 1e-3, "float16": 5e-3, "bfloat16": 4e-2}

# Beside the n additions of a term: its factors may have been rounded when they were stored, then the product, then the result.
_ROUNDINGS_BESIDE = 4


def gamma(count: np.ndarray | float, precision: str) -> np.ndarray:
    """γ_n. From n·u = 1/2 on, where γ_n soon ends, 2n·u: such a sum may have no right digit at all."""
    product = np.asarray(count, np.float64) * UNIT[precision]
    return np.where(product < 0.5, product / (1 - np.minimum(product, 0.5)), 2 * product)


def bound(
    terms: np.ndarray, count: np.ndarray | float, precision: str = "float64", *, whole: bool = False, factor: float = 1.0
) -> np.ndarray:
    """The largest error that rounding explains, for every element.

    Args:
        terms: Σ|terms| of every element.
        count: how many terms, for every element or for all.
        precision: what the arithmetic may have been, a key of `UNIT`.
        whole: bound all elements by the largest bound among them, as for fast algorithms (FFT, Winograd) that mix elements.
        factor: how much more than a plain sum the algorithm amplifies rounding.

    Returns:
        An array of the shape of `terms`.
    """
    total = np.asarray(count, np.float64) + _ROUNDINGS_BESIDE
    part = np.minimum(factor * gamma(total, precision), min(factor, 4.0) * _MOST[precision])
    limit = part * terms + underflow(count, precision)
    return np.full(np.shape(limit), limit.max()) if whole and np.size(limit) else limit


def underflow(count: np.ndarray | float, precision: str) -> np.ndarray:
    """The largest error of numbers too small for all digits of the precision."""
    return (np.asarray(count, np.float64) + _ROUNDINGS_BESIDE) * _SMALLEST[precision]


def in_ulps(error: np.ndarray, terms: np.ndarray, precision: str = "float64") -> np.ndarray:
    """Errors in units of the last place of Σ|terms|, so that a sum that cancels to 0 has a measure too."""
    unit = 2 * UNIT[precision] * terms + _SMALLEST[precision]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(error) / unit
