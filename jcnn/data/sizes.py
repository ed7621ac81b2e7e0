"""Images brought to a size, by one of three rules.

    pad      the whole image in the middle of the smallest frame of the target's proportions, the frame in the mean colour of
             the image's border; then resized
    crop     the largest middle part of the target's proportions; then resized
    resize   the whole image, stretched or squeezed

Resizing averages the pixels (a box filter) where both sides shrink or stay, and is bilinear otherwise; one side first, rounded
to 8 bits, then the other: the rows first, or the columns where the frame is wider than the image.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jcnn.data.pixels import SizeRule

BLOCK = 1 << 24
"""Bytes of a frame that are made at once."""


def fit(
    pixels: UInt8[np.ndarray, "H W c"], height: int, width: int, rule: SizeRule = "pad"
) -> UInt8[np.ndarray, "{height} {width} c"]:
    """An image at the given size, by one of the rules above; itself where it has that size.

    Args:
        pixels: (H, W, C), C = 1, 3 or 4.
        height: of the result.
        width: of the result.
        rule: pad, crop or resize.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return RULES[rule](pixels, height, width)


def border(pixels: UInt8[np.ndarray, "H W c"]) -> UInt8[np.ndarray, "n c"]:
    """The pixels of the outermost rows and columns."""
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return np.concatenate(edges).reshape(-1, pixels.shape[-1])


def _pad(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    rows, across, _ = pixels.shape
    frame = max(rows, round(across * height / width)), max(across, round(rows * width / height))
    return _resized(pixels, frame, height, width)


def _crop(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    rows, across, _ = pixels.shape
    low, narrow = min(rows, max(1, round(across * height / width))), min(across, max(1, round(rows * width / height)))
    top, left = (rows - low) // 2, (across - narrow) // 2
    return _resized(pixels[top : top + low, left : left + narrow], (low, narrow), height, width)


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    return _resized(pixels, pixels.shape[:2], height, width)


RULES: dict[SizeRule, Callable[[np.ndarray, int, int], np.ndarray]] = {"pad": _pad, "crop": _crop, "resize": _resize}


def _resized(pixels: np.ndarray, frame: tuple[int, ...], height: int, width: int) -> np.ndarray:
    """The image in the middle of a frame of this height and width in its border's colour, resized."""
    colour = border(pixels).mean(0).round().astype(np.uint8)
    shrinks = frame[0] >= height and frame[1] >= width
    chosen = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    upright = frame[1] <= pixels.shape[1]
    # First the side that the frame is not larger on: the whole frame, perhaps far larger than the image, is never made.
    sides = ((frame[1], width), (frame[0], height)) if upright else ((frame[0], height), (frame[1], width))
    made = pixels if upright else pixels.transpose(1, 0, 2)
    for wide, wanted in sides:
        made = _resized_rows(made, wide, wanted, colour, chosen).transpose(1, 0, 2)
    return np.ascontiguousarray(made if upright else made.transpose(1, 0, 2))


def _resized_rows(
    pixels: UInt8[np.ndarray, "H W c"], wide: int, width: int, colour: np.ndarray, chosen: Image.Resampling
) -> UInt8[np.ndarray, "H width c"]:
    """Every row in the middle of one of `wide` pixels, brought to `width` pixels; `BLOCK` bytes at once."""
    rows, across, channels = pixels.shape
    left = (wide - across) // 2
    some = max(1, BLOCK // (wide * channels))
    done = []
    for first in range(0, rows, some):
        part = pixels[first : first + some]
        framed = np.empty((len(part), wide, channels), np.uint8)
        framed[:] = colour
        framed[:, left : left + across] = part
        image = Image.fromarray(framed[..., 0] if channels == 1 else framed)
        done.append(np.asarray(image.resize((width, len(part)), chosen)).reshape(len(part), width, channels))
    return np.concatenate(done)
