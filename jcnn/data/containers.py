"""What lies around the pixels in a file: the camera's turn, and metadata that may be broken and does not matter."""

import re
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
TIFF = (b"II*\0", b"MM\0*")

PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})
"""Chunks that pixels and the camera's turn are in."""

JPEG_DROPPED = frozenset({0xE0, *range(0xE2, 0xEE), 0xEF, 0xFE})
"""Markers of resolutions, profiles, previews and comments; kept are Exif and Adobe's, which says what the colours mean."""

TIFF_KEPT = frozenset(
    {*range(254, 260), 262, 266, 273, 274, *range(277, 280), 284, 292, 293, 317, *range(320, 326), 332, 338, 339, 347}
    | {*range(512, 522), 529, 530, 531, 532}
)
"""Tags that say where the pixels lie and what they mean. Source: TIFF 6.0, sections 8 to 22."""

ORIENTATION = 274
SHORT, LONG = 3, 4


def without_metadata(content: bytes) -> bytes | None:
    """The file with nothing in it but what its pixels and their turn need; None where this kind of file is not known here."""
    for begins, strip in STRIPPED:
        if content.startswith(begins):
            with suppress(IndexError, struct.error):
                return strip(content)
    return None


def _png_chunks(content: bytes) -> list[tuple[bytes, int, int]]:
    """Every whole chunk up to the end of the image: its kind, where it begins and ends, its length and checksum included."""
    chunks = []
    place = len(PNG)
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        end = place + 12 + length
        if end > len(content):
            break
        chunks.append((kind, place, end))
        if kind == b"IEND":
            break
        place = end
    return chunks


def _stripped_png(content: bytes) -> bytes:
    def whole(start: int, end: int) -> bool:
        return zlib.crc32(content[start + 4 : end - 4]) == int.from_bytes(content[end - 4 : end])

    kept = [content[start:end] for kind, start, end in _png_chunks(content) if kind in PNG_KEPT and whole(start, end)]
    return PNG + b"".join(kept)


def _stripped_jpeg(content: bytes) -> bytes:
    kept = [content[:2]]
    place = 2
    while content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:  # fills up
            place += 1
            continue
        if marker == 0xDA:  # the scan
            break
        end = place + 2 + struct.unpack_from(">H", content, place + 2)[0]
        if marker not in JPEG_DROPPED:
            kept.append(content[place:end])
        place = end
    return b"".join([*kept, content[place:]])


def _stripped_tiff(content: bytes) -> bytes:
    """The first directory without other tags, and without a next one."""
    order = "<" if content[:2] == b"II" else ">"
    (place,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, place)
    entries = [content[place + 2 + 12 * number : place + 14 + 12 * number] for number in range(count)]
    kept = b"".join(entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in TIFF_KEPT)
    directory = struct.pack(f"{order}H", len(kept) // 12) + kept + bytes(4)
    return content[:place] + directory + content[place + len(directory) :]


STRIPPED: tuple[tuple[bytes | tuple[bytes, ...], Callable[[bytes], bytes]], ...] = (
    (PNG, _stripped_png),
    (JPEG, _stripped_jpeg),
    (TIFF, _stripped_tiff),
)


def orientation(info: dict[Any, Any]) -> int:
    """How the camera was turned, 1 to 8, by what Pillow found beside the pixels; 1, not at all, where nothing sensible is said.

    Read here, tag by tag, since other tags of the same directory may be broken.
    """
    found = None
    with suppress(Exception):  # whatever stands there in place of what should
        found = _in_exif(_exif(info))
    with suppress(Exception):
        found = found or _in_xmp(info)
    return found if found is not None and 1 <= found <= 8 else 1


def _exif(info: dict[Any, Any]) -> bytes:
    if "exif" in info:
        return info["exif"]
    # As ImageMagick writes it into PNG: a name, a length, and the bytes in hexadecimal.
    return bytes.fromhex("".join(info["Raw profile type exif"].split("\n")[3:]))


def _in_exif(exif: bytes) -> int | None:
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    (place,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, place)
    for number in range(count):
        tag, kind = struct.unpack_from(f"{order}HH", block, place + 2 + 12 * number)
        if tag == ORIENTATION and kind in (SHORT, LONG):
            return struct.unpack_from(f"{order}{'H' if kind == SHORT else 'I'}", block, place + 10 + 12 * number)[0]
    return None


def _in_xmp(info: dict[Any, Any]) -> int | None:
    said = info.get("XML:com.adobe.xmp") or info.get("xmp") or ""
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    found = re.search(r'tiff:Orientation(?:="|>)([0-9])', text)
    return int(found[1]) if found else None
