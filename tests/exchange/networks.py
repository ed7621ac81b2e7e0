"""Networks for the ways out and in, with parameters and a state that nobody would take for the first ones."""

import math
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jcnn
from jcnn import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Gelu,
    GlobalAvgPool,
    LayerNorm,
    MaxPool,
    Parallel,
    Relu,
    Residual,
    lenet5,
)
from jcnn.data import load
from jcnn.exchange.arrays import Trained, templates
from jcnn.layers import Network

DIGIT = (8, 8, 1)

NETWORKS: dict[str, Network] = {
    "LeNet-5": lenet5(DIGIT, 10),
    "with a state": (
        *(Conv(6, 3, stride=2, padding="same", bias=False), BatchNorm(), Relu()),
        Residual((Conv(6, 3, padding=1), BatchNorm(scale=False), Gelu(), Conv(6, 1))),
        Parallel((Conv(3, 1), Relu()), MaxPool(3, stride=1, padding=1), AvgPool(3, stride=1, padding=1)),
        (Flatten(), BatchNorm(), Dropout(0.5), Dense(12), LayerNorm(), Relu(), Dense(10)),
    ),
    "averaged": (Conv(4, 3), Relu(), Conv(10, 1), GlobalAvgPool()),
}


@cache
def trained(name: str, dtype: str = "float32") -> Trained:
    """A network with the numbers that some training might leave."""
    network, draws = NETWORKS[name], np.random.default_rng(1)
    params, state = templates(network, DIGIT, dtype)

    def drawn(leaf: Any) -> jax.Array:
        fan_in = math.prod(leaf.shape[:-1])
        return jnp.asarray(draws.normal(size=leaf.shape) / math.sqrt(fan_in), leaf.dtype)

    def kept(leaf: Any) -> jax.Array:
        return jnp.asarray(0.5 + draws.random(leaf.shape), leaf.dtype)

    return Trained(network, jax.tree.map(drawn, params), jax.tree.map(kept, state), DIGIT, tuple("0123456789"))


def digits(dtype: Any = "float32") -> np.ndarray:
    """The test images of the embedded digits, as networks take them."""
    return (load("digits", "test").images / 255).astype(dtype)


def logits(given: Trained, x: np.ndarray) -> np.ndarray:
    """What the network says of them."""
    return np.asarray(jcnn.apply(given.network, given.params, jnp.asarray(x), state=given.state))


def assert_same_arrays(found: Any, expected: Any) -> None:
    """The same trees, bit for bit."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for mine, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert mine.dtype == theirs.dtype
        assert np.asarray(mine).tobytes() == np.asarray(theirs).tobytes()
