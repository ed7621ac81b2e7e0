"""Activation functions, each beside its backward.

Shapes (maxout apart) and dtypes pass through: float16, bfloat16 (both computed in float32 and rounded once), float32 and
float64. Integers raise TypeError: most of these functions have no values among them. NaN stays NaN. A backward takes the output
gradient dy first, then the x that the forward saw, and returns dy · f′(x).

Sources: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.3, and the papers named below.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.precision import rounded_once
from jcnn.programs import compiled, rounded_program

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
    return _leaky_relu(x, x, slope or None)


def leaky_relu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"], slope: float = 0.01) -> Float[Array, "*n"]:
    """dy · (1 where x > 0, slope elsewhere)."""
    (dy, x), slope = _pair(dy, x), arguments.number("slope", slope)
    return _leaky_relu(dy, x, slope or None)


def elu(x: Float[AnyArray, "*n"], alpha: float = 1.0) -> Float[Array, "*n"]:
    """x where x > 0, α(eˣ − 1) elsewhere. Derivative α at 0. (Clevert, Unterthiner & Hochreiter 2016)"""
    x, alpha = arguments.numeric("x", x), arguments.number("alpha", alpha)
    return _elu(x, alpha)


def elu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"], alpha: float = 1.0) -> Float[Array, "*n"]:
    """dy · (1 where x > 0, αeˣ elsewhere)."""
    (dy, x), alpha = _pair(dy, x), arguments.number("alpha", alpha)
    return _elu_backward(dy, x, alpha)


def selu(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """λ · elu(x, α) with the λ, α that keep mean 0 and variance 1. (Klambauer et al. 2017)"""
    return _selu(arguments.numeric("x", x))


def selu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """λ · elu_backward(dy, x, α)."""
    return _selu_backward(*_pair(dy, x))


def sigmoid(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """σ(x) = 1 / (1 + e⁻ˣ)."""
    return _sigmoid(arguments.numeric("x", x))


def sigmoid_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · σ(x) σ(−x); σ(−x) = 1 − σ(x) without the cancellation."""
    return _sigmoid_backward(*_pair(dy, x))


def tanh(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""
    return _tanh(arguments.numeric("x", x))


def tanh_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · (1 − tanh² x)."""
    return _tanh_backward(*_pair(dy, x))


def gelu(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """x · Φ(x), Φ the normal distribution function, exact by erf. (Hendrycks & Gimpel 2016)"""
    return _gelu(arguments.numeric("x", x))


def gelu_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · (Φ(x) + x φ(x)), φ the normal density."""
    return _gelu_backward(*_pair(dy, x))


def softplus(x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """log(1 + eˣ), without overflow. (Dugas et al. 2001)"""
    return _softplus(arguments.numeric("x", x))


def softplus_backward(dy: Float[AnyArray, "*n"], x: Float[AnyArray, "*n"]) -> Float[Array, "*n"]:
    """dy · σ(x)."""
    return _softplus_backward(*_pair(dy, x))


def maxout(x: Float[AnyArray, "*n c"], pieces: int) -> Float[Array, "*n c_out"]:
    """The largest of each `pieces` neighbouring channels, (…, C) → (…, C / pieces); ties go to the first.

    Source: Goodfellow et al. 2013, "Maxout networks".

    Raises:
        ValueError: `pieces` does not divide C.
    """
    return _maxout(*_pieces(x, pieces))


def maxout_backward(dy: Float[AnyArray, "*n c_out"], x: Float[AnyArray, "*n c"], pieces: int) -> Float[Array, "*n c"]:
    """dy at the first maximum of each group of channels, 0 elsewhere."""
    x, pieces = _pieces(x, pieces)
    expected = (*x.shape[:-1], x.shape[-1] // pieces)
    return _maxout_backward(arguments.output_gradient(dy, expected, x, "maxout", options=f"pieces={pieces}"), x, pieces)


def softmax(x: Float[AnyArray, "*n c"]) -> Float[Array, "*n c"]:
    """eˣ / Σ eˣ over the last axis, shifted by the maximum, so that nothing overflows."""
    return _softmax(_with_last_axis(x))


def softmax_backward(dy: Float[AnyArray, "*n c"], x: Float[AnyArray, "*n c"]) -> Float[Array, "*n c"]:
    """p · (dy − Σ p dy), p = softmax(x)."""
    return _softmax_backward(*_pair(dy, _with_last_axis(x)))


def log_softmax(x: Float[AnyArray, "*n c"]) -> Float[Array, "*n c"]:
    """x − log Σ eˣ over the last axis, shifted by the maximum."""
    return _log_softmax(_with_last_axis(x))


def log_softmax_backward(dy: Float[AnyArray, "*n c"], x: Float[AnyArray, "*n c"]) -> Float[Array, "*n c"]:
    """dy − softmax(x) · Σ dy."""
    return _log_softmax_backward(*_pair(dy, _with_last_axis(x)))


def _pair(dy: AnyArray, x: AnyArray) -> tuple[Array, Array]:
    x = arguments.numeric("x", x)
    return arguments.output_gradient(dy, x.shape, x, "the activation"), x


def _with_last_axis(x: AnyArray) -> Array:
    x = arguments.numeric("x", x)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"x has shape {x.shape}: expected a last axis of at least one class")
    return x


def _pieces(x: AnyArray, pieces: int) -> tuple[Array, int]:
    x, pieces = _with_last_axis(x), geometry.integer("pieces", pieces, 1)
    if x.shape[-1] % pieces:
        raise ValueError(f"pieces={pieces}: expected a divisor of the channels of x, whose shape is {x.shape}")
    return x, pieces


_sigmoid = rounded_program(jax.nn.sigmoid)
_tanh = rounded_program(jnp.tanh)
_softplus = rounded_program(jax.nn.softplus)
_softmax = rounded_program(jax.nn.softmax)
_log_softmax = rounded_program(jax.nn.log_softmax)


@compiled()
def _leaky_relu(y: Array, x: Array, slope: float | None) -> Array:
    """y where x > 0, slope · y elsewhere: the function if y is x, its gradient if y is dy; None: 0, whatever y is."""
    return rounded_once(lambda y: jnp.where(x <= 0, jnp.zeros_like(y) if slope is None else y * slope, y), y)


@compiled()
def _elu(x: Array, alpha: float) -> Array:
    return rounded_once(lambda x: _elu_value(x, alpha), x)


@compiled()
def _elu_backward(dy: Array, x: Array, alpha: float) -> Array:
    return rounded_once(lambda dy, x: dy * _elu_slope(x, alpha), dy, x)


@rounded_program
def _selu(x: Array) -> Array:
    return _SELU_SCALE * _elu_value(x, _SELU_ALPHA)


@rounded_program
def _selu_backward(dy: Array, x: Array) -> Array:
    return _SELU_SCALE * (dy * _elu_slope(x, _SELU_ALPHA))


# exp and expm1 see no positive x, whose eˣ may be infinite: an unchosen branch would still make the gradient NaN.


def _elu_value(x: Array, alpha: float) -> Array:
    return jnp.where(x <= 0, alpha * jnp.expm1(_nonpositive(x)), x)


def _elu_slope(x: Array, alpha: float) -> Array:
    return jnp.where(x <= 0, alpha * jnp.exp(_nonpositive(x)), jnp.ones_like(x))


def _nonpositive(x: Array) -> Array:
    return jnp.where(x > 0, jnp.zeros_like(x), x)


@rounded_program
def _sigmoid_backward(dy: Array, x: Array) -> Array:
    return dy * jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)


@rounded_program
def _tanh_backward(dy: Array, x: Array) -> Array:
    y = jnp.tanh(x)
    return dy * (1 - y) * (1 + y)


@rounded_program
def _gelu(x: Array) -> Array:
    return jax.nn.gelu(x, approximate=False)


@rounded_program
def _gelu_backward(dy: Array, x: Array) -> Array:
    phi = jnp.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return dy * (jax.scipy.special.erfc(-x / math.sqrt(2)) / 2 + x * phi)


@rounded_program
def _softplus_backward(dy: Array, x: Array) -> Array:
    return dy * jax.nn.sigmoid(x)


@compiled("pieces")
def _maxout(x: Array, pieces: int) -> Array:
    parts = _parts(x, pieces)
    return jnp.where(_first_maximum(parts), parts, jnp.zeros_like(parts)).sum(-1)


@compiled("pieces")
def _maxout_backward(dy: Array, x: Array, pieces: int) -> Array:
    parts = _parts(x, pieces)
    return jnp.where(_first_maximum(parts), dy[..., None], jnp.zeros_like(parts)).reshape(x.shape)


def _parts(x: Array, pieces: int) -> Array:
    return x.reshape(*x.shape[:-1], x.shape[-1] // pieces, pieces)


def _first_maximum(parts: Array) -> Array:
    first = jnp.argmax(parts, -1, keepdims=True)
    return jax.lax.broadcasted_iota(first.dtype, parts.shape, parts.ndim - 1) == first


@rounded_program
def _softmax_backward(dy: Array, x: Array) -> Array:
    p = jax.nn.softmax(x)
    return p * (dy - (p * dy).sum(-1, keepdims=True))


@rounded_program
def _log_softmax_backward(dy: Array, x: Array) -> Array:
    return dy - jax.nn.softmax(x) * dy.sum(-1, keepdims=True)
