"""Dropout, of single values or of whole maps, with its backward by hand."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from jcnn import arguments
from jcnn.arguments import AnyArray
from jcnn.geometry import wrong
from jcnn.precision import rounded_once
from jcnn.programs import compiled


def dropout(x: Float[AnyArray, "n *s"], key: Array, *, rate: float, spatial: bool = False) -> Float[Array, "n *s"]:
    """y = x · keep / (1 − rate): each value is kept with probability 1 − rate and enlarged, else it is 0.

    Inverted dropout: since kept values are enlarged here, the expectation of y is x, and in evaluation there is nothing to do.
    A part that is dropped passes nothing on, not even NaN.

    Args:
        x: (N, …); float16, bfloat16 (both computed in float32, rounded once), float32 or float64.
        key: a JAX random key. With shape and rate it decides what is kept, whatever the dtype. Within `jax.shard_map` every
            part needs one of its own, such as `jax.random.fold_in(key, jax.lax.axis_index(name))`.
        rate: the probability of 0, from 0 to below 1.
        spatial: whole maps are kept or dropped, one draw for each example and channel of x, (N, *S, C).

    Returns:
        Shape and dtype of x.

    Raises:
        TypeError: another dtype, or no random key.
        ValueError: wrong rank, an empty batch, or a rate that is no probability below 1.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting", section 10 for the
    inverted form; Tompson et al. 2015, "Efficient object localization using convolutional networks", for the spatial one.
    """
    x, key, rate, spatial = _parse(x, key, rate, spatial)
    return _masked(x, key, rate, spatial)


def dropout_backward(
    dy: Float[AnyArray, "n *s"], x: Float[AnyArray, "n *s"], key: Array, *, rate: float, spatial: bool = False
) -> Float[Array, "n *s"]:
    """The gradient of `dropout`: dx = dy · keep / (1 − rate), with the mask of the forward pass.

    Given the mask y is linear in x, one factor for each value, so the way back is the way forward. The same key draws the same
    mask again; none needs to be stored.

    Args:
        dy: output gradient, shape and dtype of x.
        x: the input that `dropout` saw; only its shape and dtype matter.
        key: the key that `dropout` saw.
        rate: as in `dropout`.
        spatial: as in `dropout`.

    Returns:
        dx, shape and dtype of x.

    Raises:
        TypeError: as `dropout`.
        ValueError: as `dropout`, or dy has another shape than x.

    Source: Srivastava et al. 2014, "Dropout", section 5.1.
    """
    x, key, rate, spatial = _parse(x, key, rate, spatial)
    return _masked(arguments.output_gradient(dy, x.shape, x, "dropout"), key, rate, spatial)


def dropout_mask(x: Float[AnyArray, "n *s"], key: Array, *, rate: float, spatial: bool = False) -> Bool[Array, "n *s"]:
    """What `dropout` keeps of x with this key; only the shape of x matters.

    Each value is kept where a whole number, drawn evenly from 0 … 2³² − 1, is at least rate · 2³².

    Args:
        x: as in `dropout`.
        key: as in `dropout`.
        rate: as in `dropout`.
        spatial: as in `dropout`.

    Returns:
        True where a value is kept, shape of x.

    Raises:
        TypeError: as `dropout`.
        ValueError: as `dropout`.
    """
    x, key, rate, spatial = _parse(x, key, rate, spatial)
    return _mask(key, x.shape, rate, spatial)


@compiled("rate", "spatial")
def _masked(x: Array, key: Array, rate: float, spatial: bool) -> Array:
    keep = _drawn(key, x.shape, rate, spatial)
    return rounded_once(lambda x: jnp.where(keep, x / (1 - rate), jnp.zeros_like(x)), x)


@compiled("shape", "rate", "spatial")
def _mask(key: Array, shape: tuple[int, ...], rate: float, spatial: bool) -> Array:
    return jnp.broadcast_to(_drawn(key, shape, rate, spatial), shape)


def _drawn(key: Array, shape: tuple[int, ...], rate: float, spatial: bool) -> Array:
    """The mask, with axes of 1 along which it is the same."""
    drawn = (shape[0], *(1,) * (len(shape) - 2), shape[-1]) if spatial else shape
    least = min(round(rate * 2**32), 2**32 - 1)
    return jax.random.bits(key, drawn, jnp.uint32) >= jnp.uint32(least)


def _parse(x: Any, key: Any, rate: Any, spatial: Any) -> tuple[Array, Array, float, bool]:
    x, key = arguments.numeric("x", x), arguments.random_key("key", key)
    probability, spatial = arguments.number("rate", rate), arguments.flag("spatial", spatial)
    if not 0 <= probability < 1:
        raise ValueError(wrong("rate", rate, "the probability of a value to become 0, from 0 to below 1"))
    if x.ndim < (3 if spatial else 1):
        raise ValueError(f"x has shape {x.shape}: expected {'(N, *S, C), maps to drop' if spatial else '(N, …)'}")
    arguments.not_empty("x", x)
    return x, key, probability, spatial
