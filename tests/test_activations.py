"""Activations against NumPy and SciPy, their gradients by hand against jax.vjp."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

import jcnn
from tests.references import assert_agree, levels, normal

Function = Callable[..., Any]
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934  # Klambauer et al. 2017, equation 14
FLOATS = ("float16", "bfloat16", "float32", "float64")


class Case(NamedTuple):
    forward: Function
    backward: Function
    reference: Function


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


CASES = {
    "relu": Case(jcnn.relu, jcnn.relu_backward, lambda x: np.maximum(x, 0)),
    "leaky_relu": Case(jcnn.leaky_relu, jcnn.leaky_relu_backward, lambda x: np.where(x > 0, x, 0.01 * x)),
    "leaky_relu-0.2": Case(
        partial(jcnn.leaky_relu, slope=0.2), partial(jcnn.leaky_relu_backward, slope=0.2), lambda x: np.where(x > 0, x, 0.2 * x)
    ),
    "elu": Case(jcnn.elu, jcnn.elu_backward, elu),
    "elu-2": Case(partial(jcnn.elu, alpha=2.0), partial(jcnn.elu_backward, alpha=2.0), partial(elu, alpha=2.0)),
    "selu": Case(jcnn.selu, jcnn.selu_backward, lambda x: SELU_SCALE * elu(x, SELU_ALPHA)),
    "sigmoid": Case(jcnn.sigmoid, jcnn.sigmoid_backward, scipy.special.expit),
    "tanh": Case(jcnn.tanh, jcnn.tanh_backward, np.tanh),
    "gelu": Case(jcnn.gelu, jcnn.gelu_backward, lambda x: x * scipy.special.ndtr(x)),
    "softplus": Case(jcnn.softplus, jcnn.softplus_backward, lambda x: np.logaddexp(x, 0)),
    "softmax": Case(jcnn.softmax, jcnn.softmax_backward, partial(scipy.special.softmax, axis=-1)),
    "log_softmax": Case(jcnn.log_softmax, jcnn.log_softmax_backward, partial(scipy.special.log_softmax, axis=-1)),
    "maxout": Case(
        partial(jcnn.maxout, pieces=3),
        partial(jcnn.maxout_backward, pieces=3),
        lambda x: x.reshape(*x.shape[:-1], -1, 3).max(-1),
    ),
}
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
POINTWISE = {name: case for name, case in CASES.items() if name not in {"softmax", "log_softmax", "maxout"}}
numbers = st.lists(st.floats(-700, 700, allow_subnormal=False) | st.integers(-2, 2).map(float), min_size=12, max_size=12)


@every
@given(numbers)
@settings(max_examples=40)
def test_values_and_gradient(case: Case, numbers: list[float]) -> None:
    """Entry by entry, so that a small value beside a large one counts too; exp() of 700 magnifies a rounding 700 times."""
    x = np.array(numbers).reshape(2, 6)
    expected = case.reference(x)
    np.testing.assert_allclose(case.forward(x), expected, rtol=1e-12, atol=1e-300)
    dy = normal(*expected.shape)
    by_hand, derived = case.backward(dy, jnp.asarray(x)), jax.vjp(case.forward, jnp.asarray(x))[1](jnp.asarray(dy))[0]
    # dy − Σ p dy of a softmax that is nearly sure cancels down to roundings of dy.
    cancelled = 8 * np.finfo(np.float64).eps * np.abs(dy).max()
    np.testing.assert_allclose(by_hand, derived, rtol=0, atol=max(1e-12 * np.abs(derived).max(), cancelled))


@every
@pytest.mark.parametrize("dtype", FLOATS)
def test_dtypes_pass_through(case: Case, dtype: str) -> None:
    """A few roundings each, relative to the largest value; in a gradient also to dy, whose terms may cancel."""
    x = jnp.asarray(3 * normal(4, 6), dtype)
    y = case.forward(x)
    dy = jnp.asarray(normal(*y.shape), dtype)
    dx = case.backward(dy, x)
    assert y.dtype == dx.dtype == dtype
    eps = float(jnp.finfo(dtype).eps)
    assert_agree(y, case.reference(np.asarray(x, np.float64)), 8 * eps)
    exact = np.asarray(case.backward(dy.astype(jnp.float64), x.astype(jnp.float64)))
    largest = max(np.abs(exact).max(), float(jnp.abs(dy).max()))
    np.testing.assert_allclose(dx.astype(jnp.float64), exact, rtol=0, atol=8 * eps * largest)


@every
def test_nan_stays_nan_and_spares_other_examples(case: Case) -> None:
    x = np.ones((2, 3))
    x[0, 1] = np.nan
    y = np.asarray(case.forward(x))
    assert np.isnan(y[0]).any()
    assert np.isfinite(y[1]).all()


@every
def test_no_overflow_far_out(case: Case) -> None:
    x = jnp.asarray([[-1e4, 0, 1e4]])
    y, pullback = jax.vjp(case.forward, x)
    assert np.isfinite(y).all()
    assert np.isfinite(pullback(jnp.ones_like(y))[0]).all()
    assert np.isfinite(case.backward(jnp.ones_like(y), x)).all()


@pytest.mark.parametrize("case", POINTWISE.values(), ids=POINTWISE)
def test_any_shape_and_second_order(case: Case) -> None:
    assert case.forward(jnp.asarray(0.5)).shape == ()
    assert case.forward(jnp.zeros((1, 2, 1, 3))).shape == (1, 2, 1, 3)
    x, ones = jnp.asarray(normal(6)), jnp.ones(6)
    second = jax.grad(lambda x: jax.grad(lambda x: case.forward(x).sum())(x).sum())(x)
    assert_agree(jax.vjp(lambda x: case.backward(ones, x), x)[1](ones)[0], second)


@pytest.mark.parametrize(
    ("function", "slope"),
    [(jcnn.relu, 0.0), (jcnn.leaky_relu, 0.01), (partial(jcnn.elu, alpha=2.0), 2.0)],
    ids=["relu", "leaky", "elu"],
)
def test_the_derivative_at_zero(function: Function, slope: float) -> None:
    assert float(jax.grad(function)(0.0 * jnp.ones(()))) == slope


def test_maxout_gives_the_gradient_to_the_first_maximum() -> None:
    x = jnp.asarray(levels(5, 4, 6))
    dy = jnp.asarray(normal(5, 4, 2))
    first = np.eye(3)[np.asarray(x).reshape(5, 4, 2, 3).argmax(-1)].reshape(5, 4, 6)
    assert_agree(jcnn.maxout_backward(dy, x, 3), first * np.repeat(dy, 3, -1))
    assert_agree(jax.vjp(partial(jcnn.maxout, pieces=3), x)[1](dy)[0], first * np.repeat(dy, 3, -1))


@pytest.mark.parametrize("shift", [-1e4, 0.0, 1e4])
def test_softmax_is_a_distribution_whatever_the_shift(shift: float) -> None:
    x = normal(5, 4) * 4
    p = jcnn.softmax(x + shift)
    assert_agree(p.sum(-1), np.ones(5))
    assert_agree(p, scipy.special.softmax(x, -1), 1e-11)  # x + 1e4 keeps 12 digits of x


@every
def test_under_jit_and_vmap(case: Case) -> None:
    x = jnp.asarray(normal(4, 6))
    assert_agree(jax.jit(jax.vmap(case.forward))(x), case.forward(x))
