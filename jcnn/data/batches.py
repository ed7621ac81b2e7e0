"""From images on the device to batches: an order that depends on (seed, epoch) alone, a gather, a scale."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Num

from jcnn.random_keys import key


def epoch_order(seed: int | Array, epoch: int | Array, n: int) -> Int[Array, " n"]:
    """The order in which epoch `epoch` visits n images: a permutation of 0 … n − 1, a pure function of its arguments."""
    return jax.random.permutation(jax.random.fold_in(key(seed), epoch), n)


def batch_indices(order: Int[Array, " n"], position: int | Array, batch_size: int) -> Int[Array, " b"]:
    """The images of batch number `position` (0, 1, …) in an epoch's order."""
    return jax.lax.dynamic_slice_in_dim(order, position * batch_size, batch_size)


def to_input(images: Num[Array | np.ndarray, "n *s c"], dtype: Any) -> Float[Array, "n *s c"]:
    """Images as networks take them, in the dtype of the parameters: 0 … 255 of uint8 as 0 … 1, floats as they are."""
    images = jnp.asarray(images)
    x = images.astype(dtype)
    return x / jnp.asarray(255, dtype) if images.dtype == jnp.uint8 else x
