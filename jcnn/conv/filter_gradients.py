"""The gradient of a convolution by its filters, in the forms that differ in speed; `jcnn.conv.backward` has the derivation.

Their sums over float16 and bfloat16 are float32.
"""

import math
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn import geometry
from jcnn.conv.channels import between_channels
from jcnn.conv.folded import filter_gradient_folded
from jcnn.conv.im2col import patches
from jcnn.conv.lax import conv_lax
from jcnn.precision import wide
from jcnn.window import Window

PARTS = 8
"""Into so many parts a long sum over examples is divided."""


def by_correlation(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_in c_out"]:
    """A convolution again, of one group: its examples are the channels of x, its channels the examples, its filters dy.

    What was the stride is its dilation, and the dilation its stride. The transposes are written out, so that it has the layout
    of a forward convolution: XLA's CPU backend falls to a slow general kernel for any other inside a loop.
    """
    edges = []
    for n, o, f, s, (lo, _), d in zip(x.shape[1:-1], dy.shape[1:-1], *window, strict=True):
        edges.append((lo, s * (o - 1) + geometry.span(f, d) - n - lo))  # no further than the last window looks
    if min(map(min, edges)) < 0:  # pixels that no window saw are cropped, which a convolution cannot
        x = lax.pad(x, x.dtype.type(0), ((0, 0, 0), *((*edge, 0) for edge in edges), (0, 0, 0)))
        edges = [(0, 0)] * len(edges)
    swapped = Window(dy.shape[1:-1], window.dilation, tuple(edges), window.stride)
    rank = len(edges)
    return jnp.moveaxis(conv_lax(jnp.swapaxes(x, 0, -1), jnp.moveaxis(dy, 0, rank), swapped, groups), 0, rank)


def by_taps(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_group c_out"]:
    """dw[k] = view(x, k)ᵀ @ dy: a matrix product per tap and group, over all examples and positions.

    In `PARTS` sums that are added at the end: XLA's CPU backend divides one product with so long a sum badly among its threads.
    """
    padded, parts = window.pad(x), math.gcd(PARTS, dy.shape[0])
    split = dy.reshape(parts, -1, dy.shape[-1])

    def at(tap: tuple[int, ...]) -> Array:
        seen = window.view(padded, tap).reshape(parts, -1, x.shape[-1])
        return between_channels(seen, split, groups).sum(0)

    return jnp.stack([at(tap) for tap in window.taps()]).reshape(*window.size, -1, dy.shape[-1])


def by_patches(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_in c_out"]:
    """dw = patches(x)ᵀ @ dy, of one group: one product for all taps, at the price of an input copied once for every tap."""
    rows = patches(wide(x), window).reshape(-1, math.prod(window.size) * x.shape[-1])
    return jnp.matmul(rows.T, wide(dy).reshape(-1, dy.shape[-1])).reshape(*window.size, x.shape[-1] // groups, dy.shape[-1])


def by_folded_patches(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_in c_out"]:
    """`by_patches` of folded pixels: fewer and longer pieces to copy."""
    return filter_gradient_folded(dy, x, window, groups, by_patches)


@partial(jax.jit, static_argnames=("window", "groups"))
def by_sums(dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int) -> Num[Array, "*f 1 c_out"]:
    """dw[k, c] = Σ_{n,o} view(x, k)[n, o, c] · dy[n, o, c], for groups of a single input channel each.

    No channels meet, so that there is nothing for a matrix product to do. The examples are added in `PARTS` stacks, entry by
    entry; what remains is a product with ones, for which XLA's CPU backend has a faster kernel than for a sum.
    """
    padded, parts = window.pad(wide(x)), math.gcd(PARTS, dy.shape[0])
    split = wide(dy).reshape(*dy.shape[:-1], groups, -1)
    each = dy.shape[0] // parts

    def at(tap: tuple[int, ...]) -> Array:
        products = window.view(padded, tap)[..., None] * split
        stacks = [lax.slice_in_dim(products, part * each, (part + 1) * each) for part in range(parts)]
        rows = lax.optimization_barrier(reduce(jnp.add, stacks)).reshape(-1, dy.shape[-1])
        return jnp.matmul(jnp.ones((1, len(rows)), rows.dtype), rows)

    return jnp.stack([at(tap) for tap in window.taps()]).reshape(*window.size, 1, dy.shape[-1])
