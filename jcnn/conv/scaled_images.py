"""Convolution of few channels: scaled images, added."""

from functools import reduce

import jax.numpy as jnp
from jax import Array
from jaxtyping import Num

from jcnn.precision import wide
from jcnn.window import Window


def conv_scaled_images(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_in c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """y = Σ_k Σ_c view(x, k)[…, c] · w[k, c], of one group: `conv_taps` with its thin matrix products written out as sums.

    XLA's CPU backend has no fast kernel for the product of such a thin matrix.
    """
    del groups
    padded, filters = window.pad(wide(x)), wide(w)

    def at(tap: tuple[int, ...]) -> Array:
        seen = window.view(padded, tap)
        rows = filters[tap].reshape(x.shape[-1], *(1,) * (x.ndim - 1), w.shape[-1])
        return reduce(jnp.add, (seen[..., channel, None] * row for channel, row in enumerate(rows)))

    return reduce(jnp.add, (at(tap) for tap in window.taps()))
