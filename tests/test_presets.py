"""The networks by name fit the images they are meant for."""

import jax
import jax.numpy as jnp
import pytest

from jcnn import PRESETS, Conv, GeometryError, MaxPool, apply, count_parameters, init, init_state, resnet
from jcnn.network import trace
from jcnn.presets import preset

SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [name for name in PRESETS if name not in ("resnet20", "resnet56")])
def test_fits_and_gives_one_logit_a_class(name: str, shape: tuple[int, ...]) -> None:
    network = preset(name, shape, 7)
    assert trace(network, shape)[-1].output_shape == (7,)
    params = jax.eval_shape(lambda: init(jax.random.key(0), network, shape))
    state, x = init_state(network, shape), jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    logits = jax.eval_shape(lambda params, x: apply(network, params, x, state=state), params, x)
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
        # Published: 0.27 and 0.85 million (He et al. 2016), 1.4 (Springenberg et al. 2015), 1.97 (Jordan 2024).
        ("resnet8", (32, 32, 3), 75_290),
        ("resnet20", (32, 32, 3), 269_722),
        ("resnet56", (32, 32, 3), 853_018),
        ("all_conv", (32, 32, 3), 1_369_738),
        ("airbench", (32, 32, 3), 24 + 9 * (24 * 64 + 64**2 + 64 * 256 + 3 * 256**2) + 2 * (64 + 256 + 256) + 2_560),
        ("vgg_small", (32, 32, 3), 9 * (3 * 64 + 64**2 + 64 * 128 + 128**2 + 128 * 256 + 256**2) + 2 * 896 + 1_048_832 + 2_570),
        ("mobile", (32, 32, 3), 27 * 32 + 9 * 608 + 32 * 64 + 64 * 128 + 128**2 + 128 * 256 + 256**2 + 2 * (640 + 832) + 2_570),
    ],
    ids=str,
)
def test_parameters_counted_by_hand(name: str, shape: tuple[int, ...], parameters: int) -> None:
    assert count_parameters(preset(name, shape, 10), shape) == parameters


def test_the_lecture_network_is_the_same_for_every_shape() -> None:
    assert len({preset("lecture", shape, 10) for shape in SHAPES}) == 1
    kinds = [type(layer) for layer in preset("lecture", SHAPES[0], 10)]
    assert (kinds.count(Conv), kinds.count(MaxPool)) == (4, 2)


def test_a_residual_network_of_any_depth() -> None:
    """6n + 2 layers with weights: the first and the last, and two in each of n blocks in three stages."""
    shape = (16, 16, 3)
    for depth in (8, 14, 20):
        params = jax.eval_shape(lambda depth=depth: init(jax.random.key(0), resnet(shape, 10, depth=depth, width=4), shape))
        assert sum(leaf.ndim > 1 for leaf in jax.tree.leaves(params)) == depth
    with pytest.raises(GeometryError, match=r"depth=18: expected 6n \+ 2"):
        resnet(shape, 10, depth=18)
