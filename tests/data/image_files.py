"""Image files made byte by byte, of kinds that Pillow reads and does not write, and broken ones."""

import io
import struct
import warnings
import zlib
from typing import Any, Literal

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
"""Colour types of PNG."""

SHORT, LONG, UNDEFINED = 3, 4, 7
"""Types of TIFF's tags."""


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file that Pillow writes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of formats that Pillow will give up
        image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(array: np.ndarray, colour: int, *more: bytes, size: tuple[int, int] | None = None) -> bytes:
    """A PNG file of (H, W, C) uint8 or uint16; more chunks come before the pixels; the size may be a lie."""
    height, width = size or array.shape[:2]
    bits = 8 * array.itemsize
    rows = array.astype(array.dtype.newbyteorder(">")).reshape(len(array), -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return PNG + head + b"".join(more) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


Order = Literal["<", ">"]


def tiff(array: np.ndarray, photometric: int, *, order: Order = "<", packed: bool = False, **tags: tuple[int, ...]) -> bytes:
    """A TIFF file of one strip, (H, W, C) of any NumPy type; more tags by number, such as t338=(2,)."""
    height, width, channels = array.shape
    pixels = array.astype(array.dtype.newbyteorder(order)).tobytes()
    pixels = zlib.compress(pixels) if packed else pixels
    kind = {"u": 1, "i": 2, "f": 3}[array.dtype.kind]
    entries: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (8 * array.itemsize,) * channels,
        259: (8 if packed else 1,),
        262: (photometric,),
        273: (0,),
        277: (channels,),
        278: (height,),
        279: (len(pixels),),
        339: (kind,) * channels,
        **{int(name[1:]): values for name, values in tags.items()},
    }
    return ifd(entries, pixels, order)


def ifd(entries: dict[int, tuple[int, ...]], pixels: bytes, order: str = "<", raw: dict[int, bytes] | None = None) -> bytes:
    """A TIFF file of these tags, all of 32 bits; 273 is filled in; raw ones are 10 bytes as they are, type, count and value."""
    raw = raw or {}
    count = len(entries) + len(raw)
    start = 8 + 2 + 12 * count + 4
    beyond = b""
    written = b""
    extra = start + len(pixels)
    for tag in sorted({*entries, *raw}):
        if tag in raw:
            written += struct.pack(f"{order}H", tag) + raw[tag]
            continue
        values = (start,) if tag == 273 else entries[tag]
        if len(values) == 1:
            written += struct.pack(f"{order}HHII", tag, LONG, 1, values[0])
        else:
            written += struct.pack(f"{order}HHII", tag, LONG, len(values), extra + len(beyond))
            beyond += struct.pack(f"{order}{len(values)}I", *values)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", count) + written + bytes(4) + pixels + beyond


def exif(orientation: int, *, order: str = "<", broken: bool = False) -> bytes:
    """A block of Exif that says how the camera was turned; and beside that, if so asked, what no reader can make sense of."""
    entry = struct.pack(f"{order}HHIHH", 274, SHORT, 1, orientation, 0)
    others = [
        struct.pack(f"{order}HHII", 271, 2, 2**31, 2**31),
        entry,
        struct.pack(f"{order}HHII", 282, 5, 1, 0xFFFFFFF0),
        struct.pack(f"{order}HHII", 34665, LONG, 1, 0xFFFFFF),
        struct.pack(f"{order}HHII", 37500, 99, 7, 3),
    ]
    entries = others if broken else [entry]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + (b"" if broken else bytes(4))


def with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG file with more segments, (marker, content), at its beginning."""
    return (
        jpeg[:2]
        + b"".join(struct.pack(">BBH", 0xFF, kind, len(content) + 2) + content for kind, content in segments)
        + jpeg[2:]
    )


def webp_with_exif(image: Image.Image, block: bytes) -> bytes:
    """A WebP file that holds this block of Exif, which Pillow does not look into."""
    return saved(image, "WEBP", lossless=True, exif=block)


def sun(rgb: np.ndarray) -> bytes:
    """A Sun raster file of (H, W, 3), blue first, rows of even length."""
    height, width, _ = rgb.shape
    rows = b"".join(row[:, ::-1].tobytes() + bytes(row.nbytes % 2) for row in rgb)
    return struct.pack(">8I", 0x59A66A95, width, height, 24, len(rows), 1, 0, 0) + rows


def psd(rgb: np.ndarray) -> bytes:
    """A Photoshop file of (H, W, 3) without layers."""
    height, width, _ = rgb.shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, height, width, 8, 3)
    return head + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 0) + rgb.transpose(2, 0, 1).tobytes()


def fits(grey: np.ndarray) -> bytes:
    """A FITS file of (H, W): 8-bit, or signed 16-bit; its rows from below."""
    height, width = grey.shape
    bits = 8 * grey.itemsize
    cards = [("SIMPLE", "T"), ("BITPIX", bits), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", height)]
    head = b"".join(f"{name:8}= {value:>20}".ljust(80).encode() for name, value in cards) + b"END".ljust(80)
    return head.ljust(2880) + grey[::-1].astype(grey.dtype.newbyteorder(">")).tobytes()


def dcx(pcx: bytes) -> bytes:
    """A DCX file, of one PCX page."""
    return struct.pack("<III", 0x3ADE68B1, 12, 0) + pcx


def xpm() -> tuple[bytes, np.ndarray]:
    """An XPM file, and its pixels (2, 3, 3)."""
    text = '/* XPM */\nstatic char *a[] = {\n"3 2 2 1",\n"a c #ff0000",\n"b c #0000ff",\n"aba",\n"bbb"\n};\n'
    red, blue = (255, 0, 0), (0, 0, 255)
    return text.encode(), np.array([[red, blue, red], [blue, blue, blue]], np.uint8)
