"""Mini-batch SGD as the course states it, many steps in one compiled call: sample, forward, backward, update."""

from functools import reduce
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.stages import Wrapped
from jaxtyping import Bool, Float, Int, UInt8

from jcnn.compilation import compiler_options
from jcnn.data.augment import warp
from jcnn.data.batches import batch_indices, epoch_order, to_input
from jcnn.layers import Network, Ops
from jcnn.losses import softmax_cross_entropy
from jcnn.network import Params, apply, init
from jcnn.random_keys import key
from jcnn.training.config import Config


class State(NamedTuple):
    """What a step changes: parameters and the optimiser's memory. With the step's number it is the whole state of a run."""

    params: Params
    optimizer: Any


class Progress(NamedTuple):
    """What some steps report, on the device.

    Attributes:
        step: the first step not done: where the next call goes on, or the step that failed.
        loss_sum: summed mean losses of the steps done.
        correct: how many of their images were classified right, before each update.
        last_loss: the loss of the last step done.
        failed: whether the loss of `step`, or a parameter after its update, is NaN or infinite; the update was not applied.
        failed_loss: the loss of that step; 0 where none failed.
    """

    step: Int[Array, ""]
    loss_sum: Float[Array, ""]
    correct: Int[Array, ""]
    last_loss: Float[Array, ""]
    failed: Array
    failed_loss: Float[Array, ""]


def fastest_ops(platform: str | None = None) -> Ops:
    """The operations to train with: the hand-derived gradients on the CPU, where they were measured the faster ones.

    XLA's CPU backend computes autodiff's convolution gradients inside a loop by a slow general kernel; the hand-derived ones
    are plain convolutions and matrix products. On other backends, where neither was measured, autodiff.

    Args:
        platform: what the program is lowered for; None: JAX's default.
    """
    return Ops(formulation="auto", gradient="manual" if (platform or jax.default_backend()) == "cpu" else "autodiff")


def schedule(config: Config, steps: int) -> optax.Schedule:
    """The learning rate of every step: a line up over the warm-up, then a cosine to zero, or constant."""
    warmup = round(config.warmup * steps)
    peak = config.learning_rate
    after = optax.cosine_decay_schedule(peak, max(steps - warmup, 1)) if config.schedule == "cosine" else lambda _: peak
    rise = optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))
    joined = optax.join_schedules([rise, after], [warmup])
    return lambda step: joined(jnp.asarray(step, jnp.float32))


def optimizer(config: Config, steps: int) -> optax.GradientTransformation:
    """SGD with momentum (Nesterov), weight decay on all but the biases, and the schedule."""

    def weights(params: Params) -> Any:
        return jax.tree.map(lambda leaf: leaf.ndim > 1, params)

    rate = schedule(config, steps)
    momentum = config.momentum or None
    return optax.chain(
        optax.add_decayed_weights(config.weight_decay, mask=weights),
        optax.sgd(rate, momentum=momentum, nesterov=momentum is not None),
    )


def initial_state(config: Config, network: Network, input_shape: tuple[int, ...], steps: int) -> State:
    """First weights from the seed, an optimiser without memory."""
    params = init(jax.random.fold_in(key(config.seed), 0), network, input_shape, config.dtype)
    # Compiled, the zeros are one program; uncompiled, one for every leaf, which a start would feel.
    return State(params, jax.jit(optimizer(config, steps).init)(params))


def all_finite(params: Params) -> Bool[Array, ""]:
    """Whether no parameter is NaN or infinite."""
    return reduce(jnp.logical_and, [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)], jnp.ones((), bool))


def make_run_steps(config: Config, network: Network, n: int, ops: Ops) -> Wrapped:
    """Compiles the training loop.

    Args:
        config: the recipe.
        network: the layers.
        n: number of training images.
        ops: formulation and gradient.

    Returns:
        `run_steps(state, images, labels, first, last)`: does steps first … last − 1 in one call and stops before an update
        whose loss or parameters are not finite. The state is donated. Which batch a step sees depends on (seed, step) alone, so
        however the steps are divided into calls, the parameters come out the same.
    """
    per_epoch = n // config.batch_size
    update = optimizer(config, per_epoch * config.epochs).update
    dtype = jnp.dtype(config.dtype)

    def loss_of(params: Params, x: Array, labels: Array) -> tuple[Array, Array]:
        logits = apply(network, params, x, ops=ops)
        right = logits.argmax(-1).astype(labels.dtype) == labels
        return softmax_cross_entropy(logits, labels).mean(), right.sum(dtype=jnp.int32)

    def run_steps(
        state: State, images: UInt8[Array, "n h w c"], labels: Int[Array, " n"], first: Array, last: Array
    ) -> tuple[State, Progress]:
        zero = jnp.zeros((), jnp.float32)

        def sample(step: Array, order: Array) -> tuple[Array, Array]:
            chosen = batch_indices(order, step % per_epoch, config.batch_size)
            x = to_input(images[chosen], dtype)
            if config.augment:
                x = warp(jax.random.fold_in(jax.random.fold_in(key(config.seed), 1), step), x)
            return x, labels[chosen]

        def body(carry: tuple[State, Progress, Array]) -> tuple[State, Progress, Array]:
            state, progress, order = carry
            step = progress.step
            order = jax.lax.cond(step % per_epoch == 0, lambda: epoch_order(config.seed, step // per_epoch, n), lambda: order)
            x, target = sample(step, order)
            (loss, correct), gradient = jax.value_and_grad(loss_of, has_aux=True)(state.params, x, target)
            updates, memory = update(gradient, state.optimizer, state.params)
            stepped = State(cast(Params, optax.apply_updates(state.params, updates)), memory)
            # The parameters too: the last update has no loss after it, and an infinite weight may hide behind a relu.
            finite = jnp.isfinite(loss) & all_finite(stepped.params)
            kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), stepped, state)
            loss = loss.astype(jnp.float32)
            done = Progress(step + 1, progress.loss_sum + loss, progress.correct + correct, loss, jnp.zeros((), bool), zero)
            stopped = progress._replace(failed=jnp.ones((), bool), failed_loss=loss)
            return kept, jax.tree.map(lambda new, old: jnp.where(finite, new, old), done, stopped), order

        start = Progress(first, zero, jnp.zeros((), jnp.int32), zero, jnp.zeros((), bool), zero)
        carry = (state, start, epoch_order(config.seed, first // per_epoch, n))
        state, progress, _ = jax.lax.while_loop(lambda carry: (carry[1].step < last) & ~carry[1].failed, body, carry)
        return state, progress

    return jax.jit(run_steps, donate_argnums=0, compiler_options=compiler_options())
