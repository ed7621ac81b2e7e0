"""From a file to the pixels that a network sees: the one way, for training and for prediction.

`Pixels` says what is wanted, `modes` what the numbers in a file mean, `containers` what lies around them, `sizes` how images
come to one size. Whatever is in a file, it becomes its pixels or a `PictureError` that says why not.
"""

import io
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from jcnn.data import containers, modes
from jcnn.data.pixels import Pixels
from jcnn.data.sizes import fit

T = TypeVar("T")

MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30
"""Of a file."""

SMALL = 1 << 25
"""Bytes of pixels that any file may unpack to, however short it is."""

RATIO = 1100
"""Bytes of pixels that a longer file may unpack to for every byte of its own: a little more than deflate can."""

NO_PIXELS = {
    "EPS": "a drawing, not pixels",
    "WMF": "a drawing, not pixels",
    "MPEG": "a film",
    "BUFR": "weather data",
    "GRIB": "weather data",
    "HDF5": "an archive of arrays",
}
"""What Pillow recognises and has no pixels of, or would have another program draw."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How a picture is turned upright, by what Exif says of the camera. Source: CIPA DC-008, "Orientation"."""

LAID = 1 << 20
"""Pixels that are laid on a ground at once."""

_ALONE = threading.RLock()

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it has to say comes out as a `PictureError`


class PictureError(Exception):
    """A file that is no readable image; the message names it and says why."""


class Picture(NamedTuple):
    """An image file as a network sees it.

    Attributes:
        pixels: (H, W, C), uint8.
        size: height and width of the file's own image, upright.
        notes: what was lost, guessed or is strange, in a few words each.
    """

    pixels: UInt8[np.ndarray, "h w c"]
    size: tuple[int, int]
    notes: tuple[str, ...]


class Header(NamedTuple):
    """What a file says of its image before that is decoded: height and width, upright, and 1 for grey, 3 for colours."""

    size: tuple[int, int]
    channels: int


def read_picture(path: Path, pixels: Pixels, size: tuple[int, int] | None = None) -> Picture:
    """Reads an image file.

    Args:
        path: any file that Pillow reads; of several frames or pages, the first.
        pixels: what is wanted.
        size: height and width to bring it to; None: its own.

    Raises:
        PictureError: missing, unreadable, damaged, no image, no regular file, far too large, or with values that mean nothing.
    """
    try:
        return decode_picture(_content(path), pixels, size)
    except PictureError as error:
        raise PictureError(f"{path} {error}") from error.__cause__


def read_header(path: Path) -> Header:
    """What a file says of its image.

    Raises:
        PictureError: as `read_picture`; of damage only what is noticed without decoding.
    """
    try:
        content = _content(path)
        with _opened(content) as image:
            turned = containers.orientation(image.info) > 4 and image.format != "TIFF"
            width, height = image.size[::-1] if turned else image.size
            return Header((height, width), _used(image, content, lambda image, _: modes.channels(image)))
    except PictureError as error:
        raise PictureError(f"{path} {error}") from error.__cause__


def decode_picture(content: bytes, pixels: Pixels, size: tuple[int, int] | None = None) -> Picture:
    """The image in the bytes of a file, as `read_picture`, whose message lacks the path."""
    found, notes = _decoded(content, pixels)
    made, more = _as_wanted(found, pixels)
    fitted = made if size is None else fit(made, *size, pixels.size_rule)
    return Picture(fitted, made.shape[:2], (*found.notes, *notes, *more))


def picture_of(array: UInt8[np.ndarray, "h w c"], pixels: Pixels, size: tuple[int, int] | None = None) -> Picture:
    """The same of pixels that are decoded already: grey, RGB, or with alpha last."""
    alpha = array[..., -1] if array.shape[-1] in (2, 4) else None
    colours = array if alpha is None else array[..., :-1]
    made, notes = _as_wanted(modes.Values(colours, alpha), pixels)
    return Picture(made if size is None else fit(made, *size, pixels.size_rule), made.shape[:2], notes)


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # A named pipe would be waited for, a device read without end.
            raise PictureError("is no regular file: expected an image that lies on the disk")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise PictureError(f"has {size:,} bytes: expected at most {MAX_BYTES:,}")
            return file.read()
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a name with a null byte
        raise PictureError(f"cannot be read: {error}") from error


def _decoded(content: bytes, pixels: Pixels) -> tuple[modes.Values, list[str]]:
    """What the file says, upright, and what is to be said of the file beside that."""
    with _opened(content) as image:
        # Pillow turns TIFF by itself.
        turn = None if image.format == "TIFF" else TURNS.get(containers.orientation(image.info))
        found = _used(image, content, lambda image, content: modes.values(image, content, pixels.value_range))
        with _told():
            notes = _said_of(image, content, found)
            return found if turn is None else _turned(found, turn), notes


def _used(image: Image.Image, content: bytes, use: Callable[[Image.Image, bytes], T]) -> T:
    """What `use` makes of an opened image and the file; where it fails, of the same without metadata, which may be at fault."""
    with _told():
        try:
            return use(image, content)
        except modes.RefusedError:
            raise
        except Exception:
            if (bare := containers.without_metadata(content)) is not None:
                with suppress(Exception), Image.open(io.BytesIO(bare)) as other:
                    return use(other, bare)
            raise


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """The image, opened and not yet decoded, with or without its metadata; nothing unpacks beyond what its bytes can hold."""
    limit = min(MAX_PIXELS, max(SMALL, RATIO * len(content)))
    with _bounded(limit):
        with _told():
            try:
                image = Image.open(io.BytesIO(content))
            except Image.DecompressionBombError:
                raise
            except Exception:
                if (bare := containers.without_metadata(content)) is None:
                    raise
                image = Image.open(io.BytesIO(bare))
        with image:
            _require_moderate(image, limit)
            yield image


@contextmanager
def _told() -> Iterator[None]:
    """Whatever a decoder stumbles over comes out as a `PictureError`."""
    try:
        yield
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError("is no image that can be read: expected a file such as PNG, JPEG or GIF") from None
    except Image.DecompressionBombError as error:
        raise PictureError(f"is refused: it would unpack to far more than its bytes can hold ({error})") from error
    except modes.RefusedError as error:
        raise PictureError(f"is refused: {error}") from error
    except MemoryError as error:
        raise PictureError("cannot be read: out of memory") from error
    except Exception as error:  # a damaged file brings up whatever its decoder stumbles over
        raise PictureError(f"cannot be read: {str(error) or type(error).__name__}") from error


@contextmanager
def _bounded(pixels: int) -> Iterator[None]:
    """While inside, Pillow opens no image of more pixels, also none within another.

    Its limit and Python's warnings belong to the whole process: one file at a time. Pillow raises at twice its limit, and warns
    before; it also thinks aloud about metadata.
    """
    with _ALONE, warnings.catch_warnings(action="ignore"):
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = pixels // 2
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _require_moderate(image: Image.Image, limit: int) -> None:
    if why := NO_PIXELS.get(image.format or ""):
        raise PictureError(f"is refused: it is {image.format}, {why}")
    count = image.width * image.height
    if not count:
        raise PictureError(f"is refused: it has {image.width}×{image.height} pixels")
    each = {"1": 1, "L": 1, "P": 1}.get(image.mode, 4)
    if count > MAX_PIXELS or count * each > max(limit, SMALL):
        raise PictureError(
            f"is refused: it has {image.width}×{image.height} pixels: expected at most {MAX_PIXELS:,}, and no more than its "
            "bytes can hold"
        )


def _said_of(image: Any, content: bytes, found: modes.Values) -> list[str]:
    notes = []
    if (frames := _frames(image, content)) > 1:
        notes.append(f"the first of {frames} frames")
    if len(sizes := image.info.get("sizes") or ()) > 1:
        notes.append(f"the largest of {len(sizes)} sizes")
    profile = image.info.get("icc_profile")
    has_rgb = found.colours.shape[-1] == 3 and image.mode not in ("CMYK", "LAB")
    if has_rgb and isinstance(profile, bytes) and not _is_srgb(profile):
        notes.append("a colour profile other than sRGB, not applied")
    return notes


def _frames(image: Any, content: bytes) -> int:
    """How many frames or pages there are, counted on a copy where a reader walks through them: they may be broken."""
    if image.format == "PSD" or not (hasattr(type(image), "n_frames") or "n_frames" in vars(image)):
        return 1  # of PSD the whole is read, and its layers are counted
    with suppress(Exception):
        if "n_frames" in vars(image):
            return int(image.n_frames)
        with Image.open(io.BytesIO(content)) as other:
            return int(getattr(other, "n_frames", 1))
    return 1


def _is_srgb(profile: bytes) -> bool:
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


def _turned(found: modes.Values, turn: Image.Transpose) -> modes.Values:
    colours = Image.fromarray(found.colours[..., 0] if found.colours.shape[-1] == 1 else found.colours).transpose(turn)
    turned = np.asarray(colours)
    alpha = None if found.alpha is None else np.asarray(Image.fromarray(found.alpha).transpose(turn))
    return found._replace(colours=turned[..., None] if turned.ndim == 2 else turned, alpha=alpha)


def _as_wanted(found: modes.Values, pixels: Pixels) -> tuple[UInt8[np.ndarray, "h w c"], tuple[str, ...]]:
    """In the wanted channels and polarity, and what that cost."""
    colours, alpha, _ = found
    wanted = pixels.channels or colours.shape[-1]
    notes = []
    if alpha is not None and wanted != 4 and (alpha < 255).any():
        colours = _laid(colours, alpha, 255 if pixels.alpha == "white" else 0)
        notes.append(f"transparent, laid on {pixels.alpha}")
    if wanted == 1 and colours.shape[-1] == 3:
        if (colours != colours[..., :1]).any():
            notes.append("colours, made grey")
        colours = np.asarray(Image.fromarray(colours).convert("L"))[..., None]
    elif wanted > 1 and colours.shape[-1] == 1:
        colours = np.repeat(colours, 3, -1)
    if pixels.polarity == "inverted":
        colours = 255 - colours
    if wanted == 4:
        opaque = np.full(colours.shape[:2], 255, np.uint8)
        colours = np.concatenate([colours, (opaque if alpha is None else alpha)[..., None]], -1)
    if (colours == colours[0, 0]).all():
        notes.append("blank: one colour everywhere")
    return colours, tuple(notes)


def _laid(colours: np.ndarray, alpha: np.ndarray, ground: int) -> np.ndarray:
    """(a v + (255 − a) ground) / 255, rounded to the nearest integer."""
    out = np.empty_like(colours)
    rows = max(1, LAID // colours.shape[1])
    for first in range(0, len(colours), rows):
        part, opacity = colours[first : first + rows].astype(np.uint32), alpha[first : first + rows, :, None].astype(np.uint32)
        out[first : first + rows] = (part * opacity + (255 - opacity) * ground + 127) // 255
    return out
