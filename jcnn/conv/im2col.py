"""Convolution as one matrix product, every patch a row, every filter a column; the filters' gradient as another."""

import math

import jax.numpy as jnp
from jax import Array
from jaxtyping import Num

from jcnn.conv.channels import mix
from jcnn.precision import wide
from jcnn.window import Window


def patches(x: Num[Array, "n *s c"], window: Window) -> Num[Array, "n *o k c"]:
    """What every window position sees, its taps in a row: patches[n, o, k] = x[n, S·o + D·k − P]."""
    padded = window.pad(x)
    return jnp.stack([window.view(padded, tap) for tap in window.taps()], -2)


def conv_im2col(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """y = patches(x) @ reshape(w): a long inner product at the price of an input copied once for every tap.

    Source: Chellapilla, Puri & Simard 2006, "High performance convolutional neural networks for document processing".
    """
    seen = patches(wide(x), window)
    *where, taps, channels = seen.shape
    # A group's taps and channels lie side by side, in the order of the rows of its filters.
    rows = seen.reshape(*where, taps, groups, channels // groups).swapaxes(-2, -3).reshape(*where, taps * channels)
    columns = wide(w).reshape(math.prod(w.shape[:-1]), w.shape[-1])
    return mix(rows, columns, groups)


def by_patches(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_in c_out"]:
    """dw = patches(x)ᵀ @ dy, of one group: one product for all taps, at the price of an input copied once for every tap."""
    rows = patches(wide(x), window).reshape(-1, math.prod(window.size) * x.shape[-1])
    return jnp.matmul(rows.T, wide(dy).reshape(-1, dy.shape[-1])).reshape(*window.size, x.shape[-1] // groups, dy.shape[-1])
