"""Convolution as a product of spectra."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from jcnn.conv.channels import mix
from jcnn.precision import wide
from jcnn.window import Window


def conv_fft(
    x: Float[Array, "n *s c_in"], w: Float[Array, "*f c_group c_out"], window: Window, groups: int
) -> Float[Array, "n *o c_out"]:
    """y = F⁻¹[ F[pad(x)] · conj F[w] ], the convolution theorem for real signals, at every S-th position.

    The theorem speaks of signals on a circle. The padded input and the filter, pulled apart by the dilation, are laid on one
    that holds the input: windows that start and end within the input never cross the seam, and `conv` asks for no others.
    What a stride skips is computed and dropped. The error is relative to Σ_c ‖x_c‖₂‖w_c‖₂ over the whole image, also where
    a window sees nothing but small numbers.

    Raises:
        TypeError: integers, which would not stay exact.

    Source: Mathieu, Henaff & LeCun 2014, "Fast training of convolutional networks through FFTs".
    """
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(
            f"formulation='fft': x has dtype {x.dtype}, expected a float; 'lax', 'taps' and 'im2col' keep integers exact"
        )
    padded = window.pad(wide(x))
    stretched = lax.pad(wide(w), padded.dtype.type(0), (*((0, 0, d - 1) for d in window.dilation), (0, 0, 0), (0, 0, 0)))
    rank = len(window.size)
    circle = tuple(map(good_size, padded.shape[1:-1]))
    image = jnp.fft.rfftn(padded, circle, range(1, rank + 1))
    filters = jnp.fft.rfftn(stretched, circle, range(rank)).conj()

    at_each_frequency = jax.vmap(partial(mix, groups=groups), (1, 0), 1)
    product = at_each_frequency(image.reshape(x.shape[0], -1, x.shape[-1]), filters.reshape(-1, *w.shape[-2:]))
    y = jnp.fft.irfftn(product.reshape(*image.shape[:-1], w.shape[-1]), circle, range(1, rank + 1))

    last = [s * (o - 1) + 1 for s, o in zip(window.stride, window.output_shape(x.shape[1:-1]), strict=True)]
    return lax.slice(y, (0,) * y.ndim, (x.shape[0], *last, w.shape[-1]), (1, *window.stride, 1))


def good_size(n: int) -> int:
    """The least size of at least n with no prime factor above 5, which fast Fourier transforms divide into short ones."""

    def rest(size: int) -> int:
        for prime in (2, 3, 5):
            while size % prime == 0:
                size //= prime
        return size

    return next(size for size in itertools.count(n) if rest(size) == 1)
