"""What the page convolves: a handwritten digit, a photograph, numbers of one's own."""

from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np
from jaxtyping import Float, Num, UInt8
from PIL import Image

from jcnn.data import load
from jcnn.data.sizes import fit

DIGIT, PHOTOGRAPH, NUMBERS = "a handwritten digit", "a photograph", "numbers of my own"
INPUTS = (DIGIT, PHOTOGRAPH, NUMBERS)

SIDE = 48
"""Pixels of the photograph along either side."""

MATRIX = ((1, 0, 2, 0, 1), (0, 3, 1, 3, 0), (2, 1, 4, 1, 2), (0, 3, 1, 3, 0), (1, 0, 2, 0, 1))


def digit(number: int) -> Float[np.ndarray, "8 8"]:
    """The first such digit among the embedded test images, in the brightness that was counted, 0 … 16."""
    test = load("digits", "test")
    pixels = test.images[int(np.argmax(test.labels == number)), ..., 0]
    return np.round(pixels * (16 / 255)).astype(np.float64)


@cache
def photograph() -> UInt8[np.ndarray, "s s"]:
    """Grace Hopper, by the United States Navy (public domain), which comes with Matplotlib; grey, 0 … 255."""
    place = resources.files("matplotlib").joinpath("mpl-data", "sample_data", "grace_hopper.jpg")
    with place.open("rb") as file, Image.open(file) as picture:
        grey = picture.convert("L")
    # Her face, which fills little of the whole.
    left, top, side = 0.2 * grey.width, 0.04 * grey.height, 0.62 * grey.width
    face = grey.crop((round(left), round(top), round(left + side), round(top + side)))
    return fit(np.asarray(face)[..., None], SIDE, SIDE)[..., 0]


def chosen(what: str, number: int, rows: Sequence[Sequence[float]]) -> Num[np.ndarray, "h w"]:
    """The picture of that name: this digit, the photograph, or these rows of numbers."""
    if what == NUMBERS:
        return np.asarray(rows, np.float64)
    return digit(number) if what == DIGIT else photograph()
