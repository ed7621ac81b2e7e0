"""Augmentation: every image seen a little shifted, turned and resized, so that the network learns to look past that."""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Float

from jcnn.precision import rounded_once


def warp(
    key: Array, images: Float[Array, "n h w c"], *, shift: float = 1.0, degrees: float = 15.0, zoom: float = 0.15
) -> Float[Array, "n h w c"]:
    """Each image under its own random similarity, bilinear, black where it looks beyond the edge.

    With p a pixel's position from the centre, the new image at p is the old one at e^z R(a) p + t. Positions and brightness are
    computed in float32 at least, whatever the dtype of the images: in bfloat16 there is no 257th pixel.

    Args:
        key: a JAX random key; the result is a pure function of it and the images.
        images: (N, H, W, C), floating.
        shift: t is uniform in [−shift, shift] pixels along each axis.
        degrees: a is uniform in [−degrees, degrees].
        zoom: z is uniform in [−zoom, zoom].

    Returns:
        (N, H, W, C), dtype of images.

    Source: Simard, Steinkraus & Platt 2003, "Best practices for convolutional neural networks".
    """
    return rounded_once(lambda images: _warp(key, images, shift, degrees, zoom), images)


def _warp(key: Array, images: Array, shift: float, degrees: float, zoom: float) -> Array:
    n, height, width, _ = images.shape
    dtype = images.dtype
    shift_key, turn_key, zoom_key = jax.random.split(key, 3)
    moved = jax.random.uniform(shift_key, (n, 2), dtype, -shift, shift)
    angle = jax.random.uniform(turn_key, (n,), dtype, -math.radians(degrees), math.radians(degrees))
    scale = jnp.exp(jax.random.uniform(zoom_key, (n,), dtype, -zoom, zoom))
    centre_row, centre_column = (height - 1) / 2, (width - 1) / 2
    rows, columns = jnp.meshgrid(
        jnp.arange(height, dtype=dtype) - centre_row, jnp.arange(width, dtype=dtype) - centre_column, indexing="ij"
    )

    def one(image: Array, moved: Array, angle: Array, scale: Array) -> Array:
        cosine, sine = jnp.cos(angle) * scale, jnp.sin(angle) * scale
        at = [
            cosine * rows - sine * columns + centre_row + moved[0],
            sine * rows + cosine * columns + centre_column + moved[1],
        ]
        return jax.vmap(lambda channel: map_coordinates(channel, at, order=1, mode="constant"), -1, -1)(image)

    return jax.vmap(one)(images, moved, angle, scale)
