"""Any image file as the pixels a network takes: colours, size and brightness made to fit."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 100_000_000


class PictureError(Exception):
    """A file that is no readable image; the message names it and says why."""


class Picture(NamedTuple):
    """An image file as a network takes it, and what was done to it or is strange about it, in a few words each."""

    pixels: UInt8[np.ndarray, "h w c"]
    notes: tuple[str, ...]


def read_picture(path: Path, input_shape: tuple[int, ...]) -> Picture:
    """Reads an image file for a network.

    It is turned as its camera meant it, laid on white where it is transparent, made grey or RGB, padded to the shape's
    proportions with its own border's colour, and resized by averaging. A grey picture with a bright border (ink on
    paper) is inverted, since grey networks learn white strokes on black.

    Args:
        path: any file that Pillow reads.
        input_shape: (H, W, C) with C = 1, 3 or 4.

    Returns:
        The pixels, uint8, and notes: inverted; blank, the same value everywhere; the first of several frames or pages.

    Raises:
        PictureError: missing, unreadable, no image, no regular file, or far too large.
    """
    height, width, channels = input_shape
    pixels, frames = _read(path, channels)
    tall, wide = _framed(pixels, height / width)
    if tall * wide > MAX_PIXELS:
        size = f"{pixels.shape[1]}×{pixels.shape[0]}"
        raise PictureError(f"{path} is too narrow: {size} pixels would be {wide}×{tall} in the proportions of {width}×{height}")
    notes = {
        "inverted (bright border)": channels == 1 and float(_border(pixels).mean()) > 127,
        "blank: one colour everywhere": bool((pixels == pixels[0, 0]).all()),
        f"the first of {frames} frames": frames > 1,
    }
    said = tuple(note for note, holds in notes.items() if holds)
    if "inverted (bright border)" in said:
        pixels = 255 - pixels
    return Picture(fit(pixels, height, width), said)


def _read(path: Path, channels: int) -> tuple[UInt8[np.ndarray, "H W c"], int]:
    """The pixels of a file's first frame, and how many frames it has."""
    try:
        _require_regular(path)
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:  # Pillow thinks aloud about metadata
            _require_moderate(file, path)
            return _pixels(file, channels), getattr(file, "n_frames", 1)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"{path} is no image that can be read: expected a file such as PNG, JPEG or GIF") from None
    except Exception as error:  # a damaged file brings up whatever its decoder stumbles over
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise PictureError(f"{path} cannot be read: {reason}") from error


def _require_regular(path: Path) -> None:
    """A named pipe would be waited for, a device read without end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise PictureError(f"{path} is no regular file: expected an image that lies on the disk")


def _require_moderate(file: Image.Image, path: Path) -> None:
    if file.width * file.height > MAX_PIXELS:
        raise PictureError(f"{path} has {file.width}×{file.height} pixels: expected at most {MAX_PIXELS:,}")


def fit(pixels: UInt8[np.ndarray, "H W c"], height: int, width: int) -> UInt8[np.ndarray, "h w c"]:
    """An image brought to a size: padded to its proportions with its own border's mean colour, and resized by averaging."""
    if pixels.shape[:2] == (height, width):
        return pixels
    framed = _frame(pixels, height / width, _border(pixels).mean(0).round().astype(np.uint8))
    image = Image.fromarray(framed[..., 0] if framed.shape[-1] == 1 else framed)
    return np.asarray(image.resize((width, height), _filter(image, height, width))).reshape(height, width, -1)


def _pixels(file: Image.Image, channels: int) -> np.ndarray:
    from PIL import ImageOps

    image = ImageOps.exif_transpose(file) or file
    if image.mode.startswith("I") or image.mode == "F":  # 16 and 32 bits: scale to what is there
        values = np.asarray(image, np.float64)
        top = 65535.0 if image.mode.startswith("I") and values.max() > 255 else max(float(values.max()), 1.0)
        image = Image.fromarray((values.clip(0, top) * (255 / top)).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    return np.asarray(image.convert(mode)).reshape(image.height, image.width, channels)


def _border(pixels: np.ndarray) -> np.ndarray:
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    return np.concatenate(edges).reshape(-1, pixels.shape[-1])


def _frame(pixels: np.ndarray, proportion: float, colour: np.ndarray) -> np.ndarray:
    """Pixels in the middle of the smallest frame of the given height over width."""
    height, width, _ = pixels.shape
    tall, wide = _framed(pixels, proportion)
    framed = np.broadcast_to(colour, (tall, wide, pixels.shape[-1])).copy()
    top, left = (tall - height) // 2, (wide - width) // 2
    framed[top : top + height, left : left + width] = pixels
    return framed


def _framed(pixels: np.ndarray, proportion: float) -> tuple[int, int]:
    """Height and width of the smallest frame of the given height over width."""
    height, width, _ = pixels.shape
    return max(height, round(width * proportion)), max(width, round(height / proportion))


def _filter(image: Image.Image, height: int, width: int) -> Image.Resampling:
    shrinks = image.height >= height and image.width >= width
    return Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
