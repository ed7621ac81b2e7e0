from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.colors import Normalize

import jcnn
from jcnn.figures import DARK, first_filters, to_svg
from jcnn.figures.filters import about_filters, find_first_filters
from jcnn.figures.style import LIGHT, diverging


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


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11])
def test_filters_on_colours_are_colours_around_mid_grey_each_on_its_own_scale(size):
    """Every weight can be read off twice, in colour and from its channel; the bar says what each filter's scale is."""
    network, params = network_and_params((jcnn.MaxPool(2), jcnn.Conv(7, size)), (24, 24, 3))
    weights = np.asarray(params[1]["w"], np.float64)
    strengths = np.abs(weights).max((0, 1, 2))
    figure = drawn(network, params)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    zoom = 3 * -(-48 // (3 * size))
    side, gap = zoom * size, (shown.shape[1] - 4 * (zoom * size + 3 + zoom * size // 3)) // 3
    each = (side - 6) // 3
    for number, strength in enumerate(strengths):
        top = number // 4 * (side + 3 + 4 + gap)
        left = number % 4 * (side + 3 + side // 3 + gap)
        own = weights[..., number]
        colours = shown[top : top + side : zoom, left : left + side : zoom]
        np.testing.assert_allclose(colours[..., :3], 0.5 + own / (2 * strength), atol=1e-12)
        assert (colours[..., 3] == 1).all()
        for channel, start in enumerate((0, (side - each) // 2, side - each)):
            plane = shown[top + start : top + start + each, left + side + 3 : left + side + 3 + side // 3]
            middle = plane[(np.arange(size) * each + each // 2) // size][:, (np.arange(size) * (side // 3) + side // 6) // size]
            expected = diverging(LIGHT)(Normalize(-strength, strength)(own[..., channel]))
            np.testing.assert_allclose(middle, expected, atol=1e-12)
        bar = shown[top + side + 3, left : left + side, 3]
        assert bar.sum() == round(side * strength / strengths.max())
    assert f"{strengths.max():.2g}" in figure.axes[0].get_xlabel()
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
    network, params = network_and_params((jcnn.Conv(64, 1),), (4, 4, 3))
    assert "64 filters of 1×1 pixels of layer 1, 48 tiles of 64 shown" in about_filters(found_in(network, params))
    assert to_svg(drawn(network, params))


def test_weights_that_are_not_numbers_leave_holes():
    network, params = network_and_params((jcnn.Conv(2, 3),), (4, 4, 3))
    broken = ({**params[0], "w": params[0]["w"] * jnp.nan},)
    shown = drawn(network, broken).axes[0].images[0].get_array()
    assert (shown[..., 3] == 0).all()
    one = ({**params[0], "w": params[0]["w"].at[0, 0, :, 0].set(jnp.nan)},)
    shown = drawn(network, one).axes[0].images[0].get_array()
    assert (shown[0, 0, 3], shown[47, 47, 3]) == (0, 1)


def test_no_convolution_no_figure():
    network, params = network_and_params((jcnn.Flatten(), jcnn.Dense(2)), (4, 4, 1))
    assert first_filters(network, params) is None


def test_filters_inside_of_other_layers():
    network, params = network_and_params((jcnn.Residual((jcnn.Relu(), jcnn.Conv(3, 3, padding=1))), jcnn.Conv(2, 1)), (8, 8, 3))
    found = found_in(network, params)
    assert (found.layer, found.filters, found.tiles.shape) == ("1.1.2", 3, (3, 3, 3, 3))
    assert "3 filters of 3×3 pixels of layer 1.1.2, in colour, each on its own scale" in about_filters(found)
