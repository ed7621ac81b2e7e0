"""Convolution as a sum over filter positions: one matrix product per tap."""

from functools import reduce

import jax.numpy as jnp
from jax import Array
from jaxtyping import Num

from jcnn.conv.channels import mix
from jcnn.precision import wide
from jcnn.window import Window


def conv_taps(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """y = Σ_k view(x, k) @ w[k], each view one strided slice, each product over the channels.

    No memory but a view at a time; compile time grows with the number of taps, never with the image.

    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 2.
    """
    padded, filters = window.pad(wide(x)), wide(w)
    terms = (mix(window.view(padded, tap), filters[tap], groups) for tap in window.taps())
    return reduce(jnp.add, terms)
