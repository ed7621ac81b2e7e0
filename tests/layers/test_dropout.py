"""Dropout as a layer: only in training, by the key and its place alone."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn import Dropout, Flatten, NetworkError
from jcnn.layers import Context

KEY = jax.random.key(4)
X = jnp.arange(1.0, 97.0).reshape(2, 4, 4, 3)


@pytest.mark.parametrize("spatial", [False, True])
def test_it_is_its_operation_in_training_and_nothing_in_evaluation(spatial: bool) -> None:
    layer = Dropout(0.25, spatial)
    y, saved = layer.forward({}, X, Context(training=True, key=KEY))
    np.testing.assert_array_equal(y, jcnn.dropout(X, KEY, rate=0.25, spatial=spatial))
    dx, _ = layer.backward({}, saved, X)
    np.testing.assert_array_equal(dx, y)
    for context in (Context(), Context(key=KEY)):
        y, saved = layer.forward({}, X, context)
        np.testing.assert_array_equal(y, X)
        np.testing.assert_array_equal(layer.backward({}, saved, X)[0], X)


def test_a_rate_of_nothing_needs_no_key() -> None:
    assert not Dropout(0.0).draws
    y, _ = jcnn.apply_training((Dropout(0.0),), ({},), X)
    np.testing.assert_array_equal(y, X)


def test_its_place_decides_too() -> None:
    """Two layers of one rate in a network drop other values."""
    network = (Dropout(0.5), Dropout(0.5))
    y, _ = jcnn.apply_training(network, ({}, {}), jnp.ones((1000, 1)), key=KEY)
    kept = float((y > 0).mean())
    assert abs(kept - 0.25) < 5 * (0.25 * 0.75 / 1000) ** 0.5


def test_under_vmap_and_jit_it_is_the_same() -> None:
    network, keys = (Dropout(0.5, spatial=True), Flatten(), Dropout(0.5)), jax.random.split(KEY, 3)

    def step(key: Any) -> Any:
        return jcnn.apply_training(network, ({}, {}, {}), X, key=key)[0]

    mapped = jax.jit(jax.vmap(step))(keys)
    np.testing.assert_array_equal(mapped, jnp.stack([step(key) for key in keys]))


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: Any) -> None:
    with pytest.raises(ValueError, match=f"rate={rate}"):
        Dropout(rate)


def test_what_else_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"layer 2, Dropout\(0.5, spatial=True\).*expected maps to drop"):
        jcnn.summary((Flatten(), Dropout(0.5, spatial=True)), (4, 4, 3))
    with pytest.raises(NetworkError, match="trains without a key"):
        Dropout(0.5).forward({}, X, Context(training=True))
    with pytest.raises(NetworkError, match=r"key is None, and layer 1, Dropout\(0.5\)"):
        jcnn.apply_training((Dropout(0.5),), ({},), X)
