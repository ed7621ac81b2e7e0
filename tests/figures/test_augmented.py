"""Images as a network is shown them: a row an image, a column an epoch, every pixel as it was given."""

from typing import Any, cast

import numpy as np
import pytest

from jcnn.data import load
from jcnn.data.augment import identities
from jcnn.figures.augmented import Augmented, about_augmented, augmented_images
from jcnn.training.augmented_examples import augmented_examples

DIGITS = load("digits")


def test_every_image_is_drawn_in_its_place() -> None:
    originals = np.random.default_rng(0).integers(0, 256, (3, 5, 6, 3)).astype(np.uint8)
    shown = tuple(np.random.default_rng(epoch).random((3, 5, 6, 3), np.float32) for epoch in range(2))
    figure = augmented_images(Augmented(originals, shown, "crop"))
    drawn = np.array([axes.images[0].get_array() for axes in figure.axes]).reshape(3, 3, 5, 6, 3)
    np.testing.assert_array_equal(drawn[:, 0], originals)
    for epoch in range(2):
        np.testing.assert_array_equal(drawn[:, epoch + 1], np.rint(255 * shown[epoch]))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["image", "epoch 1", "epoch 2"]


def test_what_is_no_brightness_is_black_or_white() -> None:
    values = np.array([-1.0, 0.0, 1.0, 7.0, np.nan], np.float32).reshape(1, 1, 5, 1)
    figure = augmented_images(Augmented(np.zeros((1, 1, 5, 1), np.uint8), (values,), "brightness-contrast"))
    drawn = np.asarray(cast(Any, figure.axes[1].images[0].get_array()))
    np.testing.assert_array_equal(drawn.ravel(), [0, 0, 255, 255, 0])


def config(augment: object) -> dict[str, object]:
    return {"augment": augment, "seed": 3, "dtype": "float32"}


def test_the_images_of_a_run_are_of_classes_that_differ_and_change_as_its_recipe_says() -> None:
    found = augmented_examples((), DIGITS, config([{"alternating-flip": {}}]))
    assert found is not None
    assert found.originals.shape == (4, 8, 8, 1)
    rows = [int((DIGITS.images == image).all((1, 2, 3)).argmax()) for image in found.originals]
    assert len(set(DIGITS.labels[rows].tolist())) == 4
    for epoch, images in enumerate(found.shown):
        expected = found.shown[0] if epoch % 2 == 0 else found.shown[0][:, :, ::-1]
        np.testing.assert_array_equal(images, expected)
    assert about_augmented(found).endswith("in 5 epochs: alternating-flip.")
    assert len(set(np.asarray(identities(found.originals)).tolist())) == 4


@pytest.mark.parametrize(
    ("augment", "images"),
    [
        pytest.param(False, DIGITS.images, id="nothing is changed"),
        pytest.param([{"mixup": {"alpha": 0.2}}], DIGITS.images / np.float32(255), id="floats of any meaning"),
        pytest.param([{"mixup": {"alpha": 0.2}}], DIGITS.images.reshape(len(DIGITS.images), 8, 8), id="signals"),
    ],
)
def test_where_there_is_nothing_to_see_nothing_is_shown(augment: object, images: np.ndarray) -> None:
    assert augmented_examples((), DIGITS._replace(images=images), config(augment)) is None
