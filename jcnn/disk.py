"""Files that appear whole or not at all, and errors of the disk that name the file."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}
"""What file systems answer that cannot flush a folder."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Whatever of the disk goes wrong inside is told with this file's name, which the system leaves out of reads and writes.

    Raises:
        OSError: with errno, reason and filename.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that it appears whole or not at all, and is on the disk when this returns.

    Raises:
        OSError: it cannot be written; names it, and nothing of it is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with naming(path):
            with temporary.open("wb") as file:
                file.write(content)
                flush(file.fileno())
            temporary.replace(path)
            flush_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def flush(descriptor: int) -> None:
    """Returns once what was written is on the disk, or at once where the file is no file of a disk, as /dev/stdout is none."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def flush_folder(folder: Path) -> None:
    """Returns once the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)
