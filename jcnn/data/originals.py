"""The files in which MNIST, Fashion-MNIST and CIFAR were published, as arrays. Nothing in them is trusted."""

import gzip
import hashlib
import lzma
import math
import struct
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from jcnn.data.dataset import DataError
from jcnn.disk import naming

CIFAR10_FILES = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
"""SHA-256 of the unpacked files of CIFAR-10's binary version."""

CIFAR_SHAPE = (32, 32, 3)


def check_sha256(path: Path, expected: str) -> None:
    """Raises DataError if a file's SHA-256 is another than expected."""
    with naming(path), path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise DataError(
            f"{path} has a wrong checksum (SHA-256 {found[:16]}…, expected {expected[:16]}…): "
            "it is damaged, cut short, or the file of another data set with the same name; remove it and get it again"
        )


def read_idx(path: Path) -> UInt8[np.ndarray, "n *s"]:
    """A gzipped IDX file of bytes: two zeros, the type 8, the rank, the sizes as big-endian 32-bit integers, the bytes.

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", "File formats".

    Raises:
        DataError: cut short, damaged, or no IDX file of bytes.
        OSError: it cannot be read; names it.
    """
    with naming(path):
        packed = path.read_bytes()
    try:
        content = gzip.decompress(packed)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, error) from error
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(f"{path} is no IDX file of bytes: it begins with {content[:4].hex(' ') or 'nothing'}")
    rank = content[3]
    start = 4 + 4 * rank
    shape = struct.unpack(f">{rank}I", content[4:start]) if len(content) >= start else ()
    pixels = np.frombuffer(content, np.uint8, offset=min(start, len(content)))
    if not shape or pixels.size != math.prod(shape):
        raise DataError(f"{path} holds {pixels.size:,} bytes after its header, expected those of a shape {shape}")
    return pixels.reshape(shape)


def read_cifar(
    content: bytes, name: str, label_bytes: int = 1
) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int[np.ndarray, "n labels"]]:
    """Images and labels of a file of CIFAR's binary version: per image its labels, then 3 × 32 × 32 bytes, red first.

    Source: Krizhevsky, "The CIFAR-10 dataset", "Binary version".

    Args:
        content: the file.
        name: its name, for errors.
        label_bytes: 1 in CIFAR-10; 2 in CIFAR-100, where the coarse label comes first.

    Raises:
        DataError: not a whole number of images.
    """
    height, width, channels = CIFAR_SHAPE
    record = label_bytes + height * width * channels
    if not content or len(content) % record:
        raise DataError(f"{name} has {len(content):,} bytes: expected a multiple of {record:,}, the bytes of an image")
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    pixels = rows[:, label_bytes:].reshape(-1, channels, height, width)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)), rows[:, :label_bytes].astype(np.int64)


def read_tar(path: Path, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Some files of a tar archive, read in memory: nothing is unpacked, so no name in it can lead anywhere.

    Args:
        path: the archive.
        wanted: for each key the member's full name.

    Raises:
        DataError: damaged, cut short, or without one of them as a plain file.
        OSError: it cannot be read; names it.
    """
    keys = {member: key for key, member in wanted.items()}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name in keys and member.isfile() and (file := archive.extractfile(member)) is not None:
                    found[keys[member.name]] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of what unpacks
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise _damaged(path, error) from error
    if missing := [member for member, key in keys.items() if key not in found]:
        raise DataError(f"{path} lacks {', '.join(missing)}: expected an archive as it was published")
    return found


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be unpacked ({error}): it is damaged or cut short; remove it and get it again")
