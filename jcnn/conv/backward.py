"""The gradients of convolution, derived by hand.

With y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] + b and the output gradient dy = ∂L/∂y (n an example, o an output position,
k a tap; ᵀ swaps the channels):

    ∂L/∂b    = Σ_{n,o} dy[n, o]                              every output adds b once
    ∂L/∂w[k] = Σ_{n,o} x[n, S·o + D·k − P]ᵀ dy[n, o]         w[k] meets exactly the pixels tap k sees
    ∂L/∂x[i] = Σ_{k,o: S·o + D·k − P = i} dy[n, o] · w[k]ᵀ   all outputs that saw pixel i, through the tap that saw it

The last sum is a full convolution of dy, its entries pulled S pixels apart, with the flipped filter: substitute
j = S·o (zero where no output stands) and k → F − 1 − k. Pixels no window touched get 0.

Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 4; Goodfellow, Bengio &
Courville 2016, "Deep Learning", section 9.5.
"""

import math
from collections.abc import Sequence
from functools import reduce

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn import geometry
from jcnn.conv.channels import mix
from jcnn.conv.lax import conv_lax
from jcnn.precision import wide
from jcnn.window import Window


def input_gradient(
    dy: Num[Array, "n *o c_out"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int, input_shape: Sequence[int]
) -> Num[Array, "n *s c_in"]:
    """dx: the output gradient, pulled apart by the stride, convolved with the flipped filter, channels swapped.

    Written with a plain stride-1 convolution, the one form every backend has a fast kernel for. Where every filter has a group
    of its own, as in a depthwise convolution, that kernel is missing on the CPU, and the sum is taken tap by tap.
    """
    if w.shape[-1] == groups and jax.default_backend() == "cpu":
        return _by_places(dy, w, window, groups, input_shape)
    edges, ones = [], (1,) * len(window.size)
    for o, n, f, s, (lo, _), d in zip(dy.shape[1:-1], input_shape, *window, strict=True):
        before = geometry.span(f, d) - 1 - lo
        edges.append((before, n - before - (s * (o - 1) + 1) + geometry.span(f, d) - 1, s - 1))
    stretched = lax.pad(dy, dy.dtype.type(0), ((0, 0, 0), *edges, (0, 0, 0)))
    plain = Window(window.size, ones, ((0, 0),) * len(ones), window.dilation)
    return conv_lax(stretched, flip_and_swap(w, groups), plain, groups)


def _by_places(dy: Array, w: Array, window: Window, groups: int, input_shape: Sequence[int]) -> Array:
    """dx = Σ_k place(dy · w[k]ᵀ, k), the sum as it is written above."""
    back = jnp.flip(flip_and_swap(wide(w), groups), tuple(range(len(window.size))))
    terms = (window.place(mix(wide(dy), back[tap], groups), tap, input_shape) for tap in window.taps())
    return reduce(jnp.add, terms).astype(dy.dtype)


def flip_and_swap(w: Num[Array, "*f c_group c_out"], groups: int) -> Num[Array, "*f o_group c_in"]:
    """The filter of the way back: reversed along every spatial axis, input and output channels swapped within each group."""
    *f, c_group, c_out = w.shape
    axes = tuple(range(len(f)))
    split = jnp.flip(w, axes).reshape(*f, c_group, groups, c_out // groups)
    return split.transpose(*axes, len(f) + 2, len(f) + 1, len(f)).reshape(*f, c_out // groups, groups * c_group)


def filter_gradient(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_group c_out"]:
    """dw: the input correlated with the output gradient; a product per tap where that is the faster way to the same sums."""
    single_products = groups > 1 or math.prod(window.size) == 1
    return _by_taps(dy, x, window, groups) if single_products else _by_correlation(dy, x, window)


def _by_taps(dy: Array, x: Array, window: Window, groups: int) -> Array:
    """dw[k] = view(x, k)ᵀ @ dy: one matrix product per tap and group, over all examples and positions at once."""
    padded = window.pad(x)
    split = dy.reshape(-1, groups, dy.shape[-1] // groups)

    def at(tap: tuple[int, ...]) -> Array:
        seen = window.view(padded, tap).reshape(-1, groups, x.shape[-1] // groups)
        return jnp.einsum("pgi,pgo->igo", seen, split).reshape(-1, dy.shape[-1])

    return jnp.stack([at(tap) for tap in window.taps()]).reshape(*window.size, -1, dy.shape[-1])


def _by_correlation(dy: Array, x: Array, window: Window) -> Array:
    """A convolution again: its examples are the channels of x, its channels the examples, its filters dy.

    What was the stride is its dilation, and the dilation its stride. The transposes are written out, so that it has the layout
    of a forward convolution: XLA's CPU backend falls to a slow general kernel for any other inside a loop.
    """
    edges = []
    for n, o, f, s, (lo, _), d in zip(x.shape[1:-1], dy.shape[1:-1], *window, strict=True):
        edges.append((lo, s * (o - 1) + geometry.span(f, d) - n - lo))  # no further than the last window looks
    swapped = Window(dy.shape[1:-1], window.dilation, tuple(edges), window.stride)
    rank = len(edges)
    return jnp.moveaxis(conv_lax(jnp.swapaxes(x, 0, -1), jnp.moveaxis(dy, 0, rank), swapped, 1), 0, rank)


def bias_gradient(dy: Num[Array, "n *o c_out"]) -> Num[Array, " c_out"]:
    """db = Σ over examples, then over positions.

    In two steps, since XLA's CPU backend makes a slow `reduce_window` of one sum over so many numbers.
    """
    per_position = jax.lax.optimization_barrier(wide(dy).sum(0))
    return per_position.sum(tuple(range(per_position.ndim - 1))).astype(dy.dtype)
