"""Derivatives by differences, with bounds on how far off they are that hold."""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.check.comparing.directional_derivatives import Slope, differences, function_of, slope
from jcnn.check.precision import double_precision
from tests.draws import draws


@pytest.mark.parametrize(
    ("function", "right", "size"),
    [
        pytest.param(math.sin, 1.0, 1.0, id="sine"),
        pytest.param(lambda h: math.exp(10 * h), 10.0, 1.0, id="steep"),
        pytest.param(lambda h: math.tanh(300 * h + 0.1), 300 / math.cosh(0.1) ** 2, 1.0, id="all over within a step"),
        pytest.param(lambda h: 1e6 + math.sin(h), 1.0, 1e6, id="a large constant"),
        pytest.param(lambda h: abs(h + 1e-3), 1.0, 1.0, id="a kink nearby"),
        pytest.param(lambda h: 3.0, 0.0, 3.0, id="constant"),
    ],
)
def test_known_derivatives(function: Callable[[float], float], right: float, size: float) -> None:
    best, error, closest, noise = differences(function, size)
    assert abs(best - right) <= error < 1e-5 * max(size, right)
    assert abs(closest - right) <= noise


@draws(2)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.floats(-1, 1), st.floats(0.1, 5))
def test_a_right_value_is_never_contradicted(weights: list[float], shift: float, speed: float) -> None:
    a, b, c = weights

    def phi(h: float) -> float:
        return a * math.sin(speed * h + shift) + b * math.exp(h / 2) + c * abs(h + shift)

    right = a * speed * math.cos(shift) + b / 2 + c * math.copysign(1, shift)
    size = abs(a) + 2 * abs(b) + abs(c)
    found = Slope([], None, *differences(phi, size))
    if abs(shift) > 1e-7 or c == 0:
        assert not found.contradicts(right, size)
    assert found.contradicts(right + 0.01 * size + 0.01 + 2 * abs(c), size)


def test_what_cannot_be_evaluated_contradicts_nothing() -> None:
    found = Slope([], None, *differences(lambda _: math.nan, 1.0))
    assert not found.contradicts(1.0, 1.0)
    right = Slope([], None, *differences(math.sin, 1.0))
    assert right.contradicts(math.nan, 1.0)
    assert right.contradicts(math.inf, 1.0)


def test_a_slope_of_a_function_of_trees() -> None:
    with double_precision():
        x, w = jnp.arange(6.0).reshape(2, 3), {"w": jnp.arange(3.0) + 1}
        function = function_of(lambda x, w: jnp.sin(x) @ w["w"], [x, w], np.array([1.0, -2.0]))
        v = [np.ones((2, 3)), np.array([0.0, 1.0, 0.0])]
        found = slope(function, v)
        gradient = [np.array([[1.0], [-2.0]]) * np.cos(x) * np.asarray(w["w"]), np.array([1.0, -2.0]) @ np.sin(x)]
    value, terms = found.along(gradient)
    assert found.forward == pytest.approx(value, rel=1e-12)
    assert not found.contradicts(value, terms)
    assert found.contradicts(value * (1 + 1e-4), terms)
