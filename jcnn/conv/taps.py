"""Convolution as a sum over filter positions, one matrix product per tap, and both its gradients."""

import math
from collections.abc import Sequence
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn.conv.channels import between_channels, mix
from jcnn.conv.lax import flip_and_swap
from jcnn.precision import wide
from jcnn.window import Window

PARTS = 8
"""Into so many parts a long sum over examples is divided."""


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


def by_places(
    dy: Num[Array, "n *o c_out"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int, input_shape: Sequence[int]
) -> Num[Array, "n *s c_in"]:
    """dx = Σ_k place(dy · w[k]ᵀ, k), the sum as it is written."""
    back = jnp.flip(flip_and_swap(wide(w), groups), tuple(range(len(window.size))))
    terms = (window.place(mix(wide(dy), back[tap], groups), tap, input_shape) for tap in window.taps())
    return reduce(jnp.add, terms)


def by_taps(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_group c_out"]:
    """dw[k] = view(x, k)ᵀ @ dy: a matrix product per tap and group, over all examples and positions.

    In `PARTS` sums that are added at the end: XLA's CPU backend divides one product with so long a sum badly among its threads.
    """
    padded, parts = window.pad(x), _parts(dy.shape[0])
    split = dy.reshape(parts, -1, dy.shape[-1])

    def at(tap: tuple[int, ...]) -> Array:
        seen = window.view(padded, tap).reshape(parts, -1, x.shape[-1])
        return between_channels(seen, split, groups).sum(0)

    return jnp.stack([at(tap) for tap in window.taps()]).reshape(*window.size, -1, dy.shape[-1])


@partial(jax.jit, static_argnames=("window", "groups"))
def by_sums(dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int) -> Num[Array, "*f 1 c_out"]:
    """dw[k, c] = Σ_{n,o} view(x, k)[n, o, c] · dy[n, o, c], for groups of a single input channel each.

    No channels meet, so that there is nothing for a matrix product to do. The examples are added in `PARTS` stacks, entry by
    entry; what remains is a product with ones, for which XLA's CPU backend has a faster kernel than for a sum.
    """
    padded, parts = window.pad(wide(x)), _parts(dy.shape[0])
    split = wide(dy).reshape(*dy.shape[:-1], groups, -1)
    each = dy.shape[0] // parts

    def at(tap: tuple[int, ...]) -> Array:
        products = window.view(padded, tap)[..., None] * split
        stacks = [lax.slice_in_dim(products, part * each, (part + 1) * each) for part in range(parts)]
        rows = lax.optimization_barrier(reduce(jnp.add, stacks)).reshape(-1, dy.shape[-1])
        return jnp.matmul(jnp.ones((1, rows.shape[0]), rows.dtype), rows)

    return jnp.stack([at(tap) for tap in window.taps()]).reshape(*window.size, 1, dy.shape[-1])


def _parts(examples: int) -> int:
    """Into how many equal parts so many examples are divided; 1 where their number is a symbol, with no divisor known."""
    return math.gcd(PARTS, examples) if isinstance(examples, int) else 1
