"""Whitened patches: what the filters make of the images that they were taken from, and how they come into a network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn import Conv, Dense, Flatten, GlobalAvgPool, Relu, Whiten
from jcnn.layers import Context
from tests.references import normal

NETWORK = (Whiten(2), Relu(), GlobalAvgPool(), Dense(3))


def correlated(*shape: int) -> Any:
    """Images whose neighbouring values go together, and whose channels have means and strengths of their own."""
    noise = normal(*shape)
    return (noise + np.roll(noise, 1, 1) + 0.5 * np.roll(noise, 1, -1)) * [1.0, 3.0] + [2.0, -5.0]


@pytest.mark.parametrize("window", [2, (3, 1)], ids=str)
def test_patches_come_out_uncorrelated_and_equally_strong_each_beside_its_negative(window: Any) -> None:
    x, layer = correlated(40, 6, 7, 2), Whiten(window, 1e-9)
    state = layer.adapt(layer.init_state(x.shape[1:], jnp.dtype("float64")), x)
    params = layer.init(jax.random.key(0), x.shape[1:], None, jnp.dtype("float64"))
    y, _ = layer.forward(params, jnp.asarray(x), Context(state=state))
    assert y.shape[1:] == layer.output_shape(x.shape[1:])
    outputs = np.asarray(y).reshape(-1, y.shape[-1])
    half = outputs.shape[-1] // 2
    np.testing.assert_allclose(outputs[:, half:], -outputs[:, :half], atol=1e-9)
    np.testing.assert_allclose(outputs[:, :half].mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(outputs[:, :half].T @ outputs[:, :half] / len(outputs), np.eye(half), atol=1e-6)


def test_before_it_has_seen_anything_it_passes_on_the_patch() -> None:
    x = jnp.asarray(normal(2, 5, 3))
    y = jcnn.apply((Whiten(2),), ({"b": jnp.zeros(12)},), x, state=jcnn.init_state((Whiten(2),), (5, 3), jnp.float64))
    patches = jnp.concatenate([x[:, :-1], x[:, 1:]], -1)
    np.testing.assert_array_equal(y, jnp.concatenate([patches, -patches], -1))


def test_many_images_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, layer = correlated(9, 4, 5, 2), Whiten()
    state = layer.init_state(x.shape[1:], jnp.dtype("float64"))
    whole = layer.adapt(state, x)
    monkeypatch.setattr("jcnn.layers.whiten.AT_ONCE", 200)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), layer.adapt(state, x), whole)


def test_only_the_first_layer_is_shown_images() -> None:
    inside, behind = ((Whiten(2), Relu()), Flatten(), Dense(3)), (Conv(2, 1), Whiten(2), Flatten(), Dense(3))
    x = jnp.asarray(correlated(4, 4, 4, 2))
    for network, changes in ((inside, True), (behind, False)):
        fresh = jcnn.init_state(network, x.shape[1:], jnp.float64)
        seen = jcnn.adapt(network, fresh, x)
        same = jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), fresh, seen))
        assert same != changes
    with pytest.raises(TypeError, match="x is traced by JAX: expected images that are known"):
        jax.jit(lambda x: jcnn.adapt(NETWORK, jcnn.init_state(NETWORK, x.shape[1:], x.dtype), x))(x)
    with pytest.raises(jcnn.NetworkError, match="state does not fit the network"):
        jcnn.adapt(NETWORK, (), x)


@pytest.mark.parametrize("epsilon", [0.0, -1.0])
def test_an_epsilon_that_is_none_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match=f"epsilon={epsilon}: expected a number above 0"):
        Whiten(epsilon=epsilon)
