"""The warp: nothing when nothing is asked for, whole pixels where it can be told, the same for the same key."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn.data.augment import warp

IMAGES = jax.random.uniform(jax.random.key(1), (5, 6, 9, 2), jnp.float64)


def test_no_amount_is_no_change() -> None:
    # Coordinates are exact here, so bilinear weights are 0 and 1.
    np.testing.assert_allclose(warp(jax.random.key(0), IMAGES, shift=0, degrees=0, zoom=0), IMAGES, rtol=1e-14)


def test_the_key_decides() -> None:
    same, other = warp(jax.random.key(0), IMAGES), warp(jax.random.key(1), IMAGES)
    np.testing.assert_array_equal(warp(jax.random.key(0), IMAGES), same)
    assert not np.allclose(same, other)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_brightness_and_dtype_stay_in_range(dtype: jnp.dtype) -> None:
    warped = warp(jax.random.key(0), IMAGES.astype(dtype), shift=3, degrees=90, zoom=0.5)
    assert warped.dtype == dtype
    assert warped.shape == IMAGES.shape
    slack = float(jnp.finfo(dtype).eps) * 4  # four bilinear weights, each rounded
    assert float(warped.min()) >= -slack
    assert float(warped.max()) <= 1 + slack


def test_a_shift_moves_the_centre_of_mass_by_no_more_than_asked() -> None:
    dot = jnp.zeros((64, 15, 15, 1), jnp.float64).at[:, 7, 7].set(1)
    warped = warp(jax.random.key(0), dot, shift=2, degrees=0, zoom=0)[..., 0]
    np.testing.assert_allclose(warped.sum((1, 2)), 1, rtol=1e-12)
    rows = (warped * jnp.arange(15.0)[None, :, None]).sum((1, 2)) - 7
    assert float(jnp.abs(rows).max()) <= 2 + 1e-12
    assert float(rows.max() - rows.min()) > 2  # 64 draws from 4 pixels' width


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_half_precision_image_is_moved_as_a_float32_one(dtype: str) -> None:
    """The same pixels, and one rounding of the result."""
    images = jax.random.uniform(jax.random.key(2), (2, 24, 300, 1), jnp.float32).astype(dtype)
    warped = warp(jax.random.key(0), images)
    np.testing.assert_array_equal(warped, warp(jax.random.key(0), images.astype(jnp.float32)).astype(dtype))


def test_every_pixel_is_looked_up_where_it_is_by_the_formula() -> None:
    """The image of each pixel's row, and that of its column, show where the 256 × 256 pixels of the new image come from."""
    size, shift, degrees, zoom = 256, 3.0, 15.0, 0.15
    rows = jnp.broadcast_to(jnp.arange(size, dtype=jnp.float32)[:, None, None], (size, size, 1))
    key = jax.random.key(4)
    found = warp(key, jnp.stack([rows, rows.swapaxes(0, 1)]), shift=shift, degrees=degrees, zoom=zoom)

    drawn = [jax.random.uniform(part, shape, jnp.float32, -most, most) for part, shape, most in zip(
        jax.random.split(key, 3), ((2, 2), (2,), (2,)), (shift, math.radians(degrees), zoom), strict=True
    )]  # fmt: skip
    moved, angle, stretch = (np.asarray(part, np.float64) for part in drawn)
    p = np.stack(np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 2, indexing="ij"))
    for number, axis in enumerate((0, 1)):  # the first image tells rows, the second columns
        a, z = angle[number], stretch[number]
        turned = np.exp(z) * (np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ p.reshape(2, -1)).reshape(p.shape)
        at = turned + (size - 1) / 2 + moved[number][:, None, None]
        inside = ((at >= 0) & (at <= size - 1)).all(0)
        assert inside.sum() > 40_000
        assert np.abs(np.asarray(found[number, ..., 0], np.float64) - at[axis])[inside].max() < 1e-3
