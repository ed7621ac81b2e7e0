"""The fully connected layer and flattening."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn import dense, dense_backward, flatten, flatten_backward
from tests.references import assert_agree, levels, normal


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=20)
def test_dense_and_its_gradient(batch: list[int], c_in: int, c_out: int) -> None:
    x, w, b, dy = normal(*batch, c_in), normal(c_in, c_out), normal(c_out), normal(*batch, c_out, seed=1)

    @jax.jit
    def library(dy: jax.Array, *args: jax.Array) -> tuple[Any, ...]:
        y, pullback = jax.vjp(dense, *args)
        return y, dense_backward(dy, *args[:2]), pullback(dy)

    y, by_hand, derived = library(dy, x, w, b)
    assert_agree(y, np.einsum("...i,io->...o", x, w) + b)
    assert_agree(by_hand, derived)


def test_without_a_bias() -> None:
    x, w = normal(2, 3), normal(3, 4)
    assert_agree(dense(x, w), x @ w)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_floating_dtypes_keep_their_accuracy(dtype: str) -> None:
    """Each of 200 products is rounded in at least float32, the sums and the bias's addition once in `dtype`."""
    x, w, b, dy = (jnp.asarray(a, dtype) for a in (normal(200, 200), normal(200, 4), normal(4), normal(200, 4)))
    outer = float(jnp.finfo(dtype).eps)
    inner = min(outer, float(jnp.finfo(jnp.float32).eps))

    def results(*arrays: jax.Array) -> tuple[jax.Array, ...]:
        x, w, b, dy = arrays
        return dense(x, w, b), *dense_backward(dy, x, w)

    wide = [a.astype(jnp.float64) for a in (x, w, b, dy)]
    for actual, exact, terms in zip(results(x, w, b, dy), results(*wide), results(*map(jnp.abs, wide)), strict=True):
        assert actual.dtype == dtype
        bound = 200 * inner * terms + outer * (jnp.abs(exact) + float(jnp.abs(wide[2]).max()))
        assert bool(jnp.all(jnp.abs(actual.astype(jnp.float64) - exact) <= bound))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_are_exact(dtype: str) -> None:
    """Above 2²⁴ and 2⁵³, where a detour through floating point would lose units."""
    large = 2**27 + 1 if dtype == "int32" else 2**55 + 1
    x, w, b = levels(3, 4).astype(dtype), levels(4, 2).astype(dtype), np.array([large, 1], dtype)
    np.testing.assert_array_equal(dense(x, w, b), x @ w + b)
    dy = levels(3, 2, seed=1).astype(dtype)
    dy[0, 0], x[0, 0], w[0, 0] = large, 1, 1
    for actual, expected in zip(dense_backward(dy, x, w), (dy @ w.T, x.T @ dy, dy.sum(0)), strict=True):
        assert actual.dtype == dtype
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_flatten_is_row_major_and_its_gradient_the_way_back(shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    y = flatten(x)
    np.testing.assert_array_equal(y, x.reshape(2, -1))
    np.testing.assert_array_equal(flatten_backward(y, jnp.asarray(x)), x)


def test_images_of_bytes_can_be_flattened() -> None:
    assert flatten(np.zeros((2, 4, 4, 1), np.uint8)).dtype == np.uint8
