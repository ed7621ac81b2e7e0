"""Mini-batch SGD as the course states it, many steps in one compiled call: sample, forward, backward, update."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import reduce
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.stages import Wrapped
from jaxtyping import Bool, Float, Int, Num

from jcnn.arguments import AnyArray
from jcnn.compilation import compiler_options
from jcnn.data.augment import identities
from jcnn.data.augmentations import Batch, augmented, parts
from jcnn.data.batches import Batches, gathered, handed_in, to_input
from jcnn.data.dataset import Dataset
from jcnn.data.stream import calls, steps_per_chunk, stream
from jcnn.layers import Network, Ops
from jcnn.losses import softmax_cross_entropy
from jcnn.network import Params, apply_training, init, init_state, trace
from jcnn.precision import wide
from jcnn.random_keys import key
from jcnn.training.recipe import Recipe, optimizer

STEPS_PER_CALL = 20
"""Steps that one call of the compiled program does, at most: a record of the metrics."""


class State(NamedTuple):
    """What a step changes. With the step's number it is the whole state of a run.

    Attributes:
        params: the parameters.
        optimizer: the optimiser's memory.
        network_state: what layers keep beside their parameters, such as running statistics; () or without arrays: nothing.
        average: what the recipe's average keeps of `Weights`; (): it asks for none.
    """

    params: Params
    optimizer: Any
    network_state: Any = ()
    average: Any = ()


class Weights(NamedTuple):
    """All that a network computes with: its parameters, and what its layers keep beside them."""

    params: Params
    network_state: Any


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


class StepDone(NamedTuple):
    """What one step leaves: the state after its update, and the batch's mean loss and right answers before it."""

    state: State
    loss: Float[Array, ""]
    correct: Int[Array, ""]


def fastest_ops(platform: str | None = None) -> Ops:
    """The operations to train with: the hand-derived gradients on the CPU, where they were measured the faster ones.

    XLA's CPU backend computes autodiff's convolution gradients inside a loop by a slow general kernel; the hand-derived ones
    are plain convolutions and matrix products. On other backends, where neither was measured, autodiff.

    Args:
        platform: what the program is lowered for; None: JAX's default.
    """
    return Ops(formulation="auto", gradient="manual" if (platform or jax.default_backend()) == "cpu" else "autodiff")


def initial_params(recipe: Recipe, network: Network, input_shape: tuple[int, ...]) -> Params:
    """First weights from the seed."""
    return init(jax.random.fold_in(key(recipe.seed), 0), network, input_shape, recipe.weights_dtype)


def initial_state(recipe: Recipe, network: Network, input_shape: tuple[int, ...], steps: int) -> State:
    """First weights from the seed, an optimiser without memory, what layers keep as it is at the start."""
    params = initial_params(recipe, network, input_shape)
    # Compiled, the zeros are one program; uncompiled, one for every leaf, which a start would feel.
    memory = jax.jit(optimizer(recipe, steps).init)(params)
    kept = init_state(network, input_shape, recipe.weights_dtype)
    return State(params, memory, kept, recipe.average.begin(Weights(params, kept)) if recipe.average else ())


def averaged(recipe: Recipe, state: State) -> Weights:
    """What is evaluated and saved as the trained network: the average, where the recipe asks for one, else the last weights."""
    last = Weights(state.params, state.network_state)
    return recipe.average.result(state.average, last) if recipe.average else last


def step_key(seed: int, step: Array) -> Array:
    """The key of one step, for layers that draw: it hangs on seed and step alone."""
    return jax.random.fold_in(jax.random.fold_in(key(seed), 2), step)


def all_finite(tree: Any) -> Bool[Array, ""]:
    """Whether no number in a pytree of arrays is NaN or infinite."""
    return reduce(jnp.logical_and, [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)], jnp.ones((), bool))


def updated(state: State, gradient: Params, transformation: optax.GradientTransformation) -> State:
    """The state after one update by this gradient."""
    updates, memory = transformation.update(gradient, state.optimizer, state.params)
    return state._replace(params=cast(Params, optax.apply_updates(state.params, updates)), optimizer=memory)


LOSS_SCALE = {"float16": 2.0**10}
"""By what the loss is multiplied, and gradients are divided again, where float16 would take small ones for 0.

Only beside master weights in float32. A power of 2 changes no other digit.
Source: Micikevicius et al. 2018, "Mixed precision training".
"""


def make_step(
    network: Network,
    transformation: optax.GradientTransformation,
    ops: Ops,
    *,
    dtype: str | None = None,
    label_smoothing: float = 0.0,
) -> Callable[..., StepDone]:
    """One step of mini-batch SGD on a batch that is there: forward, backward, update.

    Args:
        network: the layers.
        transformation: from gradients to updates.
        ops: formulation and gradient.
        dtype: of x, to compute in, where the parameters are kept in another: logits and loss are then taken as the parameters.
            None: all are of one.
        label_smoothing: how much of every target is spread over all classes.

    Returns:
        `step(state, x, labels, key)`: the state after the update, the batch's mean loss and number of right answers before it.
        Labels are class numbers, or distributions, of which the likeliest class counts as right. The key is for layers that
        draw, another one for every step.
    """
    scale = LOSS_SCALE.get(dtype or "", 1.0)

    def loss_of(params: Params, kept: Any, x: Array, labels: Array, key: Array | None) -> tuple[Array, tuple[Any, Array]]:
        given = kept
        if dtype is not None:
            params = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
            kept = _of_dtypes(kept, jax.eval_shape(lambda: init_state(network, x.shape[1:], dtype)))
        logits, kept = apply_training(network, params, x, ops=ops, state=kept, key=key)
        if dtype is not None:
            logits, kept = wide(logits), _of_dtypes(kept, given)
        classes = labels.argmax(-1) if labels.ndim > 1 else labels
        right = logits.argmax(-1).astype(classes.dtype) == classes
        targets = labels.astype(logits.dtype) if labels.ndim > 1 else labels
        loss = softmax_cross_entropy(logits, targets, label_smoothing=label_smoothing).mean()
        return loss if scale == 1 else loss * scale, (kept, right.sum(dtype=jnp.int32))

    def step(state: State, x: Array, labels: Array, key: Array | None = None) -> StepDone:
        grad = jax.value_and_grad(loss_of, has_aux=True)
        (loss, (kept, correct)), gradient = grad(state.params, state.network_state, x, labels, key)
        if scale != 1:
            loss, gradient = jax.tree.map(lambda leaf: leaf / scale, (loss, gradient))
        return StepDone(updated(state, gradient, transformation)._replace(network_state=kept), loss, correct)

    return step


def _of_dtypes(tree: Any, like: Any) -> Any:
    """The arrays of a pytree in the dtypes of another's."""
    return jax.tree.map(lambda leaf, wanted: leaf.astype(wanted.dtype), tree, like)


def make_run_steps(
    recipe: Recipe,
    network: Network,
    n: int,
    ops: Ops,
    batches: Batches | None = None,
    *,
    transformation: optax.GradientTransformation | None = None,
) -> Wrapped:
    """Compiles the training loop.

    Args:
        recipe: how to train.
        network: the layers.
        n: number of training images.
        ops: formulation and gradient.
        batches: where the batch of a step comes from; None: `gathered` from all images, which are on the device.
        transformation: from gradients to updates; None: the recipe's optimiser.

    Returns:
        `run_steps(state, images, labels, first, last)`: does steps first … last − 1 in one call and stops before an update
        whose loss or parameters are not finite. Images and labels are what `batches` takes: all of them, or the batches of
        these steps. The state is donated. Which batch a step sees depends on (seed, step) alone, so however the steps are
        divided into calls, the parameters come out the same.
    """
    per_epoch = n // recipe.batch_size
    source = batches or gathered(recipe.seed, n, recipe.batch_size)
    one_step = make_step(
        network,
        transformation or optimizer(recipe, per_epoch * recipe.epochs),
        ops,
        dtype=recipe.dtype if recipe.master_dtype else None,
        label_smoothing=recipe.label_smoothing,
    )

    def run_steps(
        state: State, images: Num[Array, "..."], labels: Int[Array, "..."], first: Array, last: Array
    ) -> tuple[State, Progress]:
        zero = jnp.zeros((), jnp.float32)

        def body(carry: tuple[State, Progress, Any]) -> tuple[State, Progress, Any]:
            state, progress, position = carry
            step = progress.step
            position, chosen, target = source.batch(position, step, images, labels)
            x, target = as_seen(recipe, network, chosen, target, step, step // per_epoch)
            stepped, loss, correct = one_step(state, x, target, step_key(recipe.seed, step))
            if recipe.average:
                last = Weights(stepped.params, stepped.network_state)
                average, weights = recipe.average.next(state.average, last, step)
                stepped = stepped._replace(**weights._asdict(), average=average)
            # The parameters too: the last update has no loss after it, and an infinite weight may hide behind a relu. And
            # running statistics, which training itself does not look at.
            finite = jnp.isfinite(loss) & all_finite(stepped.params) & all_finite(stepped.network_state)
            kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), stepped, state)
            loss = loss.astype(jnp.float32)
            done = Progress(step + 1, progress.loss_sum + loss, progress.correct + correct, loss, jnp.zeros((), bool), zero)
            stopped = progress._replace(failed=jnp.ones((), bool), failed_loss=loss)
            return kept, jax.tree.map(lambda new, old: jnp.where(finite, new, old), done, stopped), position

        start = Progress(first, zero, jnp.zeros((), jnp.int32), zero, jnp.zeros((), bool), zero)
        carry = (state, start, source.start(first))
        state, progress, _ = jax.lax.while_loop(lambda carry: (carry[1].step < last) & ~carry[1].failed, body, carry)
        return state, progress

    return jax.jit(run_steps, donate_argnums=0, compiler_options=compiler_options())


def as_seen(
    recipe: Recipe,
    network: Network,
    images: Num[AnyArray, "b *s c"],
    labels: Int[AnyArray, " b"],
    step: int | Array,
    epoch: int | Array,
) -> tuple[Float[Array, "b *s c"], Num[Array, "b *classes"]]:
    """Images and labels of a step as the network is shown them, augmented; a pure function of seed, step and epoch."""
    x, labels = to_input(images, jnp.dtype(recipe.dtype)), jnp.asarray(labels)
    chosen = parts(recipe.augment)
    if not chosen:
        return x, labels
    keys = jax.random.fold_in(key(recipe.seed), 1)
    batch = Batch(x, labels, identities(images), jnp.asarray(epoch), jax.random.fold_in(keys, NO_STEP))
    classes = trace(network, images.shape[1:])[-1].output_shape[-1] if any(one.mixes for one in chosen) else 0
    batch = augmented(chosen, jax.random.fold_in(keys, step), batch, classes)
    return batch.images, batch.targets


NO_STEP = 2**32 - 1
"""In place of a step's number, for a key that is the same in all of them."""

Steps = Callable[[State, int, int], tuple[State, Progress]]
"""`steps(state, first, last)`: does the steps first … last − 1."""


@contextmanager
def resident_steps(
    recipe: Recipe, network: Network, train: Dataset, ops: Ops, state: State, first: int
) -> Iterator[tuple[Steps, int]]:
    """The compiled steps from `first` on over images that are all on the device, and how many of them one call does."""
    images, labels = jax.device_put((train.images, train.labels))
    run_steps = make_run_steps(recipe, network, len(train.images), ops)
    compiled = run_steps.lower(state, images, labels, first, first).compile()

    def steps(state: State, first: int, last: int) -> tuple[State, Progress]:
        return compiled(state, images, labels, first, last)

    yield steps, STEPS_PER_CALL


@contextmanager
def streamed_steps(
    recipe: Recipe, network: Network, train: Dataset, ops: Ops, state: State, first: int
) -> Iterator[tuple[Steps, int]]:
    """The compiled steps from `first` on over batches that the host gathers meanwhile, and how many of them one call does."""
    images, labels, batch_size = train.images, train.labels, recipe.batch_size
    per_epoch = len(images) // batch_size
    most = steps_per_chunk(batch_size * images[0].nbytes, min(STEPS_PER_CALL, per_epoch))
    room = (most, batch_size)
    of_images = jax.ShapeDtypeStruct((*room, *train.input_shape), images.dtype)
    of_labels = jax.ShapeDtypeStruct(room, labels.dtype)
    run_steps = make_run_steps(recipe, network, len(images), ops, handed_in())
    compiled = run_steps.lower(state, of_images, of_labels, first, first).compile()
    ranges = calls(first, per_epoch * recipe.epochs, per_epoch, most)

    with closing(stream(images, labels, ranges, seed=recipe.seed, batch_size=batch_size, most=most)) as chunks:

        def steps(state: State, first: int, last: int) -> tuple[State, Progress]:
            chunk = next(chunks)
            done = compiled(state, chunk.images, chunk.labels, first, last)
            # The chunk is overwritten when the next one is asked for.
            return jax.block_until_ready(done)

        yield steps, most
