"""Known slopes: 2 where the gradient is right, 1 where it is not."""

import math

import numpy as np
import pytest

from jcnn.check.comparing.adjoint_and_taylor_tests import adjoint, taylor


@pytest.mark.parametrize(("gradient", "slope", "holds"), [(math.cos(0.3), 2.0, True), (math.cos(0.3) + 0.01, 1.0, False)])
def test_taylor(gradient: float, slope: float, holds: bool) -> None:
    witness = taylor(lambda h: math.sin(0.3 + h), gradient, 1.0)
    assert witness.holds is holds
    assert float(witness.found.split()[2]) == pytest.approx(slope, abs=0.05)


def test_a_linear_function_leaves_nothing() -> None:
    assert taylor(lambda h: 2 + 3 * h, 3.0, 2.0).holds


def test_adjoint() -> None:
    matrix, v, u = np.arange(6.0).reshape(2, 3), np.array([1.0, -2.0, 0.5]), np.array([3.0, 1.0])
    assert adjoint(matrix @ v, u, [v], [matrix.T @ u], 2.0**-53).holds
    assert not adjoint(matrix @ v, u, [v], [matrix.T @ u + 1e-9], 2.0**-53).holds
