from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn.figures import DARK, first_filters, to_svg
from jcnn.figures.filters import about_filters, find_first_filters


def network_and_params(network, shape, dtype=jnp.float32):
    return network, jcnn.init(jax.random.key(0), network, shape, dtype)


def drawn(network, params, **options) -> Any:
    return first_filters(network, params, **options)


def found_in(network, params) -> Any:
    return find_first_filters(network, params)


def test_grey_filters_are_the_weights_on_one_symmetric_scale():
    network, params = network_and_params((jcnn.Conv(6, 3), jcnn.Relu()), (8, 8, 1))
    weights = np.asarray(params[0]["w"], np.float64)
    figure = drawn(network, params)
    image = figure.axes[0].images[0]
    shown = image.get_array().filled(np.nan)
    np.testing.assert_array_equal(shown[:24:8, :24:8], weights[:, :, 0, 0])
    np.testing.assert_array_equal(np.unique(shown[np.isfinite(shown)]), np.unique(weights))
    assert image.get_clim() == (-np.abs(weights).max(), np.abs(weights).max())
    assert len(figure.axes) == 2, "the scale is drawn"
    assert about_filters(found_in(network, params)).startswith("6 filters of 3×3 pixels of layer 1, blue for")


def test_filters_on_colours_are_colours_around_mid_grey():
    network, params = network_and_params((jcnn.MaxPool(2), jcnn.Conv(4, 2)), (8, 8, 3))
    weights = np.asarray(params[1]["w"], np.float64)
    scale = np.abs(weights).max()
    figure = drawn(network, params)
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shown[0, 0, :3], 0.5 + weights[0, 0, :, 0] / (2 * scale))
    assert shown[0, 0, 3] == 1
    assert f"{scale:.2g}" in figure.axes[0].get_xlabel()
    assert "in colour" in about_filters(found_in(network, params))


def test_three_channels_that_are_no_colours_are_drawn_one_by_one():
    network, params = network_and_params((jcnn.Dense(3), jcnn.Conv(2, 3)), (8, 8, 1))
    found = found_in(network, params)
    assert found.tiles.shape == (6, 3, 3)
    np.testing.assert_array_equal(found.tiles[4], np.asarray(params[1]["w"])[:, :, 1, 1])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_any_dtype(dtype):
    network, params = network_and_params((jcnn.Conv(2, 1),), (2, 2, 2), jnp.dtype(dtype))
    assert to_svg(drawn(network, params, theme=DARK))


def test_many_filters_are_cut_off_and_it_is_said():
    network, params = network_and_params((jcnn.Conv(200, 1),), (4, 4, 1))
    assert "200 filters of 1×1 pixels of layer 1, 96 tiles of 200 shown" in about_filters(found_in(network, params))
    assert to_svg(drawn(network, params))


def test_weights_that_are_not_numbers_leave_holes():
    network, params = network_and_params((jcnn.Conv(2, 3),), (4, 4, 3))
    broken = ({**params[0], "w": params[0]["w"] * jnp.nan},)
    shown = drawn(network, broken).axes[0].images[0].get_array()
    assert (shown[..., 3] == 0).all()


def test_no_convolution_no_figure():
    network, params = network_and_params((jcnn.Flatten(), jcnn.Dense(2)), (4, 4, 1))
    assert first_filters(network, params) is None


def test_filters_inside_of_other_layers():
    network, params = network_and_params((jcnn.Residual((jcnn.Relu(), jcnn.Conv(3, 3, padding=1))), jcnn.Conv(2, 1)), (8, 8, 3))
    found = found_in(network, params)
    assert (found.layer, found.filters, found.tiles.shape) == ("1.1.2", 3, (3, 3, 3, 3))
    assert "3 filters of 3×3 pixels of layer 1.1.2, in colour" in about_filters(found)
