"""Whether pictures are drawn on a dark or on a bright ground."""

import numpy as np
import pytest

from jcnn.data import load
from jcnn.data.ground import ground

DIGITS = load("digits", "test").images


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        pytest.param(DIGITS, "dark", id="white on black"),
        pytest.param(255 - DIGITS, "bright", id="black on white"),
        pytest.param(np.concatenate([DIGITS, 255 - DIGITS]), "", id="both"),
        pytest.param(DIGITS / np.float32(255), "", id="floats"),
        pytest.param(DIGITS[:, 0], "", id="no pictures"),
        pytest.param(DIGITS[:0], "", id="none"),
    ],
)
def test_ground(images: np.ndarray, expected: str) -> None:
    assert ground(images) == expected
