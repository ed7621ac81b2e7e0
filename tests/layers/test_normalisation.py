"""Layers that normalise: what they collect, what they learn, and what they take for the activation behind them."""

# Wrong types are the point of some.
# pyright: reportArgumentType=false

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

import jcnn
from jcnn import BatchNorm, Dense, Flatten, GroupNorm, LayerNorm, NetworkError, Relu
from jcnn.layers import Context
from tests.draws import draws
from tests.references import assert_agree, normal

SHAPE = (4, 3, 6)
NETWORK = (Dense(4, bias=False), BatchNorm(0.3), Relu(), Flatten(), Dense(3))
LABELS = jnp.array([0, 2, 1, 2, 0, 1, 1, 2])


def learned(layer: Any, shape: tuple[int, ...]) -> dict[str, jax.Array]:
    """Scale and offset that are not 1 and 0."""
    params = layer.init(jax.random.key(0), shape, None, jnp.dtype("float64"))
    return {name: leaf + 0.5 + jnp.arange(float(leaf.size)) for name, leaf in params.items()}


@given(st.lists(st.integers(2, 5), min_size=1, max_size=4), st.floats(0.01, 1), st.data())
@draws(10)
def test_running_statistics_are_the_formula(batches: list[int], momentum: float, data: st.DataObject) -> None:
    """After any batches: what is left of 0 and 1, and of every batch its mean and unbiased variance, by NumPy."""
    rank = data.draw(st.integers(0, 3))
    shape = (*data.draw(st.tuples(*[st.integers(1, 3)] * rank)), 2)
    layer = BatchNorm(momentum)
    state = layer.init_state(shape, jnp.dtype("float64"))
    mean, variance = np.zeros(2), np.ones(2)
    for number, size in enumerate(batches):
        x = 2 * normal(size, *shape, seed=number) + 1
        _, saved = layer.forward(learned(layer, shape), jnp.asarray(x), Context(training=True, state=state))
        state = layer.next_state(saved, state)
        axes = tuple(range(x.ndim - 1))
        mean = (1 - momentum) * mean + momentum * x.mean(axes)
        variance = (1 - momentum) * variance + momentum * x.var(axes, ddof=1)
    assert_agree(list(state.values()), [mean, variance])


def test_a_batch_in_training_and_a_state_in_evaluation() -> None:
    layer, x = BatchNorm(epsilon=0.1), normal(5, *SHAPE)
    params, axes = learned(layer, SHAPE), (0, 1, 2)
    scale, offset = (np.asarray(params[name]) for name in ("scale", "offset"))
    y, _ = layer.forward(params, jnp.asarray(x), Context(training=True))
    assert_agree(y, (x - x.mean(axes)) / np.sqrt(x.var(axes) + 0.1) * scale + offset)
    state = {"mean": jnp.arange(6.0), "variance": 1 + jnp.arange(6.0)}
    y, saved = layer.forward(params, jnp.asarray(x), Context(state=state))
    assert_agree(y, (x - np.arange(6)) / np.sqrt(1.1 + np.arange(6)) * scale + offset)
    # The way back of what was asked: the running statistics are constants.
    dy = jnp.asarray(normal(5, *SHAPE, seed=1))
    pulled = jax.vjp(lambda params, x: layer.forward(params, x, Context(state=state))[0], params, jnp.asarray(x))[1](dy)
    dx, gradients = layer.backward(params, saved, dy)
    assert gradients.keys() == pulled[0].keys()
    assert_agree([dx, *gradients.values()], [pulled[1], *(pulled[0][name] for name in gradients)])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_statistics_of_half_the_bits_are_kept_in_float32(dtype: str) -> None:
    """A running mean in 16 bits would stand still long before it is there."""
    network = (BatchNorm(0.01),)
    params = jcnn.init(jax.random.key(0), network, SHAPE, dtype)
    state = jcnn.init_state(network, SHAPE, dtype)
    x = jnp.asarray(normal(8, *SHAPE) + 1).astype(dtype)
    step = jax.jit(lambda state: jcnn.apply_training(network, params, x, state=state)[1])
    for _ in range(600):
        state = step(state)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state)} == {"float32"}
    assert_agree(state[0]["mean"], x.astype(jnp.float64).mean((0, 1, 2)), 0.004)
    assert jcnn.apply(network, params, x, state=state).dtype == jnp.dtype(dtype)


@pytest.mark.parametrize("layer", [BatchNorm, LayerNorm, partial(GroupNorm, 2)], ids=["batch", "layer", "group"])
@pytest.mark.parametrize("names", [(), ("scale",), ("offset",), ("offset", "scale")], ids=str)
def test_what_is_not_learned_is_neither_there_nor_changes_anything(layer: Callable[..., Any], names: tuple[str, ...]) -> None:
    plain, full = layer(**{name: name in names for name in ("scale", "offset")}), layer()
    params, x, dy = learned(plain, SHAPE), jnp.asarray(normal(3, *SHAPE)), jnp.asarray(normal(3, *SHAPE, seed=1))
    whole = {"scale": jnp.ones(6), "offset": jnp.zeros(6), **params}
    assert set(params) == set(names)
    (y, saved), (expected, seen) = (one.forward(p, x, Context(training=True)) for one, p in ((plain, params), (full, whole)))
    assert_agree(y, expected)
    (dx, gradients), (by_x, by_all) = plain.backward(params, saved, dy), full.backward(whole, seen, dy)
    assert_agree([dx, *(gradients[name] for name in names)], [by_x, *(by_all[name] for name in names)])
    assert set(gradients) == set(names)


def split_over_devices(network: Any, gradient: Any) -> Any:
    """A step on one batch in four parts, one a device, losses and gradients averaged."""
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    spec, replicated = PartitionSpec("batch"), PartitionSpec()

    def part(params: Any, state: Any, x: Any, labels: Any) -> Any:
        (loss, after), gradients = gradient(network, params, x, labels, state=state)
        return (jax.lax.pmean(loss, "batch"), after), jax.lax.pmean(gradients, "batch")

    specs = (replicated, replicated, spec, spec)
    return jax.jit(jax.shard_map(part, mesh=mesh, in_specs=specs, out_specs=replicated, check_vma=False))


class Whole(NamedTuple):
    """A batch on one device, and what a step makes of it."""

    params: Any
    state: Any
    x: jax.Array
    step: Any
    expected: Any


@pytest.fixture(scope="module")
def whole() -> Whole:
    shape = SHAPE[1:]
    params, state = jcnn.init(jax.random.key(0), NETWORK, shape, jnp.float64), jcnn.init_state(NETWORK, shape, jnp.float64)
    x, step = jnp.asarray(normal(8, *shape)), jax.jit(partial(jcnn.backprop, NETWORK))
    return Whole(params, state, x, step, step(params, x, LABELS, state=state))


@pytest.mark.parametrize("gradient", [jcnn.backprop, jcnn.value_and_grad])
def test_parts_of_a_batch_on_devices_have_the_statistics_of_all(gradient: Any, whole: Whole) -> None:
    across = tuple(BatchNorm(layer.momentum, "batch") if isinstance(layer, BatchNorm) else layer for layer in NETWORK)
    found = split_over_devices(across, gradient)(whole.params, whole.state, whole.x, LABELS)
    assert_agree(jax.tree.leaves(found), jax.tree.leaves(whole.expected))
    # Asked, the network needs no mapped axis.
    asked = jax.eval_shape(lambda params, state: jcnn.apply(across, params, whole.x, state=state), whole.params, whole.state)
    assert asked.shape == (8, 3)


def test_a_sharded_batch_under_jit_has_the_statistics_of_all(whole: Whole) -> None:
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, PartitionSpec("batch"))
    found = whole.step(whole.params, *jax.device_put((whole.x, LABELS), sharding), state=whole.state)
    assert_agree(jax.tree.leaves(found), jax.tree.leaves(whole.expected))


@pytest.mark.parametrize("norm", [BatchNorm(), GroupNorm(4), LayerNorm("all")], ids=repr)
def test_weights_before_a_normalisation_are_drawn_for_the_activation_behind_it(norm: Any) -> None:
    w = jcnn.init(jax.random.key(0), (Dense(900), norm, Relu()), (4, 100), jnp.float64)[0]["w"]
    assert float(w.var()) == pytest.approx(2 / 100, rel=5 * (2 / w.size) ** 0.5)


def step_of(*network: Any, batch: int = 8) -> Any:
    plain = tuple(BatchNorm() if isinstance(layer, BatchNorm) else layer for layer in network)
    params, state = (make(plain, (3,), jnp.float64) for make in (partial(jcnn.init, jax.random.key(0)), jcnn.init_state))
    return jcnn.backprop(network, params, jnp.ones((batch, 3)), LABELS[:batch], state=state)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        pytest.param(lambda: BatchNorm(0.0), ValueError, "momentum=0.0: expected how much", id="no momentum"),
        pytest.param(lambda: BatchNorm(1.1), ValueError, "momentum=1.1", id="momentum above 1"),
        pytest.param(lambda: BatchNorm(epsilon=0), ValueError, "epsilon=0: expected a number above 0", id="epsilon"),
        pytest.param(lambda: BatchNorm(scale="no"), TypeError, "scale='no': expected True", id="a word for a flag"),
        pytest.param(lambda: BatchNorm(axis_name=3), TypeError, "axis_name=3: expected the name", id="axis"),
        pytest.param(lambda: LayerNorm("pixels"), ValueError, "axes='pixels': expected 'channels' or", id="axes"),
        pytest.param(lambda: GroupNorm(0), ValueError, "groups=0", id="groups"),
        pytest.param(lambda: jcnn.summary((GroupNorm(4),), SHAPE), NetworkError, r"layer 1, GroupNorm.*divisor", id="channels"),
        pytest.param(lambda: jcnn.summary((LayerNorm(),), (3, 1)), NetworkError, r"one value of \(3, 1\)", id="one value"),
        pytest.param(lambda: BatchNorm().forward({}, jnp.ones((2, 3))), NetworkError, "without a state", id="no state"),
        pytest.param(lambda: step_of(BatchNorm(), batch=1), ValueError, "each mean is over one value", id="a batch of one"),
        pytest.param(lambda: step_of(BatchNorm(axis_name="a")), ValueError, "axis_name='a': expected", id="no such axis"),
    ],
)
def test_bad_input_is_refused(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
