"""Convolution against its textbook sum, SciPy, and the laws of a convolution."""

# NumPy arrays are taken where annotations say jax.Array.
# pyright: reportArgumentType=false

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn import conv, convolve, dense
from tests import references
from tests.geometries import geometries
from tests.references import Geometry, assert_agree, levels, normal

GROUPS = st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6)])  # groups, C_in, C_out: full, grouped, depthwise


@given(geometries(), GROUPS)
@settings(max_examples=60)
def test_conv_is_the_textbook_sum(geometry: Geometry, channels: tuple[int, int, int]) -> None:
    groups, c_in, c_out = channels
    x, w, b = normal(2, *geometry.sizes, c_in), normal(*geometry.window, c_in // groups, c_out), normal(c_out)
    y = jax.jit(partial(conv, groups=groups, **geometry.options))(x, w, b)
    assert_agree(y, references.conv(x, w, b, geometry, groups))


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize("sizes", [(9,), (6, 7), (4, 5, 3)], ids=["1d", "2d", "3d"])
def test_stride_one_agrees_with_scipy(sizes: tuple[int, ...], mode: Any) -> None:
    x, w = normal(*sizes), normal(*(3,) * len(sizes), seed=1)
    padding = 2 if mode == "full" else mode
    correlated, convolved = (
        op(jnp.asarray(x)[None, ..., None], jnp.asarray(w)[..., None, None], padding=padding)[0, ..., 0]
        for op in (conv, convolve)
    )
    assert_agree(correlated, scipy.signal.correlate(x, w, mode, "direct"))
    assert_agree(convolved, scipy.signal.convolve(x, w, mode, "direct"))


@jax.jit
def full(f: jax.Array, g: jax.Array) -> jax.Array:
    """f * g wherever it is not zero, over arrays of one channel and no batch."""
    padding = tuple((n - 1, n - 1) for n in g.shape)
    return convolve(f[None, ..., None], g[..., None, None], padding=padding)[0, ..., 0]


@given(st.integers(1, 3).flatmap(lambda rank: st.lists(st.tuples(*[st.integers(1, 5)] * rank), min_size=3, max_size=3)))
@settings(max_examples=10)
def test_convolve_commutes_and_associates(shapes: list[tuple[int, ...]]) -> None:
    f, g, h = (jnp.asarray(normal(*shape, seed=seed)) for seed, shape in enumerate(shapes))
    assert_agree(full(f, g), full(g, f))
    assert_agree(full(f, g), scipy.signal.convolve(f, g, "full", "direct"))
    assert_agree(full(full(f, g), h), full(f, full(g, h)))


@given(geometries(ranks=(1, 2)))
@settings(max_examples=20)
def test_linear_in_input_and_filters(geometry: Geometry) -> None:
    x, z = (jnp.asarray(normal(1, *geometry.sizes, 2, seed=seed)) for seed in (0, 1))
    w, v = (jnp.asarray(normal(*geometry.window, 2, 2, seed=seed)) for seed in (2, 3))

    @jax.jit
    def op(x: jax.Array, w: jax.Array) -> jax.Array:
        return conv(x, w, **geometry.options)

    assert_agree(op(2 * x + z, w) - 2 * op(x, w), op(z, w), 1e-11)  # the difference may be ten times smaller than its terms
    assert_agree(op(x, 2 * w + v) - 2 * op(x, w), op(x, v), 1e-11)


@given(geometries(ranks=(1, 2), roundings=("floor",)), st.integers(1, 3))
@settings(max_examples=20)
def test_equivariant_to_translation(geometry: Geometry, steps: int) -> None:
    """An input moved by a multiple of the stride moves the output, where it keeps a border of zeros wide enough."""
    spans = [d * (f - 1) + 1 for f, d in zip(geometry.window, geometry.dilation, strict=True)]
    edges = [(span + 3 * s, span + 3 * s) for span, s in zip(spans, geometry.stride, strict=True)]
    x = np.pad(normal(1, *geometry.sizes, 1), ((0, 0), *edges, (0, 0)))
    w = normal(*geometry.window, 1, 2)
    axes = tuple(range(1, x.ndim - 1))
    options = {"stride": geometry.stride, "dilation": geometry.dilation}
    moved = conv(np.roll(x, [steps * s for s in geometry.stride], axes), w, **options)
    assert_agree(moved, np.roll(conv(x, w, **options), [steps] * len(axes), axes))


@pytest.mark.parametrize("sizes", [(5,), (4, 3), (2, 3, 2)], ids=["1d", "2d", "3d"])
def test_one_pixel_window_is_a_dense_layer_at_every_pixel(sizes: tuple[int, ...]) -> None:
    x, w, b = normal(2, *sizes, 3), normal(3, 4), normal(4)
    assert_agree(conv(x, w.reshape(*(1,) * len(sizes), 3, 4), b), dense(x, w, b))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_are_exact(dtype: str, groups: int) -> None:
    """Above 2²⁴ and 2⁵³, where a detour through floating point would lose units."""
    large = 2**27 + 1 if dtype == "int32" else 2**55 + 1
    x, w = levels(1, 5, 5, 4).astype(dtype), levels(3, 3, 4 // groups, 2).astype(dtype)
    x[0, 2, 2], w[1, 1] = 1, large
    b = np.array([1, -1], dtype)
    y = conv(x, w, b, padding=1, groups=groups)
    assert y.dtype == dtype
    geometry = Geometry((5, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), "floor")
    np.testing.assert_array_equal(y, references.conv(x, w, b, geometry, groups))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_floating_dtypes_keep_their_accuracy(dtype: str) -> None:
    """Each of 300 products in a sum is rounded once in at least float32; the result and the bias's addition once in `dtype`."""
    x, w, b = (jnp.asarray(a, dtype) for a in (normal(2, 9, 9, 12), normal(5, 5, 12, 4), normal(4)))
    y = conv(x, w, b)
    assert y.dtype == dtype
    wide = [np.asarray(a.astype(jnp.float64)) for a in (x, w, b)]
    exact, magnitude = np.asarray(conv(*wide)), np.asarray(conv(*map(np.abs, wide)))
    outer = float(jnp.finfo(dtype).eps)
    inner = min(outer, float(jnp.finfo(jnp.float32).eps))
    bound = 300 * inner * magnitude + outer * (np.abs(exact) + np.abs(wide[2]))
    assert (np.abs(y.astype(jnp.float64) - exact) <= bound).all()


def test_works_under_jit_and_vmap() -> None:
    x, w = jnp.asarray(normal(3, 2, 6, 6, 2)), jnp.asarray(normal(3, 3, 2, 2))
    looped = jnp.stack([conv(one, w, stride=2, padding="same") for one in x])
    mapped = jax.jit(jax.vmap(lambda one: conv(one, w, stride=2, padding="same")))(x)
    assert_agree(mapped, looped)


def test_every_spelling_of_the_arguments_is_the_same_convolution() -> None:
    x, w = normal(1, 7, 7, 2), normal(3, 3, 2, 2)
    spellings = [2, (2, 2), [2, 2], np.int64(2)]
    references.same_everywhere(lambda stride: conv(x, w, stride=stride), spellings)
    references.same_everywhere(lambda padding: conv(x, w, padding=padding), [1, (1, 1), ((1, 1), (1, 1)), "same", "same_lower"])
