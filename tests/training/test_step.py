"""The compiled loop: it is SGD as the course states it, and however it is cut, the numbers are the same."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn import Conv, Dense, Flatten, MaxPool, Ops, Relu, value_and_grad
from jcnn.data import load
from jcnn.data.batches import batch_indices, epoch_order, handed_in, to_input
from jcnn.layers import Context, Layer
from jcnn.layers.base import EVALUATION
from jcnn.training.config import Config
from jcnn.training.recipe import schedule
from jcnn.training.step import State, initial_state, make_run_steps

NETWORK = (Conv(4, 3), Relu(), MaxPool(2), Flatten(), Dense(10))
PLAIN = Config(batch_size=16, momentum=0.0, weight_decay=0.0, warmup=0.0, schedule="constant", augment=False, dtype="float64")
DIGITS = load("digits")
IMAGES, LABELS = DIGITS.images[:100], DIGITS.labels[:100]
STEPS_PER_EPOCH = 100 // 16


def run(config: Config, *cuts: int, ops: Ops | None = None) -> State:
    steps = make_run_steps(config, NETWORK, len(IMAGES), ops or Ops(gradient="manual"))
    state = initial_state(config, NETWORK, (8, 8, 1), STEPS_PER_EPOCH * config.epochs)
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


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cutting_the_loop_changes_no_bit(dtype: Any) -> None:
    config = replace(Config(), batch_size=16, epochs=3, dtype=dtype)
    whole, cut = run(config, 15), run(config, 1, 4, 6, 7, 13, 15)
    jax.tree.map(np.testing.assert_array_equal, whole, cut)
    assert all(leaf.dtype == jnp.dtype(dtype) for leaf in jax.tree.leaves(whole.params))


@pytest.mark.parametrize("cuts", [(6, 12), (2, 5, 6, 11, 12)], ids=["epoch by epoch", "in pieces"])
def test_batches_that_the_host_hands_in_train_to_the_same_bits(cuts: tuple[int, ...]) -> None:
    config = replace(Config(), batch_size=16, epochs=2)
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
