"""Examples are those that they are said to be, and their maps those of `jcnn.attribution`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jcnn
from jcnn.attribution import grad_cam, saliency
from jcnn.data.batches import to_input
from jcnn.figures import DARK, LIGHT, attributions, to_svg
from jcnn.figures.attributions import about_attributions, explain, overlay

NETWORK = (jcnn.Conv(3, 3, padding=1), jcnn.Relu(), jcnn.MaxPool(2), jcnn.Flatten(), jcnn.Dense(4))
NAMES = ("zero", "$one$", "<two>", "three")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (9, 6, 8, 3), dtype=np.uint8)
LABELS = np.array([0, 0, 1, 1, 2, 3, 2, 0, 1])
PREDICTED = np.array([1, 0, 1, 1, 2, 3, 0, 0, 3])
SURE = np.array([0.7, 0.6, 0.9, 0.8, 0.5, 0.9, 0.95, 0.6, 0.55])


def probabilities() -> np.ndarray:
    """The predicted class as sure as that, class (predicted + 2) % 4 next."""
    found = np.repeat((1 - SURE)[:, None] / 4, 4, 1)
    found[np.arange(9), (PREDICTED + 2) % 4] += (1 - SURE) / 4
    found[np.arange(9), PREDICTED] = SURE
    return found


def params(network: Any = NETWORK) -> Any:
    return jcnn.init(jax.random.key(0), network, (6, 8, 3), jnp.float32)


def test_which_examples_and_what_their_answers_hang_on():
    examples = explain(NETWORK, params(), IMAGES, LABELS, probabilities())
    assert [example.image for example in examples] == [1, 2, 4, 6, 0, 8]
    assert [example.right for example in examples] == [True] * 3 + [False] * 3
    assert [example.other for example in examples] == [2, 3, 0, 2, 0, 1]  # next likely, then the true class
    x = to_input(IMAGES[[example.image for example in examples]], jnp.float32)
    asked = [np.array([getattr(example, name) for example in examples]) for name in ("predicted", "other")]
    for place, classes in enumerate(asked):
        expected = grad_cam(NETWORK, params(), x, classes)
        found = [example.cams[place] for example in examples if example.cams is not None]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose([e.saliency for e in examples], saliency(NETWORK, params(), x, asked[0]), rtol=1e-5, atol=1e-7)
    figure = attributions(examples, IMAGES, NAMES)
    (axes,) = figure.axes
    said = [text.get_text() for text in axes.texts]
    assert said[:5] == ["zero", "for zero", "for <two>", "saliency", "60.0 %"]
    assert said[15:20] == ["<two> → zero", "for zero", "for <two>", "saliency", "95.0 %"]
    assert len(axes.images) == 24
    np.testing.assert_allclose(np.asarray(axes.images[12].get_array()), IMAGES[6] / 255)
    assert b"$one$" in to_svg(figure)
    words = about_attributions(examples, NAMES)
    assert words.startswith("6 test images with Grad-CAM and saliency of the answers: zero, rightly, 60.0 %, strongest at the ")
    assert "<two> taken for zero, 95.0 %" in words


def test_a_network_without_maps_has_its_saliency():
    network = (jcnn.Flatten(), jcnn.Dense(4))
    examples = explain(network, params(network), IMAGES, LABELS, probabilities())
    assert all(example.cams is None for example in examples)
    assert about_attributions(examples, NAMES).startswith("6 test images with saliency of")
    assert to_svg(attributions(examples, IMAGES, NAMES, theme=DARK))


def test_all_right_all_wrong_and_one_class():
    right = explain(NETWORK, params(), IMAGES, PREDICTED, probabilities())
    assert [example.image for example in right] == [0, 1, 4]  # the first of their classes
    wrong = explain(NETWORK, params(), IMAGES, (PREDICTED + 1) % 4, probabilities())
    assert [example.image for example in wrong] == [6, 2, 5]
    network = (*NETWORK[:-1], jcnn.Dense(1))
    (only,) = explain(network, params(network), IMAGES[:2], np.zeros(2, int), np.ones((2, 1)))
    assert (only.predicted, only.other) == (0, 0)
    assert not explain(NETWORK, params(), IMAGES[:0], LABELS[:0], np.zeros((0, 4)))


def test_the_overlay_is_grey_without_evidence_and_coloured_where_it_is_largest():
    image = np.full((4, 4, 3), 100, np.uint8)
    plain = overlay(image, np.zeros((2, 2)), LIGHT)
    np.testing.assert_allclose(plain, 100 / 255)
    cam = np.array([[0.0, 0.0], [0.0, 2.0]])
    shown = overlay(image, cam, LIGHT)
    np.testing.assert_allclose(shown[0, 0], 100 / 255)
    orange = np.array([0xC2, 0x4E, 0x00]) / 255
    np.testing.assert_allclose(shown[-1, -1], 0.3 * 100 / 255 + 0.7 * orange, atol=1e-6)
    np.testing.assert_allclose(overlay(image, np.full((2, 2), np.nan), LIGHT), 100 / 255)
