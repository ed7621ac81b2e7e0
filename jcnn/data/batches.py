"""Which images a step sees: an order that depends on (seed, epoch) alone, and where its batch comes from.

A batch is gathered on the device from all images, or handed in by the host (`jcnn.data.stream`). Both give a step the same
one, so both train to the same bits.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

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


class Batches(NamedTuple):
    """A source of batches, as the compiled loop asks it.

    Attributes:
        start: `start(first)`: what the source keeps from step to step, before step `first`.
        batch: `batch(kept, step, images, labels)`: what it keeps after this step, the step's images (B, *S, C) and labels (B,).
    """

    start: Callable[[Array], Any]
    batch: Callable[[Any, Array, Array, Array], tuple[Any, Array, Array]]


def gathered(seed: int, n: int, batch_size: int) -> Batches:
    """From all n images (n, *S, C) and labels (n,) on the device, in the order of (seed, epoch)."""
    per_epoch = n // batch_size

    def start(first: Array) -> Int[Array, " n"]:
        return epoch_order(seed, first // per_epoch, n)

    def batch(
        order: Int[Array, " n"], step: Array, images: Num[Array, "n *s c"], labels: Int[Array, " n"]
    ) -> tuple[Array, Array, Array]:
        order = jax.lax.cond(step % per_epoch == 0, lambda: epoch_order(seed, step // per_epoch, n), lambda: order)
        chosen = batch_indices(order, step % per_epoch, batch_size)
        return order, images[chosen], labels[chosen]

    return Batches(start, batch)


def handed_in() -> Batches:
    """From the batches of the call's own steps, images (steps, B, *S, C) and labels (steps, B), one after the other."""

    def start(first: Array) -> Array:
        return first

    def batch(
        first: Array, step: Array, images: Num[Array, "k b *s c"], labels: Int[Array, "k b"]
    ) -> tuple[Array, Array, Array]:
        here = step - first
        return first, jax.lax.dynamic_index_in_dim(images, here, keepdims=False), labels[here]

    return Batches(start, batch)
