"""Networks as modules of Flax NNX and Equinox: outputs, gradients and what a step leaves are those of jcnn."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jcnn
from jcnn.exchange import ExchangeError, from_equinox, from_nnx, to_equinox, to_nnx
from tests.exchange.networks import NETWORKS, assert_same_arrays, digits, logits, trained

nnx: Any = pytest.importorskip("flax.nnx", reason="Flax is not installed here; `make test-peers` installs it")
equinox: Any = pytest.importorskip("equinox", reason="Equinox is not installed here; `make test-peers` installs it")

BATCH, LABELS, KEY = digits("float64")[:16], np.arange(16) % 10, jax.random.key(5)


def assert_close(found: Any, expected: Any) -> None:
    """Trees of the same structure, equal up to the rounding of another program."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("to", [to_nnx, to_equinox])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_module_says_what_the_network_says(name: str, to: Any) -> None:
    given = trained(name)
    np.testing.assert_allclose(to(*given[:3])(jnp.asarray(digits())), logits(given, digits()), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("to", "back"), [(to_nnx, from_nnx), (to_equinox, from_equinox)], ids=["nnx", "equinox"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_as_it_was(name: str, to: Any, back: Any) -> None:
    given = trained(name)
    network, params, state = back(to(*given[:3]))
    assert network == given.network
    assert_same_arrays((params, state), given[1:3])


def test_a_step_of_nnx_is_the_step_of_jcnn() -> None:
    network, params, state, *_ = trained("with a state", "float64")
    module = to_nnx(network, params, state)
    optimizer = nnx.Optimizer(module, optax.sgd(0.1), wrt=nnx.Param)
    module.train()

    @nnx.jit
    def step(module: Any, optimizer: Any, x: Any, labels: Any, key: Any) -> Any:
        def loss(module: Any) -> Any:
            return jcnn.softmax_cross_entropy(module(x, key=key), labels).mean()

        value, gradients = nnx.value_and_grad(loss)(module)
        optimizer.update(module, gradients)
        return value

    value = step(module, optimizer, BATCH, LABELS, KEY)
    (expected, after), gradients = jcnn.value_and_grad(network, params, BATCH, LABELS, state=state, key=KEY)
    assert_close(value, expected)
    moved = jax.tree.map(lambda leaf, gradient: leaf - 0.1 * gradient, params, gradients)
    assert_close(from_nnx(module)[1:], (moved, after))
    module.eval()
    assert_close(module(BATCH), jcnn.apply(network, moved, BATCH, state=after))


def test_gradients_of_equinox_are_those_of_jcnn() -> None:
    network, params, state, *_ = trained("with a state", "float64")
    module = to_equinox(network, params, state)

    @equinox.filter_jit
    @equinox.filter_value_and_grad(has_aux=True)
    def loss(module: Any, x: Any, labels: Any, key: Any) -> Any:
        logits, after = module.train(x, key=key)
        return jcnn.softmax_cross_entropy(logits, labels).mean(), after

    (value, after), found = loss(module, BATCH, LABELS, KEY)
    (expected, kept), gradients = jcnn.value_and_grad(network, params, BATCH, LABELS, state=state, key=KEY)
    assert_close((value, found.params), (expected, gradients))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(found.state))
    assert_close(from_equinox(after)[1:], (params, kept))


@pytest.mark.parametrize("back", [from_nnx, from_equinox])
def test_other_modules_are_refused(back: Any) -> None:
    for other in (nnx.Linear(2, 3, rngs=nnx.Rngs(0)), equinox.nn.Linear(2, 3, key=KEY), None):
        with pytest.raises(ExchangeError, match=f"module is a {type(other).__name__}: expected one that to_"):
            back(other)
