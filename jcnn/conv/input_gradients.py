"""The gradient of a convolution by its input, in the forms that differ in speed; `jcnn.conv.backward` has the derivation."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn import geometry
from jcnn.conv.channels import mix
from jcnn.conv.lax import conv_lax
from jcnn.precision import wide
from jcnn.window import Window


def by_convolution(
    dy: Num[Array, "n *o c_out"],
    w: Num[Array, "*f c_group c_out"],
    window: Window,
    groups: int,
    input_shape: Sequence[int],
    formulation: Callable[[Array, Array, Window, int], Array] = conv_lax,
) -> Num[Array, "n *s c_in"]:
    """dx = the output gradient, pulled apart by the stride, convolved with the flipped filter, channels swapped.

    A plain convolution of stride 1, the one form that every backend has a fast kernel for.
    """
    edges = []
    for o, n, f, s, (lo, _), d in zip(dy.shape[1:-1], input_shape, *window, strict=True):
        before = geometry.span(f, d) - 1 - lo
        edges.append((before, n - before - (s * (o - 1) + 1) + geometry.span(f, d) - 1))
    # Held, or what reads the filter more than once would turn it around each time.
    back = lax.optimization_barrier(flip_and_swap(w, groups))
    if (
        set(window.stride) == {1} and min(map(min, edges)) >= 0
    ):  # nothing to pull apart or crop: the convolution pads as it reads
        return formulation(dy, back, _plain(window.size, window.dilation, edges), groups)
    apart = [(lo, hi, s - 1) for (lo, hi), s in zip(edges, window.stride, strict=True)]
    stretched = lax.pad(dy, dy.dtype.type(0), ((0, 0, 0), *apart, (0, 0, 0)))
    if dy.ndim == 5:
        # Held, or XLA's CPU backend joins padding and convolution over three axes, and for some sizes ends the process.
        stretched = lax.optimization_barrier(stretched)
    return formulation(stretched, back, _plain(window.size, window.dilation), groups)


@partial(jax.jit, static_argnames=("window", "groups", "input_shape"))
def by_phases(
    dy: Num[Array, "n *o c_out"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int, input_shape: Sequence[int]
) -> Num[Array, "n *s c_in"]:
    """dx pixel by pixel modulo the stride: a small convolution of dy for each of the Π S phases, then all interleaved.

    With i + P = S·q + r, only the taps k = r + S·t reach pixel i, from outputs q − t. So no product is spent on the zeros
    between outputs pulled apart. For a dilation of 1.

    Source: Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network", appendix.
    """
    dy, w = wide(dy), wide(w)
    rows = [-(-(n + lo) // s) for n, s, (lo, _) in zip(input_shape, window.stride, window.padding, strict=True)]

    def phase(first: tuple[int, ...]) -> Array:
        taps = w[tuple(slice(r, None, s) for r, s in zip(first, window.stride, strict=True))]
        if 0 in taps.shape:
            return jnp.zeros((dy.shape[0], *rows, w.shape[-2] * groups), dy.dtype)
        size = taps.shape[:-2]
        edges = [(t - 1, q - o, 0) for t, q, o in zip(size, rows, dy.shape[1:-1], strict=True)]
        seen = lax.pad(dy, dy.dtype.type(0), ((0, 0, 0), *edges, (0, 0, 0)))
        return conv_lax(seen, flip_and_swap(taps, groups), _plain(size, (1,) * len(size)), groups)

    phases = [phase(first) for first in itertools.product(*map(range, window.stride))]
    for axis, s in reversed(list(enumerate(window.stride))):
        phases = [jnp.stack(phases[first : first + s], axis + 2) for first in range(0, len(phases), s)]
    padded = phases[0].reshape(dy.shape[0], *(q * s for q, s in zip(rows, window.stride, strict=True)), -1)
    before = [lo for lo, _ in window.padding]
    after = [lo + n for lo, n in zip(before, input_shape, strict=True)]
    return lax.slice(padded, (0, *before, 0), (dy.shape[0], *after, padded.shape[-1]))


def by_places(
    dy: Num[Array, "n *o c_out"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int, input_shape: Sequence[int]
) -> Num[Array, "n *s c_in"]:
    """dx = Σ_k place(dy · w[k]ᵀ, k), the sum as it is written."""
    back = jnp.flip(flip_and_swap(wide(w), groups), tuple(range(len(window.size))))
    terms = (window.place(mix(wide(dy), back[tap], groups), tap, input_shape) for tap in window.taps())
    return reduce(jnp.add, terms)


def flip_and_swap(w: Num[Array, "*f c_group c_out"], groups: int) -> Num[Array, "*f o_group c_in"]:
    """The filter of the way back: reversed along every spatial axis, input and output channels swapped within each group."""
    *f, c_group, c_out = w.shape
    axes = tuple(range(len(f)))
    split = jnp.flip(w, axes).reshape(*f, c_group, groups, c_out // groups)
    return split.transpose(*axes, len(f) + 2, len(f) + 1, len(f)).reshape(*f, c_out // groups, groups * c_group)


def _plain(size: tuple[int, ...], dilation: tuple[int, ...], padding: Sequence[tuple[int, int]] | None = None) -> Window:
    """A window that moves by one pixel."""
    return Window(size, (1,) * len(size), tuple(padding or [(0, 0)] * len(size)), dilation)
