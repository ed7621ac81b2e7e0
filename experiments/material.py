"""The images that experiments work on: handwritten digits, and a photograph. All come with what is installed."""

from functools import cache

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib import cbook
from PIL import Image

from jcnn import data
from jcnn.data import Dataset


@cache
def digits(split: str = "train") -> Dataset:
    """The embedded handwritten digits, 8×8×1: "train", 1,438 of them, or "test", 359."""
    return data.load("digits", split)


@cache
def photograph(height: int = 128, width: int = 128) -> UInt8[np.ndarray, "h w 3"]:
    """A photograph of Grace Hopper by the United States Navy (public domain), which comes with Matplotlib.

    Args:
        height: of the result, which shows the middle of the picture.
        width: of the result.
    """
    with cbook.get_sample_data("grace_hopper.jpg", asfileobj=True) as file, Image.open(file) as picture:  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues]
        rgb = picture.convert("RGB")
    scale = min(rgb.width / width, rgb.height / height)
    part = (round(scale * width), round(scale * height))
    left, top = (rgb.width - part[0]) // 2, max(0, (rgb.height - part[1]) // 6)
    middle = rgb.crop((left, top, left + part[0], top + part[1]))
    return np.asarray(middle.resize((width, height), Image.Resampling.LANCZOS))


def as_input(images: UInt8[np.ndarray, "*n h w c"], dtype: str = "float32") -> Float[np.ndarray, "*n h w c"]:
    """Pixels from 0 to 1."""
    return images.astype(dtype) / np.dtype(dtype).type(255)


FRAME = 12
"""Pixels along each side of a frame."""


def framed(split: str, seed: int, *, anywhere: bool = True) -> tuple[Float[np.ndarray, "n 12 12 1"], Int[np.ndarray, " n"]]:
    """Digits in a black frame of 12×12 pixels, and their labels.

    Args:
        split: "train" or "test".
        seed: decides the places.
        anywhere: each at a place of its own; otherwise all in the middle.
    """
    found = digits(split)
    images = np.zeros((len(found.images), FRAME, FRAME, 1), np.float32)
    places = np.random.default_rng([seed, split == "test"]).integers(0, FRAME - 8 + 1, (len(images), 2))
    for image, digit, place in zip(images, as_input(found.images), places, strict=True):
        top, left = place if anywhere else (2, 2)
        image[top : top + 8, left : left + 8] = digit
    return images, found.labels
