"""Files that appear whole or not at all, and errors of the disk that name the file."""

import errno
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}
"""What file systems answer that cannot flush a folder."""

NO_FILES = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What may stand where a file belongs, directories aside, by its mode."""


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


def file_to_write(path: Path) -> Path:
    """The file that is written under this name: itself, or what it links to.

    Raises:
        OSError: there is no such folder, or what is there is no file and must not be replaced by one: a directory, a pipe, a
            socket, a device. It names the path.
    """
    with naming(path):
        target = Path(os.path.realpath(path))
        target.parent.stat()
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        kind = NO_FILES.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"{kind} is there: expected a file, or nothing yet", str(path))
    return target


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that it appears whole or not at all, and is on the disk when this returns.

    Of a link the file that it links to is written. What processes that were killed have left half-written beside the file, and
    under its name, is removed.

    Raises:
        OSError: it cannot be written; names it, and nothing of it is left behind.
    """
    target = file_to_write(path)
    with naming(path):
        _remove_abandoned(target)
        with _temporary(target) as (temporary, file):
            file.write(content)
            file.flush()
            flush(file.fileno())
            temporary.replace(target)
        flush_folder(target.parent)


# A file is written under another name first, and locked meanwhile. The system lets go of the lock when the process ends, in
# whatever way: what is there and not locked is abandoned, whichever process, container or machine began it.


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file beside the target, locked, to be given its name; removed if it was not."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    while True:
        with temporary.open("ab") as file:
            _lock(file.fileno(), wait=True)
            if not _is_at(file.fileno(), temporary):
                continue  # it was taken for abandoned, and removed before it was locked
            try:
                file.truncate(0)
                yield temporary, file
            except BaseException:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise
            return


def _remove_abandoned(target: Path) -> None:
    """Removes what was begun for this target and is not being written any more."""
    name = re.compile(rf"\.{re.escape(target.name)}\.\d+-\d+\.tmp")
    for temporary in target.parent.iterdir():
        if not name.fullmatch(temporary.name):
            continue
        with suppress(OSError), temporary.open("r+b") as file:  # what cannot be removed is only in the way
            if _lock(file.fileno(), wait=False) and _is_at(file.fileno(), temporary):
                temporary.unlink()


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Locks an open file; False where another holds it, or the system or the file system knows no locks."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is what is found under this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


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
