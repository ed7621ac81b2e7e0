"""The compiled loop: it is SGD as the course states it, and however it is cut, the numbers are the same."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn import BatchNorm, Conv, Dense, Flatten, MaxPool, Ops, Relu, softmax_cross_entropy, value_and_grad
from jcnn.data import load
from jcnn.data.augmentations import AlternatingFlip, BrightnessContrast, Crop, Cutout, Mixup
from jcnn.data.batches import batch_indices, epoch_order, handed_in, to_input
from jcnn.layers import Context, Layer
from jcnn.layers.base import EVALUATION
from jcnn.network import apply_training
from jcnn.training import settings
from jcnn.training.averaging import EMA, Averaging, Lookahead
from jcnn.training.config import Config
from jcnn.training.recipe import schedule
from jcnn.training.step import State, as_seen, averaged, initial_state, make_run_steps, step_key

NETWORK = (Conv(4, 3), Relu(), MaxPool(2), Flatten(), Dense(10))
PLAIN = Config(batch_size=16, momentum=0.0, weight_decay=0.0, warmup=0.0, schedule="constant", augment=False, dtype="float64")
DIGITS = load("digits")
IMAGES, LABELS = DIGITS.images[:100], DIGITS.labels[:100]
STEPS_PER_EPOCH = 100 // 16


EVERYTHING = replace(
    Config(),
    batch_size=16,
    dtype="bfloat16",
    master_dtype="float32",
    augment=(AlternatingFlip(), Crop(2), Cutout(3), BrightnessContrast(), Mixup()),
    label_smoothing=0.1,
    average=EMA(0.9),
    optimizer="adamw",
    learning_rate=1e-3,
    schedule="one-cycle",
)
NORMALISED = (Conv(4, 3), BatchNorm(), *NETWORK[1:])


def run(config: Config, *cuts: int, ops: Ops | None = None, network: Any = NETWORK) -> State:
    with settings.fixed(config.dtype):
        steps = make_run_steps(config, network, len(IMAGES), ops or Ops(gradient="manual"))
        state = initial_state(config, network, (8, 8, 1), STEPS_PER_EPOCH * config.epochs)
        for first, last in zip((0, *cuts), cuts, strict=False):
            state, progress = steps(state, jnp.asarray(IMAGES), jnp.asarray(LABELS), first, last)
            assert int(progress.step) == last
    return state


def assert_close(a: Any, b: Any, rtol: float) -> None:
    jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, rtol=rtol, atol=rtol), a, b)


@pytest.mark.parametrize("gradient", ["manual", "autodiff"])
@pytest.mark.parametrize(("momentum", "decay"), [(0.0, 0.0), (0.9, 0.0), (0.9, 0.01)], ids=["plain", "momentum", "decay"])
def test_steps_are_sgd_written_out(gradient: Any, momentum: float, decay: float) -> None:
    config = replace(PLAIN, momentum=momentum, weight_decay=decay)
    params = initial_state(config, NETWORK, (8, 8, 1), 1).params
    velocity = jax.tree.map(jnp.zeros_like, params)
    rate = float(np.float32(config.learning_rate))  # schedules are float32
    for step in range(STEPS_PER_EPOCH + 2):  # over the end of an epoch
        order = epoch_order(config.seed, step // STEPS_PER_EPOCH, len(IMAGES))
        rows = np.asarray(batch_indices(order, step % STEPS_PER_EPOCH, 16))
        _, gradients = value_and_grad(NETWORK, params, to_input(IMAGES[rows], jnp.float64), jnp.asarray(LABELS[rows]))
        pulled = jax.tree.map(lambda g, p: g + decay * p if p.ndim > 1 else g, gradients, params)
        velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, pulled)
        direction = jax.tree.map(lambda v, g: g + momentum * v, velocity, pulled)  # Nesterov looks one step ahead
        params = jax.tree.map(lambda p, d: p - rate * d, params, direction)
    # Eight float64 steps of a well-behaved net amplify rounding by far less than 1e4.
    assert_close(run(config, STEPS_PER_EPOCH + 2, ops=Ops(gradient=gradient)).params, params, 1e-12)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"label_smoothing": 0.25}, id="smoothed labels"),
        pytest.param({"label_smoothing": 0.25, "augment": (AlternatingFlip(), Mixup(1.0))}, id="smoothed, mixed labels"),
    ],
)
@jax.numpy_rank_promotion("allow")
def test_targets_are_those_of_the_recipe(changed: dict[str, Any]) -> None:
    config = replace(PLAIN, **changed)
    params = initial_state(config, NORMALISED, (8, 8, 1), 1).params
    kept = initial_state(config, NORMALISED, (8, 8, 1), 1).network_state
    for step in range(STEPS_PER_EPOCH + 1):  # over the end of an epoch
        epoch, place = divmod(step, STEPS_PER_EPOCH)
        rows = np.asarray(batch_indices(epoch_order(config.seed, epoch, len(IMAGES)), place, 16))
        x, targets = as_seen(config, NORMALISED, IMAGES[rows], LABELS[rows], step, epoch)
        even = jax.nn.one_hot(targets, 10, dtype=x.dtype) if targets.ndim == 1 else targets
        smooth = 0.75 * even + 0.025

        def loss(params: Any, kept: Any, x: Any = x, smooth: Any = smooth, step: int = step) -> Any:
            logits, after = apply_training(NORMALISED, params, x, state=kept, key=step_key(0, jnp.asarray(step)))
            return softmax_cross_entropy(logits, smooth).mean(), after

        gradients, kept = jax.grad(loss, has_aux=True)(params, kept)
        rate = float(np.float32(config.learning_rate))  # schedules are float32
        params = jax.tree.map(lambda p, g, rate=rate: p - rate * g, params, gradients)
    found = run(config, STEPS_PER_EPOCH + 1, network=NORMALISED)
    assert_close((found.params, found.network_state), (params, kept), 1e-6)  # blends are by float32 parts


@pytest.mark.parametrize("average", [EMA(0.5), Lookahead(3)], ids=repr)
@jax.numpy_rank_promotion("allow")
def test_averages_are_of_the_weights_and_statistics_after_each_step(average: Averaging) -> None:
    config = replace(PLAIN, average=average)
    state = initial_state(config, NORMALISED, (8, 8, 1), 6)
    steps, alone = (
        make_run_steps(replace(config, average=how), NORMALISED, len(IMAGES), Ops(gradient="manual")) for how in (average, None)
    )
    kept, weights, memory = state.average, (state.params, state.network_state), state.optimizer
    for step in range(4):
        copied = jax.tree.map(jnp.copy, State(weights[0], memory, weights[1]))
        after, _ = alone(copied, jnp.asarray(IMAGES), jnp.asarray(LABELS), step, step + 1)
        memory = after.optimizer
        kept, weights = average.next(kept, type(kept)(after.params, after.network_state), jnp.asarray(step))
    found, _ = steps(state, jnp.asarray(IMAGES), jnp.asarray(LABELS), 0, 4)
    assert_close(found.average, kept, 1e-7)  # decays are float32
    assert_close((found.params, found.network_state), tuple(weights), 1e-7)
    jax.tree.map(np.testing.assert_array_equal, averaged(config, found), found.average)


@pytest.mark.parametrize(("dtype", "nearly"), [("bfloat16", 0.15), ("float16", 0.05)])
def test_master_weights_take_gradients_of_another_dtype_and_keep_small_updates(dtype: Any, nearly: float) -> None:
    config = replace(PLAIN, dtype="float32", learning_rate=1e-6)
    mixed = replace(config, dtype=dtype, master_dtype="float32")
    first = initial_state(config, NORMALISED, (8, 8, 1), 6)
    moved, expected = (
        jax.tree.map(lambda after, before: np.asarray(after, np.float64) - np.asarray(before), each.params, first.params)
        for each in (run(mixed, 6, network=NORMALISED), run(config, 6, network=NORMALISED))
    )
    # Of the first filters, which most roundings and kinks lie behind; a 16-bit weight of 0.1 would not move by 1e-6 at all.
    for ours, theirs in zip(jax.tree.leaves(moved), jax.tree.leaves(expected), strict=True):
        if np.linalg.norm(theirs) > 1e-7:  # the bias before the normalisation has no gradient but for rounding
            assert np.linalg.norm(ours - theirs) < nearly * np.linalg.norm(theirs)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cutting_the_loop_changes_no_bit(dtype: Any) -> None:
    config = replace(Config(), batch_size=16, epochs=3, dtype=dtype)
    whole, cut = run(config, 15), run(config, 1, 4, 6, 7, 13, 15)
    jax.tree.map(np.testing.assert_array_equal, whole, cut)
    assert all(leaf.dtype == jnp.dtype(dtype) for leaf in jax.tree.leaves(whole.params))


def test_cutting_the_loop_changes_no_bit_of_all_at_once() -> None:
    config = replace(EVERYTHING, epochs=2)
    whole, cut = (run(config, *cuts, network=NORMALISED) for cuts in ((12,), (1, 6, 7, 12)))
    jax.tree.map(np.testing.assert_array_equal, whole, cut)
    assert {leaf.dtype.name for leaf in jax.tree.leaves((whole.params, whole.network_state))} == {"float32"}


@pytest.mark.parametrize(
    ("cuts", "config"),
    [
        pytest.param((6, 12), replace(Config(), batch_size=16, epochs=2), id="epoch by epoch"),
        pytest.param((2, 5, 6, 11, 12), replace(EVERYTHING, epochs=2), id="in pieces, all at once"),
    ],
)
def test_batches_that_the_host_hands_in_train_to_the_same_bits(cuts: tuple[int, ...], config: Config) -> None:
    with settings.fixed(config.dtype):
        steps = make_run_steps(config, NETWORK, len(IMAGES), Ops(gradient="manual"), handed_in())
        state = initial_state(config, NETWORK, (8, 8, 1), 2 * STEPS_PER_EPOCH)
        for first, last in zip((0, *cuts), cuts, strict=False):
            order = np.asarray(epoch_order(config.seed, first // STEPS_PER_EPOCH, len(IMAGES)))
            rows = np.stack([order[place * 16 :][:16] for place in (step % STEPS_PER_EPOCH for step in range(first, last))])
            state, progress = steps(state, IMAGES[rows], LABELS[rows], first, last)
            assert int(progress.step) == last
    jax.tree.map(np.testing.assert_array_equal, state, run(config, 12))


def test_a_loss_that_is_not_finite_stops_before_its_update() -> None:
    config = replace(PLAIN, learning_rate=1e30, dtype="float32")
    steps = make_run_steps(config, NETWORK, len(IMAGES), Ops(gradient="manual"))
    state, progress = steps(initial_state(config, NETWORK, (8, 8, 1), 6), jnp.asarray(IMAGES), jnp.asarray(LABELS), 0, 6)
    assert bool(progress.failed)
    assert 0 < int(progress.step) < 6
    assert np.isfinite(progress.last_loss)
    again = run(config, int(progress.step))
    jax.tree.map(np.testing.assert_array_equal, state.params, again.params)


def test_an_update_that_overflows_is_not_made_though_its_loss_was_finite() -> None:
    """The last one, too, after which no other loss would show it."""
    config = replace(PLAIN, learning_rate=1e8, dtype="float16")
    steps = make_run_steps(config, NETWORK, len(IMAGES), Ops(gradient="manual"))
    before = initial_state(config, NETWORK, (8, 8, 1), 1)
    state, progress = steps(
        jax.tree.map(jnp.copy, before), jnp.asarray(IMAGES), jnp.asarray(LABELS), jnp.asarray(0), jnp.asarray(1)
    )
    assert bool(progress.failed)
    assert int(progress.step) == 0
    assert np.isfinite(progress.failed_loss)
    jax.tree.map(np.testing.assert_array_equal, state, before)


def test_an_infinite_weight_that_no_loss_shows_is_noticed() -> None:
    """−∞ before a relu is a unit that is never active."""
    config = replace(PLAIN, learning_rate=1e-3, dtype="float32")
    state = initial_state(config, NETWORK, (8, 8, 1), 1)
    state.params[0]["b"] = state.params[0]["b"].at[0].set(-jnp.inf)
    steps = make_run_steps(config, NETWORK, len(IMAGES), Ops(gradient="manual"))
    _, progress = steps(state, jnp.asarray(IMAGES), jnp.asarray(LABELS), 0, 1)
    assert bool(progress.failed)
    assert np.isfinite(progress.failed_loss)


@pytest.mark.parametrize("gradient", ["manual", "autodiff"])
def test_a_label_that_is_no_class_stops_the_run(gradient: Any) -> None:
    steps = make_run_steps(PLAIN, NETWORK, len(IMAGES), Ops(gradient=gradient))
    labels = jnp.asarray(LABELS).at[:].set(10)
    _, progress = steps(initial_state(PLAIN, NETWORK, (8, 8, 1), 6), jnp.asarray(IMAGES), labels, 0, 1)
    assert bool(progress.failed)
    assert np.isnan(progress.failed_loss)


def test_the_state_is_donated() -> None:
    steps = make_run_steps(PLAIN, NETWORK, len(IMAGES), Ops(gradient="manual"))
    state = initial_state(PLAIN, NETWORK, (8, 8, 1), 6)
    steps(state, jnp.asarray(IMAGES), jnp.asarray(LABELS), 0, 1)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


@pytest.mark.parametrize(
    ("config", "step", "rate"),
    [
        pytest.param(Config(warmup=0.1, learning_rate=0.1), 0, 0.01, id="the warm-up begins with its first part"),
        pytest.param(Config(warmup=0.1, learning_rate=0.1), 4, 0.05, id="half-way up the line"),
        pytest.param(Config(warmup=0.1, learning_rate=0.1), 9, 0.1, id="the warm-up ends at the peak"),
        pytest.param(Config(warmup=0.1, learning_rate=0.1), 10, 0.1, id="the cosine begins at the peak"),
        pytest.param(Config(warmup=0.1, learning_rate=0.1), 55, 0.05, id="half-way down the cosine"),
        pytest.param(Config(warmup=0.1, learning_rate=0.1), 100, 0.0, id="the cosine ends at zero"),
        pytest.param(Config(warmup=0.0, learning_rate=0.1), 0, 0.1, id="no warm-up"),
        pytest.param(Config(warmup=0.0, learning_rate=0.1, schedule="constant"), 99, 0.1, id="constant"),
        pytest.param(Config(warmup=1.0, learning_rate=0.1), 49, 0.05, id="all warm-up"),
        pytest.param(Config(warmup=0.1, learning_rate=0.1, schedule="linear"), 4, 0.05, id="half-way up to the linear fall"),
        pytest.param(Config(warmup=0.1, learning_rate=0.1, schedule="linear"), 55, 0.05, id="half-way down the line"),
        pytest.param(Config(warmup=0.1, learning_rate=0.1, schedule="linear"), 100, 0.0, id="the line ends at zero"),
        pytest.param(Config(warmup=0.2, learning_rate=0.1, schedule="one-cycle"), 0, 0.004, id="a cycle begins at a 25th"),
        pytest.param(Config(warmup=0.2, learning_rate=0.1, schedule="one-cycle"), 10, 0.052, id="half-way up the cycle"),
        pytest.param(Config(warmup=0.2, learning_rate=0.1, schedule="one-cycle"), 20, 0.1, id="the peak of the cycle"),
        pytest.param(Config(warmup=0.2, learning_rate=0.1, schedule="one-cycle"), 99, 4e-7, id="a cycle ends at nearly none"),
        pytest.param(Config(warmup=0.0, learning_rate=0.1, schedule="one-cycle"), 0, 0.1, id="a cycle without a rise"),
        pytest.param(Config(warmup=1.0, learning_rate=0.1, schedule="one-cycle"), 50, 0.052, id="a cycle that only rises"),
    ],
)
def test_learning_rates(config: Config, step: int, rate: float) -> None:
    np.testing.assert_allclose(schedule(config, 100)(step), rate, rtol=1e-6, atol=1e-9)  # float32 arithmetic


@dataclass(frozen=True, repr=False)
class Growing(Layer):
    """Keeps what soon no float can hold, and changes nothing."""

    def init_state(self, shape: Any, dtype: Any) -> Any:
        return {"size": jnp.full(shape[-1:], 1e30, dtype)}

    def next_state(self, saved: Any, state: Any) -> Any:
        return {"size": state["size"] ** 2}

    def forward(self, params: Any, x: Any, context: Context = EVALUATION) -> Any:
        return x, None


def test_what_layers_keep_is_looked_at_before_it_is_kept() -> None:
    """Training itself does not look at it: neither loss nor parameters would tell."""
    network = (Flatten(), Growing(), Dense(10))
    steps = make_run_steps(PLAIN, network, len(IMAGES), Ops())
    state, progress = steps(initial_state(PLAIN, network, (8, 8, 1), 6), jnp.asarray(IMAGES), jnp.asarray(LABELS), 0, 6)
    assert bool(progress.failed)
    assert int(progress.step) == 3  # after 1e60, 1e120 and 1e240
    assert np.isfinite(progress.failed_loss)
    np.testing.assert_allclose(state.network_state[1]["size"], 1e240, rtol=1e-9)
