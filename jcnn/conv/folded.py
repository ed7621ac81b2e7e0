"""Convolution with neighbouring pixels side by side among the channels: fewer and wider products where channels are few.

Along the last axis, T = `NEIGHBOURS` outputs become the channels of one, and the S·T pixels between them and the next those of
one input. With q the place of such a cell, (j, c) its pixel and channel, (t, o) its output and filter:

    y'[q, (t, o)] = Σ_k x'[q + k, (j, c)] · w'[k, (j, c), (t, o)]
    w'[k, (j, c), (t, o)] = w[κ, c, o] where S·T·k + j = S·t + D·κ, and 0 where no tap κ lies

The zeros are multiplied with, (F + 1)/F times as many products for T = 2 and odd filters that move by one pixel; kernels that
compute many channels at once make more than that good where there are few. An infinity or NaN reaches its whole cell.
"""

from collections.abc import Callable
from functools import reduce

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn import geometry
from jcnn.conv.im2col import by_patches
from jcnn.conv.lax import conv_lax
from jcnn.precision import wide
from jcnn.window import Window

NEIGHBOURS = 2
"""T, outputs in a cell."""


def fits(outputs: int) -> bool:
    """Whether so many outputs along the last axis fill their cells: otherwise what is left over has to be cut off again."""
    return outputs % NEIGHBOURS == 0


def conv_folded(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_in c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """y from y' above, a convolution by `lax` of one group."""
    outputs = window.output_shape(x.shape[1:-1])[-1]
    # Held, or what reads the filters more than once would spread them each time.
    spread = lax.optimization_barrier(_spread(wide(w), window))
    y = conv_lax(_fold_input(wide(x), window, outputs), spread, _folded(window), groups)
    y = y.reshape(*y.shape[:-2], -1, w.shape[-1])
    return lax.slice_in_dim(y, 0, outputs, axis=y.ndim - 2)


def filter_gradient_folded(
    dy: Num[Array, "n *o c_out"],
    x: Num[Array, "n *s c_in"],
    window: Window,
    groups: int,
    form: Callable[[Array, Array, Window, int], Array],
) -> Num[Array, "*f c_in c_out"]:
    """dw by `form` for the cells, then every tap of it from the outputs of a cell: dw[κ, c, o] = Σ_t dw'[k, (j, c), (t, o)].

    Args:
        dy: output gradient.
        x: the input that the convolution saw.
        window: its window.
        groups: 1.
        form: the same gradient of any convolution, such as `by_patches`.
    """
    *first, f = window.size
    s, d = window.stride[-1], window.dilation[-1]
    *_, outputs, c_out = dy.shape
    cells = -(-outputs // NEIGHBOURS)
    whole = _extend(wide(dy), 0, cells * NEIGHBOURS - outputs)
    whole = whole.reshape(*whole.shape[:-2], cells, -1)
    spread = form(whole, _fold_input(wide(x), window, outputs), _folded(window), groups)
    spread = spread.reshape(*first, -1, x.shape[-1], NEIGHBOURS, c_out)
    ends = [(s * t, s * t + geometry.span(f, d)) for t in range(NEIGHBOURS)]
    taps = (lax.slice_in_dim(spread[..., t, :], start, end, d, axis=len(first)) for t, (start, end) in enumerate(ends))
    return reduce(jnp.add, taps)


def by_folded_patches(
    dy: Num[Array, "n *o c_out"], x: Num[Array, "n *s c_in"], window: Window, groups: int
) -> Num[Array, "*f c_in c_out"]:
    """`by_patches` of folded pixels: fewer and longer pieces to copy."""
    return filter_gradient_folded(dy, x, window, groups, by_patches)


def _seen(window: Window) -> int:
    """Input cells that an output cell sees: the pixels from the first tap of its first output to the last of its last."""
    f, s, d = window.size[-1], window.stride[-1], window.dilation[-1]
    return -(-(s * (NEIGHBOURS - 1) + geometry.span(f, d)) // (s * NEIGHBOURS))


def _folded(window: Window) -> Window:
    """The window over cells."""
    size, stride, padding, dilation = window
    return Window((*size[:-1], _seen(window)), (*stride[:-1], 1), (*padding[:-1], (0, 0)), (*dilation[:-1], 1))


def _fold_input(x: Array, window: Window, outputs: int) -> Array:
    """x' from x, padded along the last axis, at its end as far as the last cell that is seen."""
    pixels = window.stride[-1] * NEIGHBOURS
    cells = -(-outputs // NEIGHBOURS) - 1 + _seen(window)
    before = window.padding[-1][0]
    x = _extend(x, before, cells * pixels - before - x.shape[-2])
    return x.reshape(*x.shape[:-2], cells, -1)


def _spread(w: Array, window: Window) -> Array:
    """w' from w."""
    s, d = window.stride[-1], window.dilation[-1]
    *first, f, c_in, c_out = w.shape
    cells, pixels = _seen(window), s * NEIGHBOURS
    after = cells * pixels - geometry.span(f, d)
    moved = [_extend(w, s * t, after - s * t, d - 1, axis=-3) for t in range(NEIGHBOURS)]
    return jnp.stack(moved, -2).reshape(*first, cells, pixels * c_in, NEIGHBOURS * c_out)


def _extend(x: Array, before: int, after: int, inner: int = 0, axis: int = -2) -> Array:
    """Zeros along one axis; what is negative crops."""
    edges = [(0, 0, 0)] * x.ndim
    edges[axis] = (before, after, inner)
    return lax.pad(x, x.dtype.type(0), edges)
