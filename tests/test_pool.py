"""Pooling against walking the window, and its gradients by hand against jax.vjp."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

from jcnn import (
    avg_pool,
    avg_pool_backward,
    global_avg_pool,
    global_avg_pool_backward,
    global_max_pool,
    global_max_pool_backward,
    max_pool,
    max_pool_backward,
)
from tests import references
from tests.geometries import pools
from tests.references import Geometry, assert_agree, levels, normal

FLOATS = ("float16", "bfloat16", "float32", "float64")
GRADIENTS = ("autodiff", "manual")


@given(pools(), st.integers(2, 9))
@settings(max_examples=50)
def test_max_pool_and_its_gradient_by_walking(geometry: Geometry, count: int) -> None:
    """Few different values, so that maxima tie; strides below the window, so that windows overlap."""
    x, dy = levels(2, *geometry.sizes, 1, count=count) - 1, normal(2, *geometry.outputs, 1)

    @jax.jit
    def library(x: jax.Array, dy: jax.Array) -> tuple[jax.Array, ...]:
        y, pullback = jax.vjp(partial(max_pool, window=geometry.window, **geometry.options), x)
        return y, max_pool_backward(dy, x, geometry.window, **geometry.options), *pullback(dy)

    y, by_hand, derived = library(x, dy)
    expected_y, expected_dx = references.max_pool(x, dy, geometry)
    np.testing.assert_array_equal(y, expected_y)
    assert_agree(by_hand, expected_dx)
    assert_agree(derived, expected_dx)


@pytest.mark.parametrize("count_padding", [False, True], ids=["input-only", "count-padding"])
@given(pools())
@settings(max_examples=30)
def test_avg_pool_and_its_gradient(count_padding: bool, geometry: Geometry) -> None:
    x, dy = normal(2, *geometry.sizes, 1), normal(2, *geometry.outputs, 1)
    options: Any = {**geometry.options, "count_padding": count_padding}

    @jax.jit
    def library(x: jax.Array, dy: jax.Array) -> tuple[jax.Array, ...]:
        y, pullback = jax.vjp(partial(avg_pool, window=geometry.window, **options), x)
        return y, avg_pool_backward(dy, x, geometry.window, **options), *pullback(dy)

    y, by_hand, derived = library(x, dy)
    assert_agree(y, references.avg_pool(x, geometry, count_padding=count_padding))
    assert_agree(by_hand, derived)


def test_the_first_of_equal_maxima_takes_the_gradient() -> None:
    dx = max_pool_backward(np.full((1, 1, 1, 1), 5.0), np.array([[1.0, 2], [2, 2]])[None, ..., None], 2)
    assert_agree(dx[0, ..., 0], [[0, 5], [0, 0]])


def test_a_pixel_that_wins_several_windows_collects_them_all() -> None:
    dx = max_pool_backward(np.array([1.0, 10, 100])[None, :, None], np.array([0.0, 1, 9, 1, 0])[None, :, None], 3, stride=1)
    assert_agree(dx[0, :, 0], [0, 0, 111, 0, 0])


def test_padding_never_wins() -> None:
    assert float(max_pool(np.full((1, 2, 2, 1), -3.0), 2, padding=1).max()) == -3
    lowest = np.full((1, 2, 1), np.iinfo(np.int32).min + 1, np.int32)
    np.testing.assert_array_equal(max_pool(lowest, 2, padding=1), np.full((1, 2, 1), lowest[0, 0, 0]))


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_padding_takes_no_gradient_from_the_lowest_pixel(gradient: Literal["autodiff", "manual"]) -> None:
    x = jnp.full((1, 2, 1), -jnp.inf)
    dx = jax.grad(lambda x: max_pool(x, 2, padding=1, gradient=gradient).sum())(x)
    np.testing.assert_array_equal(dx[0, :, 0], [1, 1])


def test_nan_wins_over_everything() -> None:
    x = np.array([[np.inf, np.nan, 1, 0], [np.nan, np.inf, 3, 2]])[..., None]
    np.testing.assert_array_equal(max_pool(x, 2)[..., 0], [[np.nan, 1], [np.nan, 3]])
    np.testing.assert_array_equal(global_max_pool(x)[:, 0], [np.nan, np.nan])
    dx = max_pool_backward(np.ones((2, 2, 1)), x, 2)
    np.testing.assert_array_equal(dx[..., 0], [[0, 1, 1, 0], [1, 0, 1, 0]])


@pytest.mark.parametrize("sizes", [(5,), (3, 4), (2, 3, 2)], ids=["1d", "2d", "3d"])
@pytest.mark.parametrize(
    ("forward", "backward", "reference"),
    [
        pytest.param(global_avg_pool, global_avg_pool_backward, np.mean, id="avg"),
        pytest.param(global_max_pool, global_max_pool_backward, np.max, id="max"),
    ],
)
def test_global_pools(
    forward: Callable[..., jax.Array], backward: Callable[..., jax.Array], reference: Any, sizes: tuple[int, ...]
) -> None:
    x, dy = jnp.asarray(levels(2, *sizes, 3, count=4)), jnp.asarray(normal(2, 3))
    y, pullback = jax.vjp(forward, x)
    assert_agree(y, reference(x, tuple(range(1, x.ndim - 1))))
    assert_agree(backward(dy, x), pullback(dy)[0])


def test_global_max_gives_the_gradient_to_the_first_maximum() -> None:
    dx = global_max_pool_backward(np.array([[5.0]]), np.array([1.0, 3, 3])[None, :, None])
    assert_agree(dx[0, :, 0], [0, 5, 0])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", *FLOATS])
def test_max_pool_keeps_the_dtype_and_the_values(dtype: str) -> None:
    x = levels(2, 5, 5, 2, count=100).astype(jnp.dtype(dtype))
    y = max_pool(x, 3, stride=2, padding=1)
    assert y.dtype == global_max_pool(x).dtype == dtype
    np.testing.assert_array_equal(np.asarray(y, np.float64), max_pool(x.astype(np.float64), 3, stride=2, padding=1))
    np.testing.assert_array_equal(np.asarray(global_max_pool(x), np.float64), x.astype(np.float64).max((1, 2)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_averages_keep_their_accuracy(dtype: str) -> None:
    """Sums of at most 100 numbers and the division are rounded in at least float32, the mean once in `dtype`."""
    x, dy = jnp.asarray(normal(2, 10, 10, 2), dtype), jnp.asarray(normal(2, 2, 2, 2), dtype)
    wide = x.astype(jnp.float64)
    outer = float(jnp.finfo(dtype).eps)
    inner = min(outer, float(jnp.finfo(jnp.float32).eps))
    cases: list[tuple[Callable[..., jax.Array], tuple[jax.Array, ...]]] = [
        (partial(avg_pool, window=5), (x,)),
        (global_avg_pool, (x,)),
        (lambda dy, x: avg_pool_backward(dy, x, 5), (dy, x)),
        (global_avg_pool_backward, (dy[:, 0, 0], x)),
    ]
    for function, args in cases:
        compiled = jax.jit(function)
        actual, expected = compiled(*args), compiled(*(a.astype(jnp.float64) for a in args))
        assert actual.dtype == dtype
        bound = 101 * inner * float(jnp.abs(wide).max()) + outer * jnp.abs(expected)
        assert bool(jnp.all(jnp.abs(actual.astype(jnp.float64) - expected) <= bound))


def test_the_gradient_of_a_mean_over_more_pixels_than_float16_counts() -> None:
    x = jnp.zeros((1, 70_000, 1), jnp.float16)
    dx = global_avg_pool_backward(jnp.full((1, 1), 7, jnp.float16), x)
    assert float(dx[0, 0, 0]) == pytest.approx(1e-4, rel=2**-10)


def loss(gradient: Any, x: jax.Array) -> jax.Array:
    return jnp.sin(max_pool(x, 3, stride=2, padding=1, gradient=gradient)).sum()


def sharded(function: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    return jax.jit(
        jax.shard_map(jax.grad(function), mesh=mesh, in_specs=PartitionSpec("data"), out_specs=PartitionSpec("data"))
    )


def in_scan(function: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    return lambda x: jax.lax.scan(lambda x, _: (x - 0.1 * jax.grad(function)(x), None), x, length=3)[0]


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(jax.grad, id="grad"),
        pytest.param(lambda f: jax.vmap(lambda x: jax.grad(f)(x[None])), id="vmap"),
        pytest.param(in_scan, id="scan"),
        pytest.param(lambda f: jax.grad(lambda x: (jax.grad(f)(x) ** 2).sum()), id="second-order"),
        pytest.param(sharded, id="shard_map"),
    ],
)
def test_manual_gradient_through_jax(transform: Callable[..., Callable[[jax.Array], jax.Array]]) -> None:
    x = jnp.asarray(normal(4, 5, 6, 2))
    manual, automatic = (jax.jit(transform(partial(loss, gradient)))(x) for gradient in GRADIENTS)
    assert_agree(manual, automatic)


def test_manual_gradient_has_no_forward_mode() -> None:
    x = jnp.ones((1, 4, 4, 1))
    with pytest.raises(TypeError, match="has no forward mode"):
        jax.jvp(partial(loss, "manual"), (x,), (x,))
