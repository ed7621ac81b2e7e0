"""Networks: drawing parameters, the forward pass, the loss and its gradient."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jcnn import (
    Conv,
    Dense,
    Elu,
    Flatten,
    Gelu,
    Layer,
    LeakyRelu,
    Maxout,
    MaxPool,
    Ops,
    Relu,
    Selu,
    Sigmoid,
    Softplus,
    Tanh,
    apply,
    conv,
    dense,
    init,
    max_pool,
    relu,
    softmax_cross_entropy,
    value_and_grad,
)
from jcnn.layers import Shape, normal_weights
from jcnn.network import activations, trace
from tests.references import assert_agree, normal

KEY = jax.random.key(7)
NETWORK = (Conv(4, 3, padding="same"), Relu(), MaxPool(2), Flatten(), Dense(3))
SHAPE = (6, 6, 2)


@pytest.fixture(scope="module")
def params() -> Any:
    return init(KEY, NETWORK, SHAPE, jnp.float64)


def by_hand(params: Any, x: Array) -> Array:
    first, *_, last = params
    x = max_pool(relu(conv(x, first["w"], first["b"], padding="same")), 2)
    return dense(x.reshape(len(x), -1), last["w"], last["b"])


def test_apply_is_the_layers_in_turn(params: Any) -> None:
    x = jnp.asarray(normal(5, *SHAPE))
    assert_agree(apply(NETWORK, params, x), by_hand(params, x))
    outputs = activations(NETWORK, params, x)
    assert [y.shape[1:] for y in outputs] == [step.output_shape for step in trace(NETWORK, SHAPE)]
    assert_agree(outputs[-1], by_hand(params, x))
    assert_agree(outputs[1], jnp.maximum(outputs[0], 0))


@pytest.mark.parametrize("gradient", ["autodiff", "manual"])
def test_value_and_grad(params: Any, gradient: Any) -> None:
    x, labels = jnp.asarray(normal(5, *SHAPE)), jnp.asarray([0, 1, 2, 1, 0])
    run = jax.jit(lambda params: value_and_grad(NETWORK, params, x, labels, ops=Ops(gradient=gradient)))
    loss, grads = run(params)
    expected, derived = jax.value_and_grad(lambda p: softmax_cross_entropy(by_hand(p, x), labels).mean())(params)
    assert_agree(loss, expected)
    assert jax.tree.structure(grads) == jax.tree.structure(params)
    assert_agree(jax.tree.leaves(grads), jax.tree.leaves(derived))


def test_value_and_grad_against_differences(params: Any) -> None:
    """A central difference along one random direction: its error is about step², and rounding over step."""
    x, labels = jnp.asarray(normal(5, *SHAPE)), jnp.asarray([0, 1, 2, 1, 0])
    direction = jax.tree.map(lambda p: jnp.asarray(normal(*p.shape, seed=3)), params)
    step = 1e-6
    ends = [
        value_and_grad(NETWORK, jax.tree.map(lambda p, d, s=s: p + s * d, params, direction), x, labels)[0]
        for s in (step, -step)
    ]
    _, grads = value_and_grad(NETWORK, params, x, labels)
    slope = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(direction), strict=True))
    assert float((ends[0] - ends[1]) / (2 * step)) == pytest.approx(float(slope), rel=1e-7)


def test_parameters_are_a_pure_function_of_the_key(params: Any) -> None:
    again, other = init(KEY, NETWORK, SHAPE, jnp.float64), init(jax.random.key(8), NETWORK, SHAPE, jnp.float64)
    for one, same, different in zip(*map(jax.tree.leaves, (params, again, other)), strict=True):
        np.testing.assert_array_equal(one, same)
        assert one.ndim == 1 or not np.array_equal(one, different)  # biases are zero for every key


def test_layers_of_one_shape_are_drawn_apart() -> None:
    first, second = init(KEY, (Dense(4), Dense(4)), (4,))
    assert not np.array_equal(first["w"], second["w"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_parameters_and_logits_have_the_dtype_asked_for(dtype: str) -> None:
    params = init(KEY, NETWORK, SHAPE, dtype)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {dtype}
    assert apply(NETWORK, params, jnp.ones((1, *SHAPE), dtype)).dtype == dtype


def test_float32_is_the_default() -> None:
    assert {leaf.dtype.name for leaf in jax.tree.leaves(init(KEY, NETWORK, SHAPE))} == {"float32"}


FOLLOWED_BY: list[Layer | None] = [
    *(Relu(), LeakyRelu(0.3), Elu(), Selu(), Gelu(), Softplus(), Sigmoid(), Tanh(), Maxout(2), None),
]


@pytest.mark.parametrize("activation", FOLLOWED_BY, ids=map(str, FOLLOWED_BY))
@pytest.mark.parametrize("layer", [Dense(64), Conv(64, 3), Conv(64, 3, groups=4)], ids=repr)
def test_the_variance_of_the_weights(layer: Layer, activation: Layer | None) -> None:
    """The variance of m normal numbers scatters by √(2/m) of itself; five times that is a chance of one in a million."""
    following = () if activation is None else (MaxPool(1), activation) if isinstance(layer, Conv) else (activation,)
    shape = (4, 4, 64) if isinstance(layer, Conv) else (64,)
    weights, *_ = init(KEY, (layer, *following), shape, jnp.float64)
    taps, groups = (9, layer.groups) if isinstance(layer, Conv) else (1, 1)
    fan_in = fan_out = taps * 64 // groups
    expected = 2 / (fan_in + fan_out) if activation is None or activation.gain is None else activation.gain**2 / fan_in
    w = np.asarray(weights["w"])
    assert abs(w.var() / expected - 1) <= 5 * np.sqrt(2 / w.size)
    assert abs(w.mean()) <= 5 * np.sqrt(expected / w.size)
    assert not np.any(weights["b"])


def test_glorot_looks_at_both_sides() -> None:
    wide, _ = init(KEY, (Dense(960), MaxPool(1)), (5, 40), jnp.float64)
    assert float(wide["w"].var()) == pytest.approx(2 / 1000, rel=5 * (2 / 38400) ** 0.5)


def test_the_rule_is_that_of_the_next_activation_before_other_weights() -> None:
    """The first layer's outputs go into weights, not into the Relu behind them."""
    linear, _, _ = init(KEY, (Dense(960), Dense(4), Relu()), (40,), jnp.float64)
    assert float(linear["w"].var()) == pytest.approx(2 / 1000, rel=5 * (2 / 38400) ** 0.5)


@dataclass(frozen=True, repr=False)
class Scaled(Layer):
    """A layer of someone else's, whose weights have a name, a shape and fans of their own."""

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        scale = normal_weights(key, (5, 2000, 3), fan_in=4, fan_out=6, gain=gain, dtype=dtype)
        return {"scale": scale, "offset": jnp.zeros(shape, dtype)}


@pytest.mark.parametrize(("following", "variance"), [((Relu(),), 2 / 4), ((), 2 / (4 + 6))], ids=["He", "Glorot"])
def test_a_layer_s_own_fans(following: tuple[Layer, ...], variance: float) -> None:
    """Whatever its parameter is called, and whatever shape it has."""
    params, *_ = init(KEY, (Scaled(), *following), (4,), jnp.float64)
    assert float(params["scale"].var()) == pytest.approx(variance, rel=5 * (2 / 30000) ** 0.5)
    assert not params["offset"].any()


def test_parameters_are_drawn_alike_under_a_trace() -> None:
    """Gains are found by numbers, which a trace has none of."""
    network = (Dense(8), Elu(1.25), Dense(8), Gelu())
    eager = init(KEY, network, (8,))
    for one, other in zip(*map(jax.tree.leaves, (eager, jax.jit(lambda key: init(key, network, (8,)))(KEY))), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert jax.tree.map(jnp.shape, jax.eval_shape(lambda: init(KEY, network, (8,)))) == jax.tree.map(jnp.shape, eager)
