"""Image files of every kind become what a network takes, or an error that names them: Pillow's formats and modes one by one."""

import io
import resource
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jcnn.data import load
from jcnn.data.pictures import PictureError, decode_picture, picture_of, read_header, read_picture
from jcnn.data.pixels import Pixels
from tests.data import image_files
from tests.data.image_files import chunk, exif, ifd, png, saved, tiff, with_segments
from tests.draws import draws

DIGIT = load("digits", "test").images[0]
HEIGHT, WIDTH = 12, 16
RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
SMOOTH = np.stack(
    [np.add.outer(np.arange(HEIGHT) * 9, np.arange(WIDTH) * 7 + 20 * band) % 256 // 2 + 60 for band in range(4)], -1
)
WORDS = RANDOM.integers(0, 65536, (HEIGHT, WIDTH, 4), np.uint16)
FLOATS = RANDOM.random((HEIGHT, WIDTH)).astype(np.float32)
PALETTE = RANDOM.integers(0, 256, (256, 3), np.uint8)


def of_palette(mode: str, bands: np.ndarray) -> Image.Image:
    image = Image.frombytes(mode, (WIDTH, HEIGHT), bands.tobytes())
    image.putpalette(PALETTE.tobytes())
    return image


def image_of(mode: str, values: np.ndarray = BYTES) -> Image.Image:
    """An image in this mode, whose numbers are those of an array."""
    if mode == "1":
        return Image.fromarray(values[..., 0] > 127)
    if mode in ("P", "PA"):
        return of_palette(mode, values[..., : len(mode)])
    if mode in ("I;16", "I;16B"):
        return Image.fromarray(WORDS[..., 0].astype("<u2" if mode == "I;16" else ">u2"))
    if mode == "I":
        return Image.fromarray(WORDS[..., 0].astype(np.int32))
    if mode == "F":
        return Image.fromarray(FLOATS)
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (WIDTH, HEIGHT), np.ascontiguousarray(values[..., :bands], np.uint8).tobytes())


def on(ground: float, colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours laid on a ground, by the definition, in float64."""
    part = alpha[..., None] / 255.0
    return part * colours + (1 - part) * ground


def ycbcr(values: np.ndarray) -> np.ndarray:
    """Source: JFIF 1.02."""
    y, cb, cr = (values[..., band].astype(float) - (128 if band else 0) for band in range(3))
    return np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1).clip(0, 255)


def cmyk(values: np.ndarray) -> np.ndarray:
    """(1 − c)(1 − k), without a profile."""
    return (255 - values[..., :3].astype(float)) * (255 - values[..., 3:4].astype(float)) / 255


MEANING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "1": lambda v: np.where(v[..., :1] > 127, 255, 0),
    "L": lambda v: v[..., :1],
    "P": lambda v: PALETTE[v[..., 0]],
    "LA": lambda v: on(255, v[..., :1], v[..., 1]),
    "PA": lambda v: on(255, PALETTE[v[..., 0]], v[..., 1]),
    "RGB": lambda v: v[..., :3],
    "RGBX": lambda v: v[..., :3],
    "RGBA": lambda v: on(255, v[..., :3], v[..., 3]),
    "CMYK": cmyk,
    "YCbCr": ycbcr,
    "I;16": lambda _: WORDS[..., :1] / 257,
    "I;16B": lambda _: WORDS[..., :1] / 257,
    "I": lambda _: WORDS[..., :1] / 257,
    "F": lambda _: FLOATS[..., None] * 255.0,
}
"""What the numbers of a mode are as pixels, in float64; transparent ones on white."""

ROUNDED = {"CMYK": 1.01, "YCbCr": 1.6, "PA": 0.51}
"""How far Pillow's integers may be from it; half a level where nothing else is said."""

STORED: dict[str, tuple[str, ...]] = {
    "AVIF": ("L", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "DDS": ("L", "LA", "RGB", "RGBA"),
    "DIB": ("1", "L", "P", "RGB"),
    "GIF": ("1", "L", "P"),
    "ICO": ("1", "L", "P", "LA", "RGB", "RGBA", "I;16"),
    "IM": ("1", "L", "P", "LA", "PA", "RGB", "RGBX", "RGBA", "CMYK", "YCbCr", "I;16", "I;16B", "F"),
    "JPEG": ("L", "RGB", "CMYK"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA", "I;16"),
    "MPO": ("L", "RGB"),
    "MSP": ("1",),
    "PCX": ("1", "L", "P", "RGB"),
    "PNG": ("1", "L", "P", "LA", "RGB", "RGBA", "I;16", "I;16B"),
    "PPM": ("1", "L", "RGB", "I;16", "I", "F"),
    "QOI": ("RGB", "RGBA"),
    "SGI": ("L", "RGB", "RGBA"),
    "SPIDER": ("F",),
    "TGA": ("1", "L", "P", "LA", "RGB", "RGBA"),
    "TIFF": ("1", "L", "P", "LA", "PA", "RGB", "RGBX", "RGBA", "CMYK", "YCbCr", "I;16", "I;16B", "F"),
    "WEBP": ("RGB", "RGBA"),
    "XBM": ("1",),
}
"""The modes that a format keeps as they are."""

LOSSY = {"AVIF": 4.0, "JPEG": 4.0, "MPO": 4.0}
"""How far a format's pixels may be from those that were saved, of a smooth image at the best quality."""

OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "ICO": {"sizes": [(WIDTH, HEIGHT)]},
    "JPEG": {"quality": 100, "subsampling": 0},
    "MPO": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in STORED.items() for mode in modes])
def test_every_mode_in_every_format(kind: str, mode: str) -> None:
    values = SMOOTH.astype(np.uint8) if kind in LOSSY else BYTES
    content = saved(image_of(mode, values), kind, **OPTIONS.get(kind, {}))
    found = decode_picture(content, Pixels()).pixels
    expected = MEANING[mode](values)
    expected = np.broadcast_to(expected, (*expected.shape[:2], found.shape[-1]))  # WebP and AVIF know no grey
    np.testing.assert_allclose(found, expected, rtol=0, atol=LOSSY.get(kind, ROUNDED.get(mode, 0.51)))


MODES = (
    "1",
    "L",
    "P",
    "LA",
    "La",
    "PA",
    "RGB",
    "RGBX",
    "RGBA",
    "RGBa",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I;16",
    "I;16B",
    "I",
    "F",
)


def test_whatever_pillow_writes_becomes_pixels_or_is_refused_by_name() -> None:
    """Also where the writer converts, and what cannot be read again: all formats, all modes."""
    assert {*MODES} >= {*Image.MODES} - {"I;16L", "I;16N"}
    Image.init()
    done = 0
    for kind in Image.SAVE:
        for mode in MODES if kind != "ICNS" else ("P", "RGBA"):  # of up to 1024×1024 pixels
            try:
                content = saved(image_of(mode), kind)
            except Exception:  # noqa: BLE001, S112 (that is not what is tested)
                continue
            try:
                picture = decode_picture(content, Pixels())
            except PictureError as error:
                assert str(error).startswith(("is refused: ", "cannot be read: ", "is no image"))  # noqa: PT017
            else:
                assert picture.pixels.dtype == np.uint8
                assert picture.pixels.shape[-1] in (1, 3)
            done += 1
    assert done > 150


TIFFS = [(mode, packing) for mode in ("1", "L", "RGB", "RGBA", "CMYK", "I;16", "F") for packing in ("tiff_lzw", "packbits")]


@pytest.mark.parametrize(("mode", "packing"), TIFFS)
def test_packed_tiff(mode: str, packing: str) -> None:
    found = decode_picture(saved(image_of(mode), "TIFF", compression=packing), Pixels()).pixels
    np.testing.assert_allclose(found, MEANING[mode](BYTES), rtol=0, atol=ROUNDED.get(mode, 0.51))


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        pytest.param("SUN", image_files.sun, id="Sun raster"),
        pytest.param("PSD", image_files.psd, id="Photoshop"),
        pytest.param("FITS", lambda rgb: image_files.fits(rgb[..., 0]), id="FITS"),
        pytest.param("DCX", lambda rgb: image_files.dcx(saved(Image.fromarray(rgb), "PCX")), id="DCX"),
    ],
)
def test_formats_that_pillow_only_reads(kind: str, make: Callable[[np.ndarray], bytes]) -> None:
    content = make(BYTES[..., :3])
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == kind
    found = decode_picture(content, Pixels()).pixels
    np.testing.assert_array_equal(found, BYTES[..., : found.shape[-1]])


def test_xpm() -> None:
    content, expected = image_files.xpm()
    np.testing.assert_array_equal(decode_picture(content, Pixels()).pixels, expected)


def test_a_grey_palette_is_grey() -> None:
    image = of_palette("P", BYTES[..., :1])
    image.putpalette(np.repeat(np.arange(256, dtype=np.uint8)[::-1], 3).tobytes())
    np.testing.assert_array_equal(decode_picture(saved(image, "PNG"), Pixels()).pixels, 255 - BYTES[..., :1])


SIXTEEN = {
    "PNG grey": (png(WORDS[..., :1], image_files.GREY), 1, False),
    "PNG grey and alpha": (png(WORDS[..., [0, 3]], image_files.GREY_ALPHA), 1, True),
    "PNG RGB": (png(WORDS[..., :3], image_files.RGB), 3, False),
    "PNG RGBA": (png(WORDS, image_files.RGB_ALPHA), 3, True),
    "TIFF grey": (tiff(WORDS[..., :1], 1), 1, False),
    "TIFF grey, high byte first": (tiff(WORDS[..., :1], 1, order=">"), 1, False),
    "TIFF RGB": (tiff(WORDS[..., :3], 2), 3, False),
    "TIFF RGB, high byte first": (tiff(WORDS[..., :3], 2, order=">"), 3, False),
    "TIFF RGB, deflate": (tiff(WORDS[..., :3], 2, packed=True), 3, False),
    "TIFF RGBA": (tiff(WORDS, 2, t338=(2,)), 3, True),
    "TIFF RGBA, deflate": (tiff(WORDS, 2, packed=True, t338=(2,)), 3, True),
    "PPM RGB": (b"P6 16 12 65535\n" + WORDS[..., :3].astype(">u2").tobytes(), 3, False),
}


@pytest.mark.parametrize("name", SIXTEEN)
def test_16_bits_are_v_over_257(name: str) -> None:
    """Rounded to the nearest, of every colour: not its higher byte, and not by the largest value there is."""
    content, channels, transparent = SIXTEEN[name]
    picture = decode_picture(content, Pixels(channels=4))
    rounded = np.rint(WORDS / 257)
    colours = rounded[..., :1] if channels == 1 else rounded[..., :3]
    np.testing.assert_array_equal(picture.pixels[..., :3], np.broadcast_to(colours, (HEIGHT, WIDTH, 3)))
    np.testing.assert_array_equal(picture.pixels[..., 3], rounded[..., 3] if transparent else 255)
    assert any("rounded to 8" in note for note in picture.notes)


def test_dark_16_bits_stay_dark() -> None:
    content = png(np.array([[[0], [257], [2570]]], np.uint16), image_files.GREY)
    assert decode_picture(content, Pixels()).pixels.ravel().tolist() == [0, 1, 10]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(tiff(WORDS[..., :1], 0), 255 - np.rint(WORDS[..., :1] / 257), id="16 bits, 0 is white"),
        pytest.param(tiff(BYTES[..., :1], 0), 255 - BYTES[..., :1], id="8 bits, 0 is white"),
        pytest.param(tiff(FLOATS[..., None], 0), np.rint(255 - 255.0 * FLOATS[..., None]), id="floating, 0 is white"),
    ],
)
def test_tiff_where_0_is_white(content: bytes, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_picture(content, Pixels()).pixels, expected)


def test_multiplied_alpha_is_divided() -> None:
    alpha = np.maximum(WORDS[..., 3:], 20000)
    colours = WORDS[..., :3]
    multiplied = np.rint(colours.astype(float) * alpha / 65535).astype(np.uint16)
    content = tiff(np.concatenate([multiplied, alpha], -1), 2, t338=(1,))
    found = decode_picture(content, Pixels(channels=4)).pixels
    np.testing.assert_allclose(found[..., :3], colours / 257, atol=0.51)
    np.testing.assert_array_equal(found[..., 3:], np.rint(alpha / 257))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(tiff(WORDS[..., :1].view(np.int16), 1), "integers from -.* --value-range", id="signed 16 bits"),
        pytest.param(tiff(BYTES[..., :1].view(np.int8), 1), "signed 8-bit", id="signed 8 bits"),
        pytest.param(tiff(WORDS[..., :1].astype(np.int32), 1), "integers from", id="32 bits"),
        pytest.param(tiff(WORDS[..., :3], 2, t284=(2,)), "separate planes", id="planes of 16 bits"),
        pytest.param(tiff(255 * FLOATS[..., None], 1), r"go from .* to .*: expected 0 \(black\) to 1", id="floats beyond 1"),
        pytest.param(tiff(FLOATS[..., None] * np.float32("nan"), 1), "NaN", id="NaN"),
        pytest.param(image_files.fits(WORDS[..., 0].view(np.int16)), "signed 16-bit", id="FITS of 16 bits"),
        pytest.param(saved(image_of("L"), "EPS"), "EPS, a drawing", id="EPS"),
        pytest.param(tiff(FLOATS.astype(np.float64)[..., None], 1), "is no image|cannot be read", id="float64"),
    ],
)
def test_numbers_without_a_meaning_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        decode_picture(content, Pixels())


@pytest.mark.parametrize(
    ("content", "value_range", "expected"),
    [
        pytest.param(tiff(FLOATS[..., None], 1), (0, 1), 255.0 * FLOATS[..., None], id="floats"),
        pytest.param(tiff(255 * FLOATS[..., None], 1), (0, 255), 255.0 * FLOATS[..., None], id="0 to 255"),
        pytest.param(tiff(FLOATS[..., None], 1), (1, 0), 255 - 255.0 * FLOATS[..., None], id="1 is black"),
        pytest.param(tiff(WORDS[..., :1].astype(np.int32) - 9, 1), (-9, 65526), WORDS[..., :1] / 257, id="32 bits"),
        pytest.param(tiff(WORDS[..., :1].view(np.int16), 1), (-32768, 32767), None, id="signed"),
    ],
)
def test_a_stated_range(content: bytes, value_range: tuple[float, float], expected: np.ndarray | None) -> None:
    found = decode_picture(content, Pixels(value_range=value_range)).pixels
    if expected is None:
        expected = (WORDS[..., :1].view(np.int16).astype(float) + 32768) / 257
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.5001)


KEYED = {
    "grey": (png(BYTES[..., :1], image_files.GREY, chunk(b"tRNS", struct.pack(">H", BYTES[3, 4, 0]))), BYTES[..., :1]),
    "RGB": (png(BYTES[..., :3], image_files.RGB, chunk(b"tRNS", struct.pack(">3H", *BYTES[3, 4, :3]))), BYTES[..., :3]),
    "16 bits": (png(WORDS[..., :1], image_files.GREY, chunk(b"tRNS", struct.pack(">H", WORDS[3, 4, 0]))), WORDS[..., :1]),
    "RGB of 16 bits": (
        png(WORDS[..., :3], image_files.RGB, chunk(b"tRNS", struct.pack(">3H", *WORDS[3, 4, :3]))),
        WORDS[..., :3],
    ),
}


@pytest.mark.parametrize("name", KEYED)
def test_one_colour_that_is_transparent(name: str) -> None:
    content, values = KEYED[name]
    clear = (values == values[3, 4]).all(-1)
    found = decode_picture(content, Pixels(channels=4)).pixels
    np.testing.assert_array_equal(found[..., 3], np.where(clear, 0, 255))
    laid = decode_picture(content, Pixels(alpha="black"))
    assert (laid.pixels[clear] == 0).all()
    assert "transparent, laid on black" in laid.notes


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_one_grey_of_few_bits_that_is_transparent(bits: int) -> None:
    top = 2**bits - 1
    grey = np.arange(16) * top // 15
    row = b"\0" + np.packbits(np.unpackbits(grey.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]).tobytes()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 1, bits, 0, 0, 0, 0))
    parts = head, chunk(b"tRNS", struct.pack(">H", 1)), chunk(b"IDAT", zlib.compress(row)), chunk(b"IEND", b"")
    found = decode_picture(image_files.PNG + b"".join(parts), Pixels(channels=4)).pixels[0]
    np.testing.assert_array_equal(found[:, 0], grey * 255 // top)
    np.testing.assert_array_equal(found[:, 3], np.where(grey == 1, 0, 255))


@pytest.mark.parametrize("alpha", ["white", "black"])
def test_transparency_is_laid_on_a_ground(alpha: Any) -> None:
    found = decode_picture(saved(image_of("RGBA"), "PNG"), Pixels(alpha=alpha)).pixels
    expected = on({"white": 255, "black": 0}[alpha], BYTES[..., :3], BYTES[..., 3])
    np.testing.assert_array_equal(found, np.floor(expected + 0.5 + 1e-9))


TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image, 1),
}
"""The upright image. Source: CIPA DC-008, "Orientation", by where the stored row 0 and column 0 lie."""

HOLDERS: dict[str, Callable[[Image.Image, bytes], bytes]] = {
    "PNG": lambda image, block: png(np.asarray(image), image_files.RGB, chunk(b"eXIf", block)),
    "JPEG": lambda image, block: with_segments(saved(image, "JPEG", quality=100, subsampling=0), (0xE1, b"Exif\0\0" + block)),
    "WEBP": image_files.webp_with_exif,
    "TIFF": lambda image, block: tiff(np.asarray(image), 2, t274=(block[18],)),
    "TIFF, packed": lambda image, block: tiff(np.asarray(image), 2, packed=True, t274=(block[18],)),
}


@pytest.mark.parametrize("kind", HOLDERS)
@pytest.mark.parametrize("orientation", TURNED)
def test_the_camera_s_turn_is_undone(tmp_path: Path, kind: str, orientation: int) -> None:
    image = Image.fromarray(SMOOTH[..., :3].astype(np.uint8))
    content = HOLDERS[kind](image, exif(orientation))
    upright = TURNED[orientation](np.asarray(image))
    found = decode_picture(content, Pixels())
    np.testing.assert_allclose(found.pixels, upright, atol=4 if kind == "JPEG" else 0)
    (tmp_path / "image").write_bytes(content)
    assert read_header(tmp_path / "image").size == found.size == upright.shape[:2]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("order", "<>")
def test_the_turn_beside_broken_tags(kind: str, order: str) -> None:
    image = Image.fromarray(SMOOTH[..., :3].astype(np.uint8))
    content = HOLDERS[kind](image, exif(6, order=order, broken=True))
    np.testing.assert_allclose(decode_picture(content, Pixels()).pixels, np.rot90(np.asarray(image), -1), atol=4)


def damaged(kind: bytes, content: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return chunk(kind, content)[:-1] + b"\0"


PLAIN_JPEG = saved(Image.fromarray(SMOOTH[..., :3].astype(np.uint8)), "JPEG", quality=95)
STRIP = {256: (4,), 257: (2,), 258: (8,), 259: (1,), 262: (1,), 273: (0,), 277: (1,), 278: (2,), 279: (8,)}
BROKEN_METADATA = {
    "PNG text, wrong checksum": png(BYTES[..., :3], image_files.RGB, damaged(b"tEXt", b"a\0b")),
    "PNG text that unpacks to much": png(
        BYTES[..., :3], image_files.RGB, *[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20)))] * 80
    ),
    "PNG profile of rubbish": png(BYTES[..., :3], image_files.RGB, chunk(b"iCCP", b"rubbish")),
    "PNG gamma cut short": png(BYTES[..., :3], image_files.RGB, chunk(b"gAMA", b"\0")),
    "PNG resolution cut short": png(BYTES[..., :3], image_files.RGB, chunk(b"pHYs", b"\0")),
    "PNG intent without content": png(BYTES[..., :3], image_files.RGB, chunk(b"sRGB", b"")),
    "PNG chromaticities of rubbish": png(BYTES[..., :3], image_files.RGB, chunk(b"cHRM", b"abc")),
    "PNG animation of no frames": png(BYTES[..., :3], image_files.RGB, chunk(b"acTL", bytes(8))),
    "PNG Exif of rubbish": png(BYTES[..., :3], image_files.RGB, chunk(b"eXIf", b"rubbish")),
    "JPEG Exif of rubbish": with_segments(PLAIN_JPEG, (0xE1, b"Exif\0\0rubbish")),
    "JPEG profile of rubbish": with_segments(PLAIN_JPEG, (0xE2, b"ICC_PROFILE\0\7\3rubbish")),
    "JPEG pictures beside it of rubbish": with_segments(PLAIN_JPEG, (0xE2, b"MPF\0II*\0rubbish")),
    "JPEG Photoshop of rubbish": with_segments(PLAIN_JPEG, (0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff\xff\xff\xff")),
    "JPEG JFIF cut short": with_segments(PLAIN_JPEG, (0xE0, b"JFIF\0\1")),
    "JPEG comment": with_segments(PLAIN_JPEG, (0xFE, b"\xff\xd8\xff\xff")),
    "TIFF profile beyond the end": ifd(STRIP, bytes(range(8)), raw={34675: struct.pack("<HII", 7, 99, 2**31)}),
    "TIFF XMP of numbers": ifd({**STRIP, 700: (1, 2, 3)}, bytes(range(8))),
    "TIFF tag of no type": ifd(STRIP, bytes(range(8)), raw={305: struct.pack("<HII", 99, 2**31, 2**31)}),
    "TIFF resolution of rubbish": ifd(STRIP, bytes(range(8)), raw={282: struct.pack("<HII", 5, 1, 2**31)}),
    "TIFF Exif beyond the end": ifd(STRIP, bytes(range(8)), raw={34665: struct.pack("<HII", 4, 1, 2**31)}),
}


@pytest.mark.parametrize("name", BROKEN_METADATA)
def test_broken_metadata_costs_no_pixels(name: str) -> None:
    content = BROKEN_METADATA[name]
    clean = {"PNG": png(BYTES[..., :3], image_files.RGB), "JPEG": PLAIN_JPEG, "TIFF": ifd(STRIP, bytes(range(8)))}
    expected = decode_picture(clean[name.split(maxsplit=1)[0]], Pixels())
    found = decode_picture(content, Pixels())
    np.testing.assert_array_equal(found.pixels, expected.pixels)


def test_every_changed_byte_of_a_png_is_noticed() -> None:
    """By its checksums, of which Pillow compares those that matter."""
    content = png(BYTES[:5, :5, :3], image_files.RGB)
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        try:
            found = decode_picture(bytes(changed), Pixels()).pixels
        except PictureError:
            continue
        np.testing.assert_array_equal(found, BYTES[:5, :5, :3])


FILES = {
    **{f"{kind} {modes[-1]}": saved(image_of(modes[-1]), kind, **OPTIONS.get(kind, {})) for kind, modes in STORED.items()},
    **{name: content for name, (content, *_) in SIXTEEN.items()},
    "SUN": image_files.sun(BYTES[..., :3]),
    "PSD": image_files.psd(BYTES[..., :3]),
    "GIF of frames": saved(image_of("L"), "GIF", save_all=True, append_images=[image_of("L", 255 - BYTES), image_of("L")]),
    "Exif": HOLDERS["JPEG"](image_of("RGB"), exif(6)),
    "XPM": image_files.xpm()[0],
}


@given(st.sampled_from(sorted(FILES)), st.data())
@draws()
def test_damaged_files_become_pixels_or_are_refused(name: str, data: st.DataObject) -> None:
    """Bytes changed, left out or put in anywhere: never anything but a `PictureError`, and no large allocation."""
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content)))
        width = data.draw(st.sampled_from((0, 1, 1, 2, 4, 16, len(content))))
        content[place : place + width] = data.draw(st.binary(max_size=8))
    try:
        picture = decode_picture(bytes(content), Pixels(), (8, 8))
    except PictureError:
        return
    assert picture.pixels.shape[:2] == (8, 8)
    assert picture.pixels.dtype == np.uint8


HUGE = 60_000
ZEROS = zlib.compress(bytes(4_000_000), 9)
BOMBS = {
    "PNG that says so": png(BYTES[..., :3], image_files.RGB, size=(HUGE, HUGE)),
    "PNG of zeros": image_files.PNG
    + chunk(b"IHDR", struct.pack(">IIBBBBB", HUGE, HUGE, 1, 0, 0, 0, 0))
    + chunk(b"IDAT", ZEROS)
    + chunk(b"IEND", b""),
    "PNG of moderate size": png(BYTES[..., :3], image_files.RGB, size=(5500, 5500)),
    "GIF": saved(image_of("L"), "GIF")[:6] + struct.pack("<HH", 65535, 65535) + saved(image_of("L"), "GIF")[10:],
    "BMP": saved(image_of("RGB"), "BMP")[:18] + struct.pack("<ii", HUGE, HUGE) + saved(image_of("RGB"), "BMP")[26:],
    "PPM": b"P6 %d %d 255\n" % (HUGE, HUGE),
    "PPM of moderate size": b"P6 9000 9000 255\n",
    "TIFF": ifd({**STRIP, 256: (HUGE,), 257: (HUGE,)}, bytes(8)),
    "TIFF of moderate size": ifd({**STRIP, 256: (9000,), 257: (9000,), 278: (9000,)}, bytes(8)),
    "WEBP": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0" + bytes(10),
    "PSD": b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 30000, 30000, 8, 3) + bytes(14),
    "SUN": struct.pack(">8I", 0x59A66A95, HUGE, HUGE, 24, 0, 1, 0, 0),
    "QOI": b"qoif" + struct.pack(">IIBB", HUGE, HUGE, 3, 0),
    "JPEG": PLAIN_JPEG.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", HUGE, HUGE)),
    "TGA": bytes([0, 0, 2]) + bytes(9) + struct.pack("<HHBB", HUGE, HUGE, 24, 0),
    "PCX": saved(image_of("L"), "PCX")[:8] + struct.pack("<HH", HUGE, HUGE) + saved(image_of("L"), "PCX")[12:],
    "SGI": saved(image_of("L"), "SGI")[:6] + struct.pack(">HH", HUGE, HUGE) + saved(image_of("L"), "SGI")[10:],
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_allocation_out_of_proportion_to_the_file(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PictureError, match=r"is refused|cannot be read|is no image"):
        decode_picture(BOMBS[name], Pixels())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


@pytest.mark.parametrize("size", [(65535, 2), (2, 65535)])
def test_a_narrow_picture_is_framed_without_the_frame(size: tuple[int, int]) -> None:
    """A frame of 65535×65535 would be 13 GB, and take half a minute a piece at a time."""
    content = saved(Image.new("RGB", size, (9, 9, 9)), "PNG")
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert (decode_picture(content, Pixels(), (8, 8)).pixels == 9).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    assert time.process_time() - began < 2


def test_a_digit_comes_back_from_any_size() -> None:
    for scale in (1, 3, 20):
        large = np.kron(DIGIT[..., 0], np.ones((scale, scale), np.uint8))
        picture = decode_picture(saved(Image.fromarray(large), "PNG"), Pixels(channels=1), (8, 8))
        np.testing.assert_array_equal(picture.pixels, DIGIT)
        assert picture.notes == ()
        assert picture.size == large.shape


def test_bright_grounds_are_left_as_they_are_unless_asked() -> None:
    content = saved(Image.fromarray(255 - DIGIT[..., 0]), "PNG")
    np.testing.assert_array_equal(decode_picture(content, Pixels()).pixels, 255 - DIGIT)
    np.testing.assert_array_equal(decode_picture(content, Pixels(polarity="inverted")).pixels, DIGIT)


@pytest.mark.parametrize("polarity", ["as-stored", "inverted"])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_file_is_its_array(mode: str, channels: int | None, polarity: Any) -> None:
    pixels = Pixels(channels=channels, polarity=polarity)
    image = image_of(mode)
    array = np.asarray(image).reshape(HEIGHT, WIDTH, -1)
    found, expected = decode_picture(saved(image, "PNG"), pixels, (8, 8)), picture_of(array, pixels, (8, 8))
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.notes == expected.notes


@pytest.mark.parametrize(
    ("content", "pixels", "note"),
    [
        pytest.param(FILES["GIF of frames"], Pixels(), "the first of 3 frames", id="frames"),
        pytest.param(saved(image_of("RGB"), "PNG"), Pixels(channels=1), "colours, made grey", id="grey"),
        pytest.param(saved(image_of("RGBA"), "PNG"), Pixels(), "transparent, laid on white", id="transparent"),
        pytest.param(saved(image_of("CMYK"), "TIFF"), Pixels(), "CMYK, made RGB without its colour profile", id="CMYK"),
        pytest.param(saved(image_of("LAB"), "TIFF"), Pixels(), "CIELAB, made sRGB", id="CIELAB"),
        pytest.param(saved(image_of("F"), "TIFF"), Pixels(), "floating values, taken as 0 black to 1 white", id="floats"),
        pytest.param(saved(image_of("RGB"), "PNG", icc_profile=b"a wide gamut"), Pixels(), "a colour profile", id="profile"),
        pytest.param(saved(Image.new("L", (9, 9), 7), "PNG"), Pixels(), "blank: one colour everywhere", id="blank"),
        pytest.param(saved(image_of("RGBA"), "ICO", sizes=[(8, 6), (16, 12)]), Pixels(), "the largest of 2 sizes", id="icon"),
        pytest.param(saved(image_of("L"), "SGI", bpc=2), Pixels(), "more than 8 bits a value, rounded to 8", id="SGI"),
    ],
)
def test_what_is_lost_or_guessed_is_said(content: bytes, pixels: Pixels, note: str) -> None:
    assert [said for said in decode_picture(content, pixels).notes if said.startswith(note)]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_what_costs_nothing_is_not_said(mode: str) -> None:
    assert decode_picture(saved(image_of(mode), "PNG"), Pixels()).notes == ()


def test_lab_greys_are_greys() -> None:
    """L* = 100 (Y/Yn)^⅓ − 16 for CIELAB without colour; sRGB's curve of Y."""
    lightness = np.arange(20, 256, dtype=np.uint8)
    values = np.stack([lightness, np.full_like(lightness, 0), np.full_like(lightness, 0)], -1)[None]
    image = Image.frombytes("LAB", (len(lightness), 1), values.tobytes())
    found = decode_picture(saved(image, "TIFF"), Pixels()).pixels[0]
    luminance = ((lightness / 2.55 + 16) / 116) ** 3
    expected = 255 * np.where(luminance > 0.0031308, 1.055 * luminance ** (1 / 2.4) - 0.055, 12.92 * luminance)
    np.testing.assert_allclose(found, np.repeat(expected[:, None], 3, 1), atol=3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"", "is no image", id="empty"),
        pytest.param(b"not an image", "is no image", id="text"),
        pytest.param(png(BYTES, image_files.RGB_ALPHA)[:-60], "[Tt]runcated", id="truncated"),
        pytest.param(PLAIN_JPEG[:-200], "[Tt]runcated", id="truncated JPEG"),
        pytest.param("folder", "Is a directory", id="folder"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | str | None, message: str) -> None:
    path = tmp_path / "image.png"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(PictureError, match=rf"{path.name}.*{message}"):
        read_picture(path, Pixels())
    if message != "[Tt]runcated":
        with pytest.raises(PictureError, match=rf"{path.name}.*{message}"):
            read_header(path)


def test_what_would_unpack_to_much_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(PictureError, match=r"is refused: it has 5500×5500 pixels: expected at most .* than its bytes can hold"):
        decode_picture(BOMBS["PNG of moderate size"], Pixels())


def test_pillow_s_own_limit_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before = 123_456_789
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", before)
    decode_picture(FILES["SUN"], Pixels())
    with pytest.raises(PictureError):
        decode_picture(BOMBS["GIF"], Pixels())
    assert before == Image.MAX_IMAGE_PIXELS
