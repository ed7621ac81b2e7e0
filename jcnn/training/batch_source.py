"""Where the batch of a step comes from: gathered on the device from all images, or handed in by the host.

Both give a step the same batch, so both train to the same bits.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import Array
from jaxtyping import Int, Num

from jcnn.data.batches import batch_indices, epoch_order


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
