from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn.figures import DARK, feature_maps, to_svg
from jcnn.figures.feature_maps import about_journey, follow

NETWORK = (jcnn.Conv(3, 3), jcnn.Relu(), jcnn.MaxPool(2), jcnn.Flatten(), jcnn.Dense(5), jcnn.Relu(), jcnn.Dense(2))
IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def params():
    return jcnn.init(jax.random.key(0), NETWORK, (8, 8, 1))


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def test_follow_says_what_apply_says(params):
    journey: Any = follow(NETWORK, params, IMAGE)
    logits = jcnn.apply(NETWORK, params, jnp.asarray(IMAGE[None], jnp.float32) / 255)
    np.testing.assert_allclose(journey.probabilities, np.asarray(jcnn.softmax(logits))[0], rtol=1e-5)
    assert [stage.values.shape for stage in journey.stages] == [(6, 6, 3), (6, 6, 3), (3, 3, 3), (5,), (5,)]


def test_every_layer_that_changes_numbers_has_its_panel(params):
    figure: Any = feature_maps(NETWORK, params, IMAGE, ["no", "$yes$"])
    assert titles(figure) == [
        "input · 8×8×1", "1 · Conv(3, 3) · 6×6×3", "2 · Relu() · 6×6×3", "3 · MaxPool(2) · 3×3×3",
        "5 · Dense(5) · 5", "6 · Relu() · 5", "class probabilities (softmax)",
    ]  # fmt: skip
    journey: Any = follow(NETWORK, params, IMAGE)
    strip: Any = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("1 ·")).images[0]
    shown = strip.get_array().filled(np.nan)
    np.testing.assert_array_equal(shown[:24:4, :24:4], journey.stages[0].values[..., 0])
    assert strip.get_clim() == (-np.abs(journey.stages[0].values).max(), np.abs(journey.stages[0].values).max())
    bars = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("5 ·")).patches
    np.testing.assert_allclose([bar.get_height() for bar in bars], journey.stages[3].values)
    np.testing.assert_allclose([bar.get_width() for bar in figure.axes[-1].patches], 100 * journey.probabilities)
    assert "$yes$" in to_svg(figure).decode()


def test_panels_do_not_overlap(params):
    figure = feature_maps(NETWORK, params, IMAGE, ["no", "yes"])
    boxes = sorted((axes.get_position() for axes in figure.axes if axes.patches or axes.images), key=lambda box: -box.y1)
    assert boxes[-1].y0 > 0
    assert boxes[0].y1 < 1
    rows = [box for box in boxes if box.x0 < 0.4]
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(rows))


def test_a_deep_network_on_wide_colour_images():
    shape = (8, 12, 3)
    network = (*(jcnn.Conv(20, 1), jcnn.Relu()) * 4, jcnn.GlobalAvgPool(), jcnn.Dense(12))
    params = jcnn.init(jax.random.key(0), network, shape, jnp.bfloat16)
    image = np.zeros(shape, np.uint8)
    figure = feature_maps(network, params, image, [f"class {index}" for index in range(12)], theme=DARK)
    assert len(titles(figure)) == 1 + 8 + 1 + 1
    assert titles(figure)[-1] == "the 10 likeliest classes (softmax)"
    assert to_svg(figure)


def test_a_network_without_maps_and_one_that_ends_in_maps():
    flat = (jcnn.Flatten(), jcnn.Dense(2))
    figure = feature_maps(flat, jcnn.init(jax.random.key(0), flat, (8, 8, 1)), IMAGE, ["a", "b"])
    assert titles(figure) == ["input · 8×8×1", "class probabilities (softmax)"]
    maps = (jcnn.Conv(2, 3),)
    params = jcnn.init(jax.random.key(0), maps, (8, 8, 1))
    assert titles(feature_maps(maps, params, IMAGE, ["a", "b"])) == ["input · 8×8×1", "1 · Conv(2, 3) · 6×6×2"]
    assert about_journey(follow(maps, params, IMAGE), "a", ["a", "b"]) == (
        "One test image of class a and what the layers make of it, 1 of them shown."
    )


def test_parameters_that_are_not_numbers_are_drawn_as_nothing(params):
    broken = jax.tree.map(lambda leaf: leaf * jnp.nan, params)
    assert b"not a number" in to_svg(feature_maps(NETWORK, broken, IMAGE, ["a", "b"]))


def test_nested_layers_have_the_panel_of_what_they_make_together():
    body = (jcnn.Conv(3, 3, padding=1), jcnn.Relu())
    network = ((jcnn.Conv(3, 1), jcnn.Relu()), jcnn.Residual(body), (jcnn.GlobalAvgPool(), (jcnn.Flatten(), jcnn.Dense(2))))
    params = jcnn.init(jax.random.key(0), network, (8, 8, 1))
    shown = titles(feature_maps(network, params, IMAGE, ["no", "yes"]))
    assert [title.split(" · ")[0] for title in shown] == ["input", "1.1", "1.2", "2", "3.1", "class probabilities (softmax)"]
    assert shown[3].startswith("2 · Residual · 8×8×3")
    journey = follow(network, params, IMAGE)
    x = jnp.asarray(IMAGE[None], jnp.float32) / 255
    np.testing.assert_allclose(journey.stages[2].values, np.asarray(jcnn.apply(network[:2], params[:2], x)[0]), rtol=1e-5)
