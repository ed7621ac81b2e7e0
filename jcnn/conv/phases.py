"""The gradient of a strided convolution by its input, for each phase of the stride a convolution of its own."""

import itertools
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn.conv.lax import by_one_pixel, conv_lax, flip_and_swap
from jcnn.precision import wide
from jcnn.window import Window


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
        return conv_lax(seen, flip_and_swap(taps, groups), by_one_pixel(size, (1,) * len(size)), groups)

    phases = [phase(first) for first in itertools.product(*map(range, window.stride))]
    for axis, s in reversed(list(enumerate(window.stride))):
        phases = [jnp.stack(phases[first : first + s], axis + 2) for first in range(0, len(phases), s)]
    padded = phases[0].reshape(dy.shape[0], *(q * s for q, s in zip(rows, window.stride, strict=True)), -1)
    before = [lo for lo, _ in window.padding]
    after = [lo + n for lo, n in zip(before, input_shape, strict=True)]
    return lax.slice(padded, (0, *before, 0), (dy.shape[0], *after, padded.shape[-1]))
