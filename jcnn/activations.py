"""Activation functions, each beside its backward.

Shapes (maxout apart) and dtypes pass through: float16, bfloat16 (both computed in float32 and rounded once), float32 and
float64. Integers raise TypeError: most of these functions have no values among them. NaN stays NaN. A backward takes the output
gradient dy first, then the x that the forward saw, and returns dy · f′(x).

Sources: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.3, and the papers named below.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.precision import rounded_once

__all__ = [
    "elu",
    "elu_backward",
    "gelu",
    "gelu_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "log_softmax",
    "log_softmax_backward",
    "maxout",
    "maxout_backward",
    "relu",
    "relu_backward",
    "selu",
    "selu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "softplus",
    "softplus_backward",
    "tanh",
    "tanh_backward",
]

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def relu(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """max(x, 0). Derivative 0 at 0. (Nair & Hinton 2010)"""
    return leaky_relu(x, 0.0)


def relu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · [x > 0]."""
    return leaky_relu_backward(dy, x, 0.0)


def leaky_relu(x: Float[AnyArray, "*n"], slope: float = 0.01) -> Float[Array, "*n"]:
    """x where x > 0, slope · x elsewhere. Derivative slope at 0. (Maas, Hannun & Ng 2013)"""
    x, slope = arguments.numeric("x", x), arguments.number("slope", slope)
    return rounded_once(lambda x: jnp.where(x <= 0, x * slope if slope else jnp.zeros_like(x), x), x)


def leaky_relu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"], slope: float = 0.01) -> Float[Array, "*n"]:
    """dy · (1 where x > 0, slope elsewhere)."""
    (dy, x), slope = _pair(dy, x), arguments.number("slope", slope)
    return rounded_once(lambda dy: jnp.where(x <= 0, dy * slope if slope else jnp.zeros_like(dy), dy), dy)


def elu(x: Float[AnyArray, "*n"], alpha: float = 1.0) -> Float[Array, "*n"]:
    """x where x > 0, α(eˣ − 1) elsewhere. Derivative α at 0. (Clevert, Unterthiner & Hochreiter 2016)"""
    x, alpha = arguments.numeric("x", x), arguments.number("alpha", alpha)
    return rounded_once(lambda x: _elu(x, alpha), x)


def elu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"], alpha: float = 1.0) -> Float[Array, "*n"]:
    """dy · (1 where x > 0, αeˣ elsewhere)."""
    (dy, x), alpha = _pair(dy, x), arguments.number("alpha", alpha)
    return rounded_once(lambda dy, x: dy * _elu_slope(x, alpha), dy, x)


def selu(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """λ · elu(x, α) with the λ, α that keep mean 0 and variance 1. (Klambauer et al. 2017)"""
    return rounded_once(lambda x: _SELU_SCALE * _elu(x, _SELU_ALPHA), arguments.numeric("x", x))


def selu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """λ · elu_backward(dy, x, α)."""
    return rounded_once(lambda dy, x: _SELU_SCALE * (dy * _elu_slope(x, _SELU_ALPHA)), *_pair(dy, x))


def sigmoid(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """σ(x) = 1 / (1 + e⁻ˣ)."""
    return rounded_once(jax.nn.sigmoid, arguments.numeric("x", x))


def sigmoid_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · σ(x) σ(−x); σ(−x) = 1 − σ(x) without the cancellation."""
    return rounded_once(lambda dy, x: dy * jax.nn.sigmoid(x) * jax.nn.sigmoid(-x), *_pair(dy, x))


def tanh(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""
    return rounded_once(jnp.tanh, arguments.numeric("x", x))


def tanh_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · (1 − tanh² x)."""

    def backward(dy: Array, x: Array) -> Array:
        y = jnp.tanh(x)
        return dy * (1 - y) * (1 + y)

    return rounded_once(backward, *_pair(dy, x))


def gelu(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """x · Φ(x), Φ the normal distribution function, exact by erf. (Hendrycks & Gimpel 2016)"""
    return rounded_once(partial(jax.nn.gelu, approximate=False), arguments.numeric("x", x))


def gelu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · (Φ(x) + x φ(x)), φ the normal density."""

    def backward(dy: Array, x: Array) -> Array:
        phi = jnp.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return dy * (jax.scipy.special.erfc(-x / math.sqrt(2)) / 2 + x * phi)

    return rounded_once(backward, *_pair(dy, x))


def softplus(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """log(1 + eˣ), without overflow. (Dugas et al. 2001)"""
    return rounded_once(jax.nn.softplus, arguments.numeric("x", x))


def softplus_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · σ(x)."""
    return rounded_once(lambda dy, x: dy * jax.nn.sigmoid(x), *_pair(dy, x))


def maxout(x: Float[AnyArray, "*n c"], pieces: int) -> Float[Array, "*n c_out"]:
    """The largest of each `pieces` neighbouring channels, (…, C) → (…, C / pieces); ties go to the first.

    Source: Goodfellow et al. 2013, "Maxout networks".

    Raises:
        ValueError: `pieces` does not divide C.
    """
    parts = _pieces(x, pieces)
    return jnp.where(_first_maximum(parts), parts, jnp.zeros_like(parts)).sum(-1)


def maxout_backward(dy: Float[AnyArray, "*n c_out"], x: Float[AnyArray, "*n c"], pieces: int) -> Float[Array, "*n c"]:
    """dy at the first maximum of each group of channels, 0 elsewhere."""
    x = arguments.numeric("x", x)
    parts = _pieces(x, pieces)
    dy = arguments.output_gradient(dy, parts.shape[:-1], x, "maxout", options=f"pieces={pieces}")
    return jnp.where(_first_maximum(parts), dy[..., None], jnp.zeros_like(parts)).reshape(x.shape)


def softmax(x: Float[AnyArray, "*n c"]) -> Float[Array, "*n c"]:
    """eˣ / Σ eˣ over the last axis, shifted by the maximum, so that nothing overflows."""
    return rounded_once(jax.nn.softmax, _with_last_axis(x))


def softmax_backward(dy: Float[AnyArray, "*n c"], x: Float[AnyArray, "*n c"]) -> Float[Array, "*n c"]:
    """p · (dy − Σ p dy), p = softmax(x)."""

    def backward(dy: Array, x: Array) -> Array:
        p = jax.nn.softmax(x)
        return p * (dy - (p * dy).sum(-1, keepdims=True))

    return rounded_once(backward, *_pair(dy, _with_last_axis(x)))


def log_softmax(x: Float[AnyArray, "*n c"]) -> Float[Array, "*n c"]:
    """x − log Σ eˣ over the last axis, shifted by the maximum."""
    return rounded_once(jax.nn.log_softmax, _with_last_axis(x))


def log_softmax_backward(dy: Float[AnyArray, "*n c"], x: Float[AnyArray, "*n c"]) -> Float[Array, "*n c"]:
    """dy − softmax(x) · Σ dy."""
    dy, x = _pair(dy, _with_last_axis(x))
    return rounded_once(lambda dy, x: dy - jax.nn.softmax(x) * dy.sum(-1, keepdims=True), dy, x)


def _pair(dy: AnyArray, x: AnyArray) -> tuple[Array, Array]:
    x = arguments.numeric("x", x)
    return arguments.output_gradient(dy, x.shape, x, "the activation"), x


# exp and expm1 see no positive x, whose eˣ may be infinite: an unchosen branch would still make the gradient NaN.


def _elu(x: Array, alpha: float) -> Array:
    return jnp.where(x <= 0, alpha * jnp.expm1(_nonpositive(x)), x)


def _elu_slope(x: Array, alpha: float) -> Array:
    return jnp.where(x <= 0, alpha * jnp.exp(_nonpositive(x)), jnp.ones_like(x))


def _nonpositive(x: Array) -> Array:
    return jnp.where(x > 0, jnp.zeros_like(x), x)


def _with_last_axis(x: AnyArray) -> Array:
    x = arguments.numeric("x", x)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"x has shape {x.shape}: expected a last axis of at least one class")
    return x


def _pieces(x: AnyArray, pieces: int) -> Array:
    x, pieces = _with_last_axis(x), geometry.integer("pieces", pieces, 1)
    if x.shape[-1] % pieces:
        raise ValueError(f"pieces={pieces}: expected a divisor of the channels of x, whose shape is {x.shape}")
    return x.reshape(*x.shape[:-1], x.shape[-1] // pieces, pieces)


def _first_maximum(parts: Array) -> Array:
    return jax.nn.one_hot(jnp.argmax(parts, -1), parts.shape[-1], dtype=bool)
