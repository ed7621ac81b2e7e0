"""What layers keep beside their parameters, and the keys of those that draw: their way through any network."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn import Dense, Flatten, GlobalAvgPool, NetworkError, Parallel, Relu, Residual
from jcnn.layers import Context, Layer, Shape
from tests.layers.test_users_layers import Scaled
from tests.layers.users_layers import Centred, Dropped

KEY = jax.random.key(5)
SHAPE = (3, 4)
X, LABELS = jax.random.normal(KEY, (5, *SHAPE), jnp.float64), jnp.array([0, 2, 1, 1, 0])
NETWORK = (
    (Dense(4), Centred()),
    Residual((Centred(0.5), Dense(4)), shortcut=Centred()),
    Parallel(Centred(), (Relu(), Centred(1.0)), join="sum"),
    *(GlobalAvgPool(), Dense(3)),
)
DROPPED = (Dense(4), Residual((Dropped(), Dense(4))), Parallel(Dropped(), Dropped()), Flatten(), Dense(3))
WAYS: dict[str, Callable[..., Any]] = {"by hand": jcnn.backprop, "by autodiff": jcnn.value_and_grad}


def params_of(network: Any) -> Any:
    return jcnn.init(KEY, network, SHAPE, jnp.float64)


def state_of(network: Any) -> Any:
    return jcnn.init_state(network, SHAPE, jnp.float64)


def assert_agree(ours: Any, theirs: Any) -> None:
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13), ours, theirs)


def test_the_state_nests_as_the_parameters_do() -> None:
    state = state_of(NETWORK)
    own = {"running": [0], "steps": 0}
    first, second, third, *last = jax.tree.map(lambda _: 0, state)
    assert first == ({}, own)
    assert second == {"body": (own, {}), "shortcut": own}
    assert third == (own, ({}, own))
    assert last == [{}, {}]
    assert jcnn.init_state((Dense(4), (Relu(), Flatten())), SHAPE) == ({}, ({}, {}))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(jcnn.init_state(NETWORK, SHAPE, jnp.float16))} == {"float16", "int32"}


def test_a_step_gives_the_state_after_it_by_hand_as_by_autodiff() -> None:
    params, state = params_of(NETWORK), state_of(NETWORK)

    @jax.jit
    def both(params: Any, state: Any) -> Any:
        return tuple(way(NETWORK, params, X, LABELS, state=state) for way in WAYS.values())

    by_hand, derived = both(params, state)
    assert_agree(by_hand, derived)
    (loss, after), _ = by_hand
    logits, again = jax.jit(lambda state: jcnn.apply_training(NETWORK, params, X, state=state))(state)
    assert_agree((loss, after), (jcnn.softmax_cross_entropy(logits, LABELS).mean(), again))
    # The first layer's statistics, written out; and the step after goes on from there.
    dense = jcnn.dense(X, params[0][0]["w"], params[0][0]["b"])
    np.testing.assert_allclose(after[0][1]["running"][0], 0.25 * dense.mean((0, 1)), rtol=1e-12)
    (_, then), _ = both(params, after)[0]
    np.testing.assert_allclose(then[0][1]["running"][0], (0.25 + 0.75 * 0.25) * dense.mean((0, 1)), rtol=1e-12)
    assert {int(leaf) for leaf in jax.tree.leaves(then) if leaf.dtype == jnp.int32} == {2}


def test_what_is_asked_computes_with_the_state_as_it_is() -> None:
    params, zero = params_of(NETWORK), state_of(NETWORK)
    after = jax.tree.map(lambda leaf: leaf + jnp.ones_like(leaf) / 2 if leaf.ndim else leaf, zero)
    asked = jax.jit(lambda state: jcnn.apply(NETWORK, params, X, state=state))
    one, other = asked(zero), asked(after)
    assert not np.allclose(one, other)
    last = jax.jit(lambda x: jcnn.network.activations(NETWORK, params, x, state=after)[-1])
    np.testing.assert_allclose(last(X[:1]), other[:1], rtol=1e-12)  # alone as among the others


def test_a_network_without_a_state_is_given_what_it_was() -> None:
    network = (Dense(4), Relu(), Flatten(), Dense(3))
    params = params_of(network)
    for way in WAYS.values():
        plain = partial(way, network, x=X, labels=LABELS)
        more = partial(plain, state=state_of(network), key=KEY)
        (_, state), _ = jax.eval_shape(more, params)
        assert state == ({}, {}, {}, {})
        assert str(jax.make_jaxpr(plain)(params)) == str(jax.make_jaxpr(more)(params))  # the same program
    assert jcnn.apply_training(network, params, X)[1] is None


def test_a_key_decides_what_is_drawn() -> None:
    params = params_of(DROPPED)
    both = jax.jit(lambda key: tuple(way(DROPPED, params, X, LABELS, key=key) for way in WAYS.values()))
    one, same, other = both(KEY), both(KEY), both(jax.random.key(6))
    assert_agree(*one)
    jax.tree.map(np.testing.assert_array_equal, one, same)
    assert float(one[0][0]) != float(other[0][0])
    # Equal layers in branches draw apart.
    kept, _ = Parallel(Dropped(), Dropped()).forward(({}, {}), jnp.ones((1, 1000)), Context(training=True, key=KEY))
    assert 400 < int((kept[0, :1000] != kept[0, 1000:]).sum()) < 600


@dataclass(frozen=True, repr=False)
class Stuck(Centred):
    """Gives back another state than it had."""

    def next_state(self, saved: Any, state: Any) -> Any:
        after = super().next_state(saved, state)
        return {**after, "steps": after["steps"].astype(jnp.float32)} if self.rate < 1 else [after]


@dataclass(frozen=True, repr=False)
class Endless(Centred):
    """Has a state, and does not say how it goes on."""

    def next_state(self, saved: Any, state: Any) -> Any:
        return Layer.next_state(self, saved, state)


@dataclass(frozen=True, repr=False)
class ScaledWithState(Scaled):
    """A user's layer around another, that says what that one keeps."""

    def init_state(self, shape: Shape, dtype: Any) -> Any:
        return {"inner": self.inner.init_state(shape, dtype)}

    def next_state(self, saved: Any, state: Any) -> Any:
        return {"inner": self.inner.next_state(saved[1], state["inner"])}


def test_a_user_s_layer_around_layers_with_a_state() -> None:
    network = (ScaledWithState(Centred()), Flatten(), Dense(3))
    params, state = params_of(network), state_of(network)
    both = jax.jit(lambda params: tuple(way(network, params, X, LABELS, state=state) for way in WAYS.values()))
    by_hand, derived = both(params)
    assert_agree(by_hand, derived)
    assert int(by_hand[0][1][0]["inner"]["steps"]) == 1
    # One around layers without a state says nothing of it, also beside others that have one.
    mixed = (Scaled(Dense(4)), Centred(), Flatten(), Dense(3))
    scores = jax.eval_shape(lambda params: jcnn.apply(mixed, params, X, state=state_of(mixed)), params_of(mixed))
    assert scores.shape == (5, 3)
    with pytest.raises(NetworkError, match=r"layer 1, Scaled\(Centred\(\)\), has in it layer 1\.1, Centred\(\), .*init_state"):
        jcnn.init_state((Scaled(Centred()), Flatten()), SHAPE)


PARAMS, STATE = params_of(NETWORK), state_of(NETWORK)
IN_32 = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), STATE)
OF_FIVE = jcnn.init_state((Centred(),), (3, 5), jnp.float64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda: jcnn.apply(NETWORK, PARAMS, X),
            "state is None, and layer 1.2, Centred\\(\\), keeps running/0, "
            "steps beside .*: give state=, as jcnn.init_state\\(network, \\(3, 4\\)\\)",
            id="apply without a state",
        ),
        pytest.param(lambda: jcnn.apply_training(NETWORK, PARAMS, X), "state is None, and layer 1.2", id="in training"),
        pytest.param(lambda: jcnn.backprop(NETWORK, PARAMS, X, LABELS), "state is None, and layer 1.2", id="backprop"),
        pytest.param(lambda: jcnn.value_and_grad(NETWORK, PARAMS, X, LABELS), "state is None, and", id="value_and_grad"),
        pytest.param(lambda: jcnn.network.activations(NETWORK, PARAMS, X), "state is None, and layer", id="activations"),
        pytest.param(lambda: jcnn.apply(NETWORK, PARAMS, X, state=STATE[:-1]), "expected what jcnn.init", id="too short"),
        pytest.param(
            lambda: jcnn.apply((Centred(),), ({},), X, state=OF_FIVE),
            r"state\[0\]\['running'\]\[0\] is float64 of shape \(5,\): expected float64 of \(4,\)",
            id="another size",
        ),
        pytest.param(
            lambda: jcnn.apply(NETWORK, PARAMS, X, state=IN_32),
            "is float32 of shape .*: expected float64 of .*as jcnn.init_state\\(network, .*'float64'\\)",
            id="another dtype",
        ),
        pytest.param(lambda: jcnn.apply((Relu(),), ({},), X, state=STATE), "on one side only", id="a state for nothing"),
        pytest.param(
            lambda: jcnn.apply((Centred(),), ({},), X, state=({"running": 1, "steps": 2},)),
            r"state does not fit the network, .*running.* on one side only",
            id="other names",
        ),
        pytest.param(
            lambda: jcnn.value_and_grad(DROPPED, params_of(DROPPED), X, LABELS),
            r"key is None, and layer 2\.1\.1, Dropped\(\), draws .*: give key=.*fold_in",
            id="no key",
        ),
        pytest.param(lambda: jcnn.backprop(DROPPED, params_of(DROPPED), X, LABELS), "key is None", id="no key, by hand"),
        pytest.param(
            lambda: jcnn.apply_training((Stuck(),), ({},), X, state=state_of((Stuck(),))),
            r"next_state of Stuck\(\) gave an array of shape \(\) and float.*: expected \(\) and int32",
            id="another dtype after",
        ),
        pytest.param(
            lambda: jcnn.apply_training((Stuck(2.0),), ({},), X, state=state_of((Stuck(),))),
            r"next_state of Stuck\(rate=2.0\) gave .*the structure of the state before",
            id="another structure after",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_fix(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        call()


def test_other_mistakes_with_keys_and_states() -> None:
    with pytest.raises(TypeError, match="key=3: expected one JAX random key"):
        jcnn.value_and_grad(NETWORK, PARAMS, X, LABELS, state=STATE, key=3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"Endless\(\) has a state and no way on: expected it to define next_state"):
        jcnn.apply_training((Endless(),), ({},), X, state=state_of((Endless(),)))
