"""The networks by name fit the images they are meant for."""

import jax
import jax.numpy as jnp
import pytest

from jcnn import PRESETS, Conv, MaxPool, apply, count_parameters, init
from jcnn.network import trace
from jcnn.presets import preset

SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", PRESETS)
def test_fits_and_gives_one_logit_a_class(name: str, shape: tuple[int, ...]) -> None:
    network = preset(name, shape, 7)
    assert trace(network, shape)[-1].output_shape == (7,)
    key, x = jax.random.key(0), jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    logits = jax.eval_shape(lambda x: apply(network, init(key, network, shape), x), x)
    assert (logits.shape, logits.dtype) == ((2, 7), jnp.float32)


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        # Filters, biases, and the dense layers over what the pools leave.
        ("small", (8, 8, 1), 320 + 18_496 + (4 * 4 * 64 + 1) * 128 + 1_290),
        ("small", (28, 28, 1), 320 + 18_496 + (7 * 7 * 64 + 1) * 128 + 1_290),
        ("small", (32, 32, 3), 896 + 18_496 + (8 * 8 * 64 + 1) * 128 + 1_290),
        ("lecture", (8, 8, 1), 160 + 3 * 2_320 + (2 * 2 * 16 + 1) * 10),
        ("lecture", (32, 32, 3), 448 + 3 * 2_320 + (8 * 8 * 16 + 1) * 10),
        ("lenet5", (8, 8, 1), 156 + 2_416 + (2 * 2 * 16 + 1) * 120 + 10_164 + 850),
        ("lenet5", (28, 28, 1), 61_706),
        ("lenet5", (32, 32, 3), 61_706 + 2 * 5 * 5 * 6),
    ],
    ids=str,
)
def test_parameters_counted_by_hand(name: str, shape: tuple[int, ...], parameters: int) -> None:
    assert count_parameters(preset(name, shape, 10), shape) == parameters


def test_the_lecture_network_is_the_same_for_every_shape() -> None:
    assert len({preset("lecture", shape, 10) for shape in SHAPES}) == 1
    kinds = [type(layer) for layer in preset("lecture", SHAPES[0], 10)]
    assert (kinds.count(Conv), kinds.count(MaxPool)) == (4, 2)
