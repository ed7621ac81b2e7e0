"""Images brought to a size by the stated rules."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.data import sizes
from jcnn.data.pixels import SizeRule
from jcnn.data.sizes import fit
from tests.draws import draws

RULES = get_args(SizeRule)


def averaged(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mean over boxes, in float64, where they are whole pixels."""
    rows, columns, channels = image.shape
    return image.reshape(height, rows // height, width, columns // width, channels).mean((1, 3))


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, channels), np.uint8)


def test_resize_squeezes() -> None:
    image = noise(12, 20)
    np.testing.assert_allclose(fit(image, 4, 2, "resize"), averaged(image, 4, 2), atol=1)


def test_crop_takes_the_middle() -> None:
    image = noise(12, 20)
    np.testing.assert_allclose(fit(image, 4, 4, "crop"), averaged(image[:, 4:16], 4, 4), atol=1)
    np.testing.assert_allclose(fit(image, 2, 5, "crop"), averaged(image[2:10], 2, 5), atol=1)


def test_pad_frames_in_the_border_s_mean_colour() -> None:
    image = noise(12, 20)
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    framed = np.broadcast_to(np.rint(edges.mean(0)), (20, 20, 3)).copy()
    framed[4:16] = image
    np.testing.assert_allclose(fit(image, 5, 5, "pad"), averaged(framed, 5, 5), atol=1)


@pytest.mark.parametrize("rule", RULES)
@given(shape=st.tuples(*[st.integers(1, 40)] * 4, st.sampled_from([1, 3, 4])), value=st.integers(0, 255))
@draws(len(RULES))
def test_one_colour_stays_that_colour(rule: Any, shape: tuple[int, ...], value: int) -> None:
    *_, height, width, channels = shape
    found = fit(np.full((*shape[:2], channels), max(value, 1), np.uint8), height, width, rule)
    assert found.shape == (height, width, channels)
    assert (found[..., : min(channels, 3)] == max(value, 1)).all() or channels == 4  # alpha divides what it multiplied


@pytest.mark.parametrize("rule", RULES)
def test_what_has_the_size_is_left_as_it_is(rule: Any) -> None:
    image = noise(6, 9)
    assert fit(image, 6, 9, rule) is image


@pytest.mark.parametrize("rule", RULES)
def test_proportions_that_fit_make_all_rules_one(rule: Any) -> None:
    image = noise(12, 18)
    np.testing.assert_array_equal(fit(image, 4, 6, rule), fit(image, 4, 6, "resize"))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame is made some rows at a time."""
    image = noise(31, 17)
    whole = [fit(image, 8, 8, rule) for rule in RULES]
    monkeypatch.setattr(sizes, "BLOCK", 100)
    for rule, expected in zip(RULES, whole, strict=True):
        np.testing.assert_array_equal(fit(image, 8, 8, rule), expected)
