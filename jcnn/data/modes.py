"""Pillow's modes, one by one: what the numbers of each mean, as 8 bits a value.

    1, L             grey                       LA, La, PA, RGBA, RGBa   with alpha, not multiplied into the colours
    P                the palette's colours      I;16 …                   16 bits, v/257
    RGB, RGBX        colours                    F, I                     a stated range: 255 (v − low) / (high − low)
    YCbCr, HSV, CMYK, LAB                       converted to RGB

A mode that is not in the table is refused by its name. Values are rounded to the nearest integer.
"""

import io
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

TOP_16 = 65535
FLOATS = (0.0, 1.0)
"""Black and white in floating images of which nothing else is said."""

PHOTOMETRIC, BITS, PLANES, SAMPLE_FORMAT = 262, 258, 284, 339
"""Tags of TIFF. Source: TIFF 6.0."""

OTHER_ORDER = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}
"""For how Pillow reads 16 bits of a colour, keeping the higher 8: how it would read the lower ones."""


WIDENED = {"L;2": 85, "L;4": 17}
"""By how much Pillow multiplies grey of fewer bits, and the grey that is said to be transparent not."""


class RefusedError(ValueError):
    """An image whose numbers have no meaning here; the message says which and why."""


class Values(NamedTuple):
    """What an image file says.

    Attributes:
        colours: (H, W, 1) grey or (H, W, 3) RGB.
        alpha: (H, W), 0 transparent to 255; None: nothing is transparent.
        notes: what was lost or guessed, in a few words each.
    """

    colours: UInt8[np.ndarray, "h w c"]
    alpha: UInt8[np.ndarray, "h w"] | None
    notes: tuple[str, ...] = ()


Range = tuple[float, float] | None
ROUNDED = "16 bits a value, rounded to 8"


def values(image: Image.Image, content: bytes, value_range: Range) -> Values:
    """The numbers of an opened image.

    Args:
        image: as `Image.open` gives it, not loaded yet.
        content: the file.
        value_range: what black and white are in modes F and I; None: 0 and 1 in F, and I is refused.

    Raises:
        RefusedError: a mode or values that mean nothing here.
        Exception: whatever Pillow raises for a damaged file.
    """
    if _is_sixteen_bit_colour(image):
        return _sixteen_bit_colour(image, content)
    deep, widened = _is_deep(image, content), WIDENED.get(_raw_mode(image), 1)
    image.load()
    if isinstance(said := image.info.get("transparency"), int):
        image.info["transparency"] = said * widened
    if image.mode not in MODES:
        raise RefusedError(f"its pixels are of Pillow's mode {image.mode}, which is not known here")
    found = MODES[image.mode](image, value_range)
    return found._replace(notes=(*found.notes, "more than 8 bits a value, rounded to 8")) if deep else found


def channels(image: Image.Image) -> int:
    """1 if an opened image is grey, 3 if it has colours; alpha aside, and without looking at its pixels."""
    if image.mode == "P":
        return 1 if _is_grey_palette(image) else 3
    return 1 if image.mode in ("1", "L", "LA", "La", "F", "I") or image.mode.startswith("I;16") else 3


def _is_grey_palette(image: Image.Image) -> bool:
    entries = np.frombuffer(bytes(image.getpalette() or b""), np.uint8).reshape(-1, 3)
    return bool((entries == entries[:, :1]).all())


def _array(image: Image.Image) -> np.ndarray:
    found = np.asarray(image)
    return found[..., None] if found.ndim == 2 else found


def _grey(image: Image.Image, _: Range) -> Values:
    if _is_tiff(image) and _of_tiff(image, SAMPLE_FORMAT, 1) == 2:
        raise RefusedError("its values are signed 8-bit integers, of which nobody says what is black and what is white")
    colours = _array(image if image.mode == "L" else image.convert("L"))
    return Values(colours, _transparent(colours, image.info))


def _rgb(image: Image.Image, _: Range) -> Values:
    colours = _array(image if image.mode == "RGB" else image.convert("RGB"))
    return Values(colours, _transparent(colours, image.info))


def _converted(note: str) -> Callable[[Image.Image, Range], Values]:
    def convert(image: Image.Image, _: Range) -> Values:
        return Values(_array(image.convert("RGB")), None, (note,))

    return convert


def _palette(image: Image.Image, _: Range) -> Values:
    grey = _is_grey_palette(image)
    if image.has_transparency_data:
        return _with_alpha(image.convert("LA" if grey else "RGBA"), None)
    return Values(_array(image.convert("L" if grey else "RGB")), None)


def _with_alpha(image: Image.Image, _: Range) -> Values:
    """Also of premultiplied alpha: Pillow divides, v · 255 / a."""
    wanted = "LA" if image.mode in ("LA", "La") else "RGBA"
    both = _array(image if image.mode == wanted else image.convert(wanted))
    return Values(both[..., :-1], both[..., -1])


def _sixteen(image: Image.Image, _: Range) -> Values:
    found = _array(image).astype(np.uint16)
    alpha = _transparent(found, image.info)
    if image.format == "FITS":
        raise RefusedError("its values are signed 16-bit integers, of which nobody says what is black and what is white")
    if not _is_tiff(image):
        return Values(eight(found), alpha, (ROUNDED,))
    bits = _of_tiff(image, BITS, 16)
    if bits < 16:
        found = (found.astype(np.uint32) * TOP_16 // (2**bits - 1)).astype(np.uint16)
    return Values(eight(TOP_16 - found if _is_white_zero(image) else found), alpha, (f"{bits} bits a value, rounded to 8",))


def _integers(image: Image.Image, value_range: Range) -> Values:
    """32 bits; of a portable graymap, 16 bits that Pillow delivers so."""
    found = _array(image)
    if image.format == "PPM":
        return Values(eight(found.clip(0, TOP_16).astype(np.uint16)), None, (ROUNDED,))
    if value_range is None:
        raise RefusedError(
            f"its values are integers from {found.min()} to {found.max()}, of which nobody says what is black and what is "
            "white: state it, such as --value-range 0 65535"
        )
    return _in_range(image, found, value_range)


def _floats(image: Image.Image, value_range: Range) -> Values:
    made = _in_range(image, _array(image), value_range or FLOATS)
    return made if value_range else made._replace(notes=(*made.notes, "floating values, taken as 0 black to 1 white"))


def _in_range(image: Image.Image, found: np.ndarray, value_range: tuple[float, float]) -> Values:
    """255 (v − low) / (high − low), computed in float64; low may be above high."""
    if not np.isfinite(found).all():
        raise RefusedError(f"{int((~np.isfinite(found)).sum())} of its values are NaN or infinite")
    low, high = value_range
    smallest, largest = found.min(), found.max()
    if smallest < min(low, high) or largest > max(low, high):
        raise RefusedError(
            f"its values go from {smallest:.6g} to {largest:.6g}: expected {low:g} (black) to {high:g} (white); "
            "state what they are, such as --value-range 0 255"
        )
    if _is_tiff(image) and _is_white_zero(image):
        low, high = high, low
    out = np.empty(found.shape, np.uint8)
    for row, to in zip(found, out, strict=True):
        to[:] = np.rint((row.astype(np.float64) - low) * (255 / (high - low)))
    return Values(out, None)


def eight(found: UInt16[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """v/257, rounded to the nearest integer: 0 … 65535 as 0 … 255."""
    # (v + 128) // 257 without leaving 32 bits.
    return ((found.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _transparent(found: np.ndarray, info: dict[Any, Any]) -> np.ndarray | None:
    """Alpha where one colour is said to be transparent, as PNG does."""
    said = info.get("transparency")
    wanted = said if isinstance(said, tuple) else (said,)
    if len(wanted) != found.shape[-1] or not all(isinstance(part, int) for part in wanted):
        return None
    return np.where((found == np.array(wanted)).all(-1), 0, 255).astype(np.uint8)


def _is_tiff(image: Image.Image) -> bool:
    return image.format == "TIFF"


def _of_tiff(image: Image.Image, tag: int, otherwise: int) -> int:
    tags: Any = getattr(image, "tag_v2", {})
    said = tags.get(tag, otherwise)
    return said[0] if isinstance(said, tuple) else said


def _is_white_zero(image: Image.Image) -> bool:
    """Whether 0 is white, which Pillow leaves as it is for more than 8 bits."""
    return _of_tiff(image, PHOTOMETRIC, 1) == 0


def _raw_mode(image: Image.Image) -> str:
    """How Pillow reads the bytes of a file, such as RGB;16B."""
    tiles: Any = getattr(image, "tile", [])
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _is_sixteen_bit_colour(image: Image.Image) -> bool:
    if _is_tiff(image) and _of_tiff(image, BITS, 8) == 16 and _of_tiff(image, PLANES, 1) == 2:
        raise RefusedError("its colours of 16 bits lie in separate planes, which Pillow does not read: save it as contiguous")
    return ";16" in _raw_mode(image) and image.mode in ("RGB", "RGBA", "CMYK")


def _sixteen_bit_colour(image: Image.Image, content: bytes) -> Values:
    """Pillow keeps the higher 8 bits of a colour: the file is read twice, the second time for the lower ones."""
    raw = _raw_mode(image)
    straight = raw.replace("RGBa", "RGBA")
    if raw == "LA;16B":  # Pillow repeats grey as three colours; as they lie, the four bytes are those of both values
        bytes_of = _read_as(content, "RGBA").astype(np.uint16)
        found = bytes_of[..., ::2] * 256 + bytes_of[..., 1::2]
        return Values(eight(found[..., :1]), eight(found[..., 1]), (ROUNDED,))
    found = _read_as(content, straight).astype(np.uint16) * 256 + _read_as(content, _other_order(straight))
    if image.mode == "CMYK":
        return MODES["CMYK"](Image.fromarray(eight(found), "CMYK"), None)
    if image.mode == "RGB":
        return Values(eight(found), _transparent(found, image.info), (ROUNDED,))
    if raw.startswith("RGBa"):
        alpha = found[..., 3:].astype(np.float64)
        divided = np.divide(found[..., :3] * float(TOP_16), alpha, out=np.zeros(found[..., :3].shape), where=alpha > 0)
        found = np.concatenate([np.rint(divided.clip(0, TOP_16)).astype(np.uint16), found[..., 3:]], -1)
    return Values(eight(found[..., :3]), eight(found[..., 3]), (ROUNDED,))


def _is_deep(image: Image.Image, content: bytes) -> bool:
    """Whether a file has more than 8 bits a value of which Pillow delivers 8 and does not say so."""
    if image.mode.startswith("I"):
        return False
    depth = DEPTHS.get(image.format or "")
    return depth is not None and depth(image, content) > 8


def _depth_of_ppm(image: Any, _: bytes) -> int:
    arguments = image.tile[0].args
    return arguments[1].bit_length() if arguments[0] == "RGB" and isinstance(arguments[1], int) else 8


def _depth_of_jpeg2000(_: Any, content: bytes) -> int:
    place = content.find(b"\xff\x4f\xff\x51")  # the codestream begins with the sizes
    return (content[place + 42] & 0x7F) + 1 if 0 <= place < len(content) - 42 else 8


def _depth_of_avif(_: Any, content: bytes) -> int:
    place = content.find(b"pixi")
    return content[place + 9] if 0 <= place < len(content) - 9 else 8


def _depth_of_sgi(_: Any, content: bytes) -> int:
    return 8 * content[3]


DEPTHS: dict[str, Callable[[Any, bytes], int]] = {
    "AVIF": _depth_of_avif,
    "JPEG2000": _depth_of_jpeg2000,
    "PPM": _depth_of_ppm,
    "SGI": _depth_of_sgi,
}


def _other_order(raw: str) -> str:
    for end, other in OTHER_ORDER.items():
        if raw.endswith(end):
            return raw.removesuffix(end) + other
    raise RefusedError(f"its colours of 16 bits are read as {raw}, which is not known here")


def _read_as(content: bytes, raw: str) -> np.ndarray:
    """The file as Pillow reads it where its bytes are said to mean something else."""
    image: Any = Image.open(io.BytesIO(content))
    image.tile = [tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw) for tile in image.tile]
    return np.asarray(image)


MODES: dict[str, Callable[[Image.Image, Range], Values]] = {
    "1": _grey,
    "L": _grey,
    "P": _palette,
    "LA": _with_alpha,
    "La": _with_alpha,
    "PA": _with_alpha,
    "RGB": _rgb,
    "RGBX": _rgb,
    "RGBA": _with_alpha,
    "RGBa": _with_alpha,
    "YCbCr": _rgb,
    "HSV": _rgb,
    "CMYK": _converted("CMYK, made RGB without its colour profile"),
    "LAB": _converted("CIELAB, made sRGB"),
    "I;16": _sixteen,
    "I;16L": _sixteen,
    "I;16B": _sixteen,
    "I;16N": _sixteen,
    "I": _integers,
    "F": _floats,
}
