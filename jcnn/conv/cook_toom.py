"""The matrices of minimal filtering, by Cook and Toom: exact, for any number of outputs and taps.

F(m, r) computes m neighbouring outputs y_j = Σ_k g_k d_(j+k) of a filter with r taps from n = m + r − 1 products, not m·r:

    A polynomial of degree n − 1 is known by its values at n points p, one of them ∞ (the leading coefficient). So the product
    s = g·u of a filter g (r coefficients) and a signal u (m coefficients) follows from n products of values:

        s = V_n⁻¹ [(V_r g) ⊙ (V_m u)]       V_k: the powers 1, p, …, p^(k−1) of every point; for ∞ the last unit vector

    That is a linear map of u. Its transpose is the one that filters:

        y = Aᵀ [(G g) ⊙ (Bᵀ d)]             Aᵀ = V_mᵀ,  G = V_r,  Bᵀ = V_n⁻ᵀ

Source: Winograd 1980, "Arithmetic complexity of computations"; Blahut 2010, "Fast algorithms for signal processing", chapter 5;
Lavin & Gray 2016, "Fast algorithms for convolutional neural networks".
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

Matrix = tuple[tuple[Fraction, ...], ...]


class Transforms(NamedTuple):
    """The matrices of F(m, r), exact: y = output [(filters g) ⊙ (input d)]."""

    output: Matrix
    """Aᵀ, m × n."""
    filters: Matrix
    """G, n × r."""
    input: Matrix
    """Bᵀ, n × n."""


@cache
def transforms(m: int, r: int) -> Transforms:
    """F(m, r) from m + r − 2 interpolation points and ∞, in exact fractions.

    Row p of V_n⁻ᵀ is the Lagrange polynomial of p, Π_q (z − q) / (p − q); for ∞ it is Π_q (z − q). Its denominator is moved
    from Bᵀ to G, which is applied to the filters only; y stays the same. A single output or a single tap needs n = m·r
    products anyway, those of the sum itself: unit matrices.

    Args:
        m: outputs, at least 1.
        r: taps, at least 1.
    """
    if m == 1 or r == 1:
        unit = tuple(tuple(Fraction(i == j) for j in range(m * r)) for i in range(m * r))
        ones = ((Fraction(1),) * (m * r),)
        return Transforms(ones, unit, unit) if m == 1 else Transforms(unit, tuple(zip(*ones, strict=True)), unit)
    finite = tuple(itertools.islice(points(), m + r - 2))
    others = [tuple(q for q in finite if q != p) for p in finite]
    scales = [*(math.prod(p - q for q in rest) for p, rest in zip(finite, others, strict=True)), 1]
    filters = tuple(tuple(power / scale for power in row) for row, scale in zip(_powers(finite, r), scales, strict=True))
    lagrange = *((*_from_roots(rest), Fraction(0)) for rest in others), _from_roots(finite)
    return Transforms(tuple(zip(*_powers(finite, m), strict=True)), filters, lagrange)


def points() -> Iterator[Fraction]:
    """0, 1, −1, 2, −1/2, 1/2, −2, 4, −1/4, …: powers of two, exact in binary, with their inverses, so that powers stay near 1.

    For F(4, 3) this order has little more than half the `growth` of the common 0, ±1, ±2.
    """
    yield from map(Fraction, (0, 1, -1))
    for exponent in itertools.count(1):
        size = Fraction(2**exponent)
        yield from (size, -1 / size, 1 / size, -size)


@cache
def growth(m: int, r: int) -> float:
    """κ, by how much F(m, r) can enlarge rounding errors over those of the direct sum, for which it is 1.

        κ = max over j, k of Σ_i |Aᵀ_ji| |G_ik| ‖Bᵀ_i‖₁  ≤  ‖Aᵀ‖_∞ · max|G| · ‖Bᵀ‖_∞

    or its counterpart for the gradient by the input, where tiles that lie m apart overlap, if that is larger.
    """
    output, filters, entering = (np.abs(np.array(matrix, float)) for matrix in transforms(m, r))
    sizes = np.einsum("ji,ik,il->jkl", output, filters, entering)  # of g_k · d_l on its way to y_j
    forward = sizes.sum(2).max()
    backward = max(sizes[:, :, first::m].sum((0, 2)).max() for first in range(m))
    return float(max(forward, backward))


def _powers(finite: Sequence[Fraction], count: int) -> Matrix:
    """V: 1, p, …, p^(count − 1) of every finite point, and of ∞ the last unit vector."""
    last = tuple(Fraction(k == count - 1) for k in range(count))
    return *(tuple(p**k for k in range(count)) for p in finite), last


def _from_roots(roots: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The coefficients of Π (z − root), lowest power first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *coefficients], [*coefficients, Fraction(0)]
        coefficients = [high - root * low for high, low in zip(shifted, scaled, strict=True)]
    return tuple(coefficients)
