"""The first weights of a layer."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jcnn import geometry
from jcnn.layers.base import Shape


def normal_weights(
    key: Array, shape: Shape, *, fan_in: int, fan_out: int, gain: float | None, dtype: Any, name: str = "w"
) -> Array:
    """Normal numbers of mean 0 that keep the strength of a signal.

    Their variance is gain² / fan_in, or where no activation follows 2 / (fan_in + fan_out).

    Args:
        key: a JAX random key.
        shape: of the weights.
        fan_in: how many inputs one output sums up.
        fan_out: how many outputs one input reaches.
        gain: of the activation that follows; None if there is none.
        dtype: of the weights.
        name: of the parameter, for the error.

    Raises:
        GeometryError: more numbers than an array can hold.

    Source: He et al. 2015, "Delving deep into rectifiers"; Glorot & Bengio 2010, "Understanding the difficulty of training deep
    feedforward neural networks".
    """
    geometry.countable(name, shape)
    scale = math.sqrt(2 / (fan_in + fan_out)) if gain is None else gain / math.sqrt(fan_in)
    # The same numbers as by the shape itself, and a program that XLA compiles in a third of the time: each number depends on
    # its place among all, which it would have to work out of four indices.
    drawn = jax.random.normal(key, (math.prod(shape),), dtype).reshape(shape)
    # Held, or a compiler would join the factor with those inside, and round otherwise.
    return jax.lax.optimization_barrier(drawn) * jnp.asarray(scale, dtype)


def weights_and_bias(w: Array, *, bias: bool) -> dict[str, Array]:
    """The parameters of a layer with one bias for each output channel, the last axis of w; biases begin at zero."""
    return {"w": w, "b": jnp.zeros(w.shape[-1:], w.dtype)} if bias else {"w": w}
