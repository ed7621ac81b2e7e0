"""Rounding bounds that hold, and are not much larger than they need to be."""

import numpy as np
import pytest

from jcnn.check.bounds import bound, gamma, in_ulps


def test_gamma() -> None:
    assert gamma(10, "float64") == pytest.approx(10 * 2.0**-53)
    assert gamma(1e6, "float16") == pytest.approx(2e6 * 2.0**-11)


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_sums_in_float32_stay_within(count: int) -> None:
    values = np.random.default_rng(count).normal(size=(200, count)).astype(np.float32)
    sums = np.cumsum(values, 1, dtype=np.float32)[:, -1]
    error = np.abs(sums - values.astype(np.float64).sum(1))
    limit = bound(np.abs(values).sum(1, dtype=np.float64), count, "float32")
    assert (error <= limit).all()
    assert limit.max() < 1e-3 * np.abs(values).sum(1).max()


def test_ulps_of_a_sum_that_cancels() -> None:
    assert in_ulps(np.array([2.0**-52]), np.array([1.0]))[0] == pytest.approx(1)
    assert in_ulps(np.array([0.0]), np.array([0.0]))[0] == 0
