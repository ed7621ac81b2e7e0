"""The matrices of minimal filtering, in exact fractions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from jcnn.conv.cook_toom import growth, points, transforms

SIZES = list(itertools.product(range(1, 7), range(1, 6)))


@pytest.mark.parametrize(("m", "r"), SIZES)
def test_the_bilinear_identity_holds_exactly(m: int, r: int) -> None:
    """Σ_i Aᵀ_ji G_ik Bᵀ_il is 1 where l = j + k and 0 elsewhere: y_j = Σ_k g_k d_(j+k) for all g and d."""
    output, filters, entering = (np.array(matrix, object) for matrix in transforms(m, r))
    n = m + r - 1
    assert (output.shape, filters.shape, entering.shape) == ((m, n), (n, r), (n, n))
    assert all(isinstance(entry, Fraction) for matrix in (output, filters, entering) for entry in matrix.flat)
    for j, k, entry in itertools.product(range(m), range(r), range(n)):
        assert sum(output[j] * filters[:, k] * entering[:, entry]) == (entry == j + k)


def test_two_outputs_of_three_taps_are_winograd_s_own() -> None:
    """F(2, 3) as Winograd printed it, up to the order and the scale of its four products."""
    ours = transforms(2, 3)
    printed = (
        [[1, 1, 1, 0], [0, 1, -1, -1]],
        [[1, 0, 0], [Fraction(1, 2)] * 3, [Fraction(1, 2), Fraction(-1, 2), Fraction(1, 2)], [0, 0, 1]],
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    )

    def products(output: object, filters: object, entering: object) -> set[tuple[object, ...]]:
        a, g, b = (np.array(matrix, object) for matrix in (output, filters, entering))
        return {tuple(np.multiply.outer(np.multiply.outer(a[:, i], g[i]), b[i]).ravel()) for i in range(len(b))}

    assert products(*ours) == products(*printed)


def test_points_are_all_different() -> None:
    first = list(itertools.islice(points(), 30))
    assert len(set(first)) == 30


@pytest.mark.parametrize(("m", "r"), SIZES)
def test_growth_is_within_the_product_of_the_norms(m: int, r: int) -> None:
    output, filters, entering = (np.abs(np.array(matrix, float)) for matrix in transforms(m, r))
    tiles = -(-(m + r - 1) // m)
    forward = output.sum(1).max() * filters.max() * entering.sum(1).max()
    backward = output.sum(0).max() * filters.max() * entering.sum(0).max() * tiles
    assert 1 <= growth(m, r) <= max(forward, backward) * (1 + 1e-12)


def test_growth_of_the_direct_sum_is_one() -> None:
    assert growth(1, 7) == growth(7, 1) == 1
