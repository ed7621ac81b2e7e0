"""Arrays in files, mapped into memory: what was read of one is let go of again, so that a process stays small."""

import mmap
from collections.abc import Iterator

import numpy as np

BLOCK = 1 << 26
"""Bytes that are read at once where a whole array is read."""


def release(array: np.ndarray) -> None:
    """Lets go of the pages of a mapped file that were read; they are read again when they are needed.

    Nothing happens to an array in memory, nor to a mapping that can be written to, whose changes might be lost.
    """
    mapping = _read_only_mapping(array)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array lies in a file that is mapped for reading."""
    return _read_only_mapping(array) is not None


def blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """The array in pieces along its first axis, of about `BLOCK` bytes; each is let go of after its use."""
    rows = max(1, BLOCK * len(array) // max(array.nbytes, 1))
    for first in range(0, len(array), rows):
        yield array[first : first + rows]
        release(array)


def _read_only_mapping(array: np.ndarray) -> mmap.mmap | None:
    """The mapping below an array and its views; None where there is none, or where it can be written to."""
    below = array
    while isinstance(below, np.ndarray):
        if isinstance(below, np.memmap) and below.mode != "r":
            return None
        below = below.base
    return below if isinstance(below, mmap.mmap) else None
