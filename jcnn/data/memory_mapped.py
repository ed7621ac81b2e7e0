"""Arrays in files, mapped into memory: what was read of one is let go of again, so that a process stays small."""

import errno
import mmap
import os
from collections.abc import Iterator

import numpy as np

ROWS = 64
"""Rows that are gathered at once from an array that lies in pieces."""

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


def take_rows(array: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """out = array[rows], of a mapped file by reading the rows from it: to touch them would map what lies around each, too.

    Args:
        array: any array, in memory or mapped.
        rows: which of its rows; all exist.
        out: a contiguous array for them, of the array's dtype.

    Raises:
        OSError: the file cannot be read, or is not the one any more that was mapped.
    """
    place = _place_in_file(array)
    if place is None and array.flags.c_contiguous:
        # A mode other than "raise" writes straight into `out`.
        np.take(array, rows, axis=0, out=out, mode="clip")
        return
    if place is None:
        # `np.take` would copy the whole of another array first.
        for begin in range(0, len(rows), ROWS):
            out[begin : begin + ROWS] = array[rows[begin : begin + ROWS]]
            release(array)
        return
    path, start = place
    each = array[0].nbytes
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for row, target in zip(rows.tolist(), out.view(np.uint8).reshape(len(rows), each), strict=True):
            if os.preadv(descriptor, [target.data], start + row * each) != each:
                raise OSError(errno.EIO, "cut short since it was mapped", path)
    finally:
        os.close(descriptor)


def _place_in_file(array: np.ndarray) -> tuple[str, int] | None:
    """The file that a contiguous array is mapped from, and the byte at which it begins there; None where it is not."""
    if not array.size or not array.flags.c_contiguous or not is_mapped(array) or not hasattr(os, "preadv"):
        return None
    whole = array
    while not isinstance(whole.base, mmap.mmap):
        if not isinstance(whole.base, np.ndarray):
            return None
        whole = whole.base
    if not isinstance(whole, np.memmap) or whole.filename is None:
        return None
    addresses = [part.__array_interface__["data"][0] for part in (array, whole)]
    return str(whole.filename), whole.offset + addresses[0] - addresses[1]


def _read_only_mapping(array: np.ndarray) -> mmap.mmap | None:
    """The mapping below an array and its views; None where there is none, or where it can be written to."""
    below = array
    while isinstance(below.base, np.ndarray):
        below = below.base
    # Of a mapping that is no `np.memmap` nobody knows whether it is private, and its changes lost with its pages.
    read_only = isinstance(below, np.memmap) and below.mode == "r"
    return below.base if read_only and isinstance(below.base, mmap.mmap) else None
