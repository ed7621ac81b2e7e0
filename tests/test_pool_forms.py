"""Pooling by taps and by XLA's own operation: one contract."""

# NumPy arrays are taken where annotations say jax.Array.
# pyright: reportArgumentType=false

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn import avg_pool, avg_pool_backward, max_pool, max_pool_backward
from jcnn.definition import avg_pool_definition, max_pool_definition
from jcnn.pool_forms import MAXIMUM, SUM, Formulation
from tests.draws import draws
from tests.geometries import pools
from tests.references import Geometry, assert_agree, levels, normal

FORMS = pytest.mark.parametrize("formulation", MAXIMUM)


@given(pools(), st.integers(2, 9))
@draws(parts=2)
def test_max_pool(geometry: Geometry, count: int) -> None:
    """Few different values, so that maxima tie. JAX has no reverse mode for a dilated `reduce_window`; by hand there is."""
    x, dy = levels(2, *geometry.sizes, 1, count=count) - 1, normal(2, *geometry.outputs, 1)
    plain = set(geometry.dilation) == {1}

    @jax.jit
    def library(x: jax.Array, dy: jax.Array) -> Any:
        results = {}
        for formulation in MAXIMUM:
            for gradient in ("autodiff", "manual") if plain or formulation == "taps" else ("manual",):
                pool: Any = partial(max_pool, window=geometry.window, formulation=formulation, gradient=gradient)
                y, pullback = jax.vjp(partial(pool, **geometry.options), x)
                results[f"{formulation} {gradient}"] = y, *pullback(dy)
        return results, max_pool_backward(dy, x, geometry.window, **geometry.options)

    results, by_hand = library(x, dy)
    expected = max_pool_definition(x, geometry.window, **geometry.options)
    for y, dx in results.values():
        np.testing.assert_array_equal(y, expected)
        assert_agree(dx, by_hand)


@pytest.mark.parametrize("count_padding", [False, True], ids=["input-only", "count-padding"])
@given(pools())
@draws(parts=2)
def test_avg_pool(count_padding: bool, geometry: Geometry) -> None:
    x, dy = normal(2, *geometry.sizes, 1), normal(2, *geometry.outputs, 1)
    options: Any = {**geometry.options, "count_padding": count_padding}

    @jax.jit
    def library(x: jax.Array, dy: jax.Array) -> Any:
        results = []
        for formulation in SUM:
            y, pullback = jax.vjp(partial(avg_pool, window=geometry.window, formulation=formulation, **options), x)
            results.append((y, *pullback(dy)))
        return results, avg_pool_backward(dy, x, geometry.window, **options)

    results, by_hand = library(x, dy)
    for y, dx in results:
        assert_agree(y, avg_pool_definition(x, geometry.window, **options))
        assert_agree(dx, by_hand)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32"])
def test_max_pool_keeps_the_dtype_and_the_values(dtype: str) -> None:
    x = jnp.asarray(levels(1, 5, 5, 2, count=100), dtype)
    taps, lax = (max_pool(x, 3, stride=2, padding=1, formulation=formulation) for formulation in ("taps", "lax"))
    assert taps.dtype == lax.dtype == x.dtype
    np.testing.assert_array_equal(taps, lax)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@FORMS
def test_means_are_rounded_once(formulation: Formulation, dtype: str) -> None:
    x = jnp.asarray(normal(1, 6, 6, 8) + 100, dtype)
    y = avg_pool(x, 6, formulation=formulation)
    exact = np.asarray(x, np.float64).mean((1, 2), keepdims=True)
    assert y.dtype == x.dtype
    assert (np.abs(np.asarray(y, np.float64) - exact) <= 0.51 * float(jnp.finfo(dtype).eps) * np.abs(exact)).all()


@FORMS
def test_nan_wins_over_everything(formulation: Formulation) -> None:
    x = np.array([1.0, np.nan, 3.0, -np.inf, -np.inf, -np.inf])[None, :, None]
    np.testing.assert_array_equal(max_pool(x, 2, formulation=formulation)[0, :, 0], [np.nan, 3, -np.inf])


@FORMS
def test_works_under_vmap(formulation: Formulation) -> None:
    x = jnp.asarray(normal(3, 2, 6, 6, 2))
    op = partial(max_pool, window=2, formulation=formulation, gradient="manual")
    dx = jax.grad(lambda x: op(x).sum())
    assert_agree(jax.jit(jax.vmap(dx))(x), jax.jit(dx)(x.reshape(6, 6, 6, 2)).reshape(x.shape))


@pytest.mark.parametrize("pool", [max_pool, avg_pool])
def test_an_unknown_form_is_named_with_the_known(pool: Any) -> None:
    with pytest.raises(ValueError, match="formulation='fft': expected 'taps' or 'lax'"):
        pool(jnp.ones((1, 4, 1)), 2, formulation="fft")


def test_reverse_mode_of_a_dilated_window_is_by_hand_only() -> None:
    x = jnp.ones((1, 5, 1))
    with pytest.raises(NotImplementedError, match="window dilation"):
        jax.grad(lambda x: max_pool(x, 2, dilation=2, formulation="lax").sum())(x)
