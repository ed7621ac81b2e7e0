"""Saliency and Grad-CAM, where it is known what they have to be."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn import AvgPool, Conv, Dense, Flatten, GlobalAvgPool, MaxPool, Parallel, Relu, Residual, Tanh
from jcnn.attribution import grad_cam, grad_cam_layer, input_gradient, saliency
from jcnn.layers import NetworkError

OPS = (jcnn.Ops(), jcnn.Ops("auto", "manual"))
LINEAR = (Flatten(), Dense(3))
CLASS_MAPS = (Conv(5, 3, padding=1), Relu(), GlobalAvgPool(), Dense(4))
SHAPE = (6, 7, 2)


def made(network: Any, shape: tuple[int, ...] = SHAPE, n: int = 3) -> tuple[Any, jax.Array]:
    """Parameters, biases too, and images."""
    params = jcnn.init(jax.random.key(1), network, shape, jnp.float64)
    biased = jax.tree.map(lambda leaf: jnp.linspace(-0.3, 0.4, leaf.size) if leaf.ndim == 1 else leaf, params)
    return biased, jax.random.normal(jax.random.key(2), (n, *shape), jnp.float64)


def test_of_a_linear_network_the_gradient_is_the_weights_of_the_class() -> None:
    params, x = made(LINEAR)
    weights = np.asarray(params[1]["w"]).reshape(*SHAPE, 3)
    for classes in ([0, 2, 1], 1):
        expected = np.stack([weights[..., index] for index in np.broadcast_to(np.asarray(classes), 3)])
        np.testing.assert_allclose(input_gradient(LINEAR, params, x, np.asarray(classes) if classes != 1 else 1), expected)
        np.testing.assert_allclose(
            saliency(LINEAR, params, x, np.asarray(classes) if classes != 1 else 1), np.abs(expected).max(-1)
        )


@pytest.mark.parametrize("ops", OPS, ids=["autodiff", "by hand"])
def test_without_biases_pixels_times_gradient_add_up_to_the_score(ops: jcnn.Ops) -> None:
    """Convolution, relu and max pooling are homogeneous: S(t·x) = t·S(x), so by Euler Σ x ∂S/∂x = S."""
    network = (Conv(4, 3, bias=False), Relu(), MaxPool(2), Residual((Conv(4, 1, bias=False), Relu())), Flatten(), Dense(3))
    params, x = made(network)
    params = (*params[:-1], {"w": params[-1]["w"], "b": 0 * params[-1]["b"]})
    scores = jcnn.apply(network, params, x)
    for index in range(2):
        gradient = np.asarray(input_gradient(network, params, x, index, ops=ops))
        np.testing.assert_allclose((np.asarray(x) * gradient).sum((1, 2, 3)), scores[:, index], rtol=1e-11)


def test_the_gradient_is_the_slope_of_the_score() -> None:
    network = (Conv(4, 3), Tanh(), AvgPool(2), Flatten(), Dense(3))
    params, x = made(network)
    way = jax.random.normal(jax.random.key(3), x.shape, jnp.float64)
    h = 1e-6
    slopes = (jcnn.apply(network, params, x + h * way) - jcnn.apply(network, params, x - h * way)) / (2 * h)
    best = jcnn.apply(network, params, x).argmax(-1)
    found = (input_gradient(network, params, x) * way).sum((1, 2, 3))
    np.testing.assert_allclose(found, slopes[jnp.arange(3), best], rtol=1e-6)


def test_grad_cam_is_the_class_activation_map_of_a_network_that_averages_its_maps() -> None:
    """With global average pooling and one dense layer α_k = w_kc / positions, Zhou et al. 2016's class activation map."""
    params, x = made(CLASS_MAPS)
    maps = jax.nn.relu(jcnn.conv(x, params[0]["w"], params[0]["b"], padding=1))
    for classes in (np.array([3, 0, 2]), None):
        chosen = jcnn.apply(CLASS_MAPS, params, x).argmax(-1) if classes is None else classes
        weights = params[3]["w"][:, chosen].T
        expected = jax.nn.relu(jnp.einsum("nhwk,nk->nhw", maps, weights) / maps[0, ..., 0].size)
        np.testing.assert_allclose(grad_cam(CLASS_MAPS, params, x, classes), expected, atol=1e-15)


def corner_detector() -> tuple[Any, Any]:
    """Channel 0 of the maps is a bright 2×2 block, channel 1 a dark one; class 0 counts the first, class 1 the second."""
    network = (Conv(2, 2), Relu(), MaxPool(2), Flatten(), Dense(2))
    block = jnp.ones((2, 2, 1, 1)) / 4
    dense = jnp.zeros((4 * 4, 2, 2)).at[:, 0, 0].set(1).at[:, 1, 1].set(1).reshape(32, 2)
    return network, (
        {"w": jnp.concatenate([block, -block], -1), "b": jnp.full(2, -0.5)}, {}, {}, {}, {"w": dense, "b": jnp.zeros(2)},
    )  # fmt: skip


def test_both_point_at_the_object_of_the_class() -> None:
    """A bright block, for class 0, and a dark one, for class 1, anywhere in an image: each class's map is at its block."""
    network, params = corner_detector()
    anywhere = np.stack(np.meshgrid(*[np.arange(8)] * 4, indexing="ij"), -1).reshape(-1, 2, 2)
    corners = anywhere[np.abs(anywhere[:, 0] - anywhere[:, 1]).max(-1) >= 2]  # they do not overlap
    blocks = np.zeros((len(corners), 2, 9, 9))
    for down, right in np.ndindex(2, 2):
        rows, columns = corners[..., 0] + down, corners[..., 1] + right
        blocks[np.arange(len(corners))[:, None], [0, 1], rows, columns] = 1
    x = jnp.asarray((blocks[:, 0] - blocks[:, 1])[..., None])
    assert len(x) > 2000
    for index in (0, 1):
        np.testing.assert_array_equal(np.asarray(saliency(network, params, x, index)) > 0, blocks[:, index] > 0)
        heat = np.asarray(grad_cam(network, params, x, index))
        assert heat.shape == (len(x), 8, 8)
        np.testing.assert_array_equal(np.argwhere(heat > 0)[:, 1:], corners[:, index])


def test_layers_are_chosen_by_their_place() -> None:
    network = ((Conv(4, 3), Relu()), MaxPool(2), Residual(Conv(4, 3, padding=1)), AvgPool(2), Flatten(), (Dense(5), Dense(3)))
    params, x = made(network, (10, 10, 1))
    assert grad_cam_layer(network, (10, 10, 1)) == "3"
    shapes = {"1.1": (8, 8), "1.2": (8, 8), "2": (4, 4), "3": (4, 4), "4": (2, 2), None: (4, 4), 2: (4, 4)}
    for place, shape in shapes.items():
        assert jax.eval_shape(lambda place=place: grad_cam(network, params, x, 0, layer=place)).shape == (3, *shape)
    for place, why in (("3.1", ""), ("5", r", whose output is \(16,\) for one image"), ("9", ""), (-1, "")):
        expected = rf"layer={place!r}{why}: expected the place of a layer with maps: 1\.1, 1\.2, 2, 3, 4$"
        with pytest.raises(NetworkError, match=expected):
            grad_cam(network, params, x, layer=place)


def test_the_layer_of_itself_is_the_last_that_is_not_only_pooled() -> None:
    for network, shape, place in (
        (jcnn.small((28, 28, 1), 10), (28, 28, 1), "5"),
        (jcnn.lenet5((28, 28, 1), 10), (28, 28, 1), "5"),
        (CLASS_MAPS, SHAPE, "2"),
        ((Parallel(Conv(2, 1), MaxPool(1)), GlobalAvgPool()), SHAPE, "1"),
    ):
        assert grad_cam_layer(network, shape) == place
    with pytest.raises(NetworkError, match=r"no layer .* maps of more than one position for an input \(6, 7, 2\)"):
        grad_cam_layer(LINEAR, SHAPE)


@pytest.mark.parametrize("shape", [(9, 1), (6, 5, 4, 2)], ids=["one axis", "three axes"])
def test_any_number_of_axes(shape: tuple[int, ...]) -> None:
    network = (Conv(3, 2), Relu(), Flatten(), Dense(2))
    params, x = made(network, shape)
    cam, gradient = jax.eval_shape(lambda: (grad_cam(network, params, x), saliency(network, params, x)))
    assert (cam.shape, gradient.shape) == ((3, *(size - 1 for size in shape[:-1])), (3, *shape[:-1]))


def test_they_are_compiled_and_mapped_like_every_function() -> None:
    params, x = made(CLASS_MAPS)
    for function in (saliency, grad_cam):

        def explain(x: jax.Array, function: Any = function) -> jax.Array:
            return function(CLASS_MAPS, params, x, 1)

        plain = explain(x)
        np.testing.assert_allclose(jax.jit(explain)(x), plain, rtol=1e-12)
        np.testing.assert_allclose(jax.vmap(lambda one, explain=explain: explain(one[None])[0])(x), plain, rtol=1e-12)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (4, r"classes\[0\] = 4: expected a class number from 0 to 3"),
        (np.array([0, 1, -1]), r"classes\[2\] = -1: expected a class number"),
        (np.array([0, 1]), r"classes has shape \(2,\): expected \(3,\) class numbers"),
        (1.5, "classes=1.5: expected an integer"),
    ],
)
def test_classes_that_are_none(classes: Any, message: str) -> None:
    params, x = made(CLASS_MAPS)
    for function in (saliency, grad_cam):
        with pytest.raises(ValueError, match=message):
            function(CLASS_MAPS, params, x, classes)


def test_a_network_without_scores_is_refused() -> None:
    network = (Conv(2, 3),)
    params, x = made(network)
    with pytest.raises(NetworkError, match=r"network ends in \(4, 5, 2\) for one image: expected \(classes,\)"):
        saliency(network, params, x)


def test_of_a_network_with_running_statistics_it_is_that_of_the_scaled_filters() -> None:
    """Evaluated, batch normalisation after a convolution is a convolution with other weights."""
    network = (Conv(4, 3, bias=False), jcnn.BatchNorm(), Relu(), GlobalAvgPool(), Dense(3))
    params, x = made(network)
    state = jax.tree.map(lambda leaf: leaf + jnp.linspace(0.2, 0.9, leaf.size), jcnn.init_state(network, SHAPE, jnp.float64))
    offset, slope = (
        jcnn.apply(network[1:2], params[1:2], jnp.full((1, 1, 1, 4), value), state=state[1:2])[0, 0, 0] for value in (0.0, 1.0)
    )
    scale = slope - offset
    folded = (Conv(4, 3), Relu(), GlobalAvgPool(), Dense(3))
    theirs = ({"w": params[0]["w"] * scale[None, None, None], "b": offset}, *params[2:])
    for function in (saliency, grad_cam):
        np.testing.assert_allclose(function(network, params, x, 1, state=state), function(folded, theirs, x, 1), rtol=1e-11)
