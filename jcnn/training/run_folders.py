"""Which folder a run has, and that it has it alone.

A run is given a folder, or takes the next free one in `runs/`. Its owner is who holds its lock, which the system lets go
of when that process ends.
"""

import errno
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from jcnn.disk import naming
from jcnn.training.errors import CheckpointError, RunInUseError, Spelling, as_argument

RUNS = Path("runs")
"""Where runs lie that are given no folder of their own, in the current folder."""

NAME = ".lock"
ATTEMPTS = 1000
HELD = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}


def newest() -> Path | None:
    """The folder of the run that was started last; None where there is none."""
    started: list[tuple[int, Path]] = []
    for path in RUNS.glob("*/config.json"):
        with suppress(FileNotFoundError):  # removed a moment ago
            started.append((path.stat().st_mtime_ns, path.parent))
    return max(started)[1] if started else None


@contextmanager
def claimed(folder: Path | None, name: str) -> Iterator[Path]:
    """The given folder, or the next free one in runs/: nobody else gets that one from now on.

    Args:
        folder: the folder; None: the next free one, which is removed again if no run begins in it.
        name: what the next free one is called, before its number.
    """
    if folder is not None:
        yield folder
        return
    name = re.sub(r"[^\w.+-]", "-", name)
    number = 1
    while not _make(free := RUNS / f"{name}-{number:03d}"):
        number += 1
    try:
        yield free
    finally:
        with suppress(OSError):  # it is not empty: a run has begun
            free.rmdir()


@contextmanager
def held(folder: Path, tell: Callable[[str], None], spelling: Spelling = as_argument) -> Iterator[None]:
    """Holds a run's folder; whoever tries meanwhile is refused at once, and nobody has to tidy up after a killed process.

    Args:
        folder: made if missing, and removed again if nothing was begun in it.
        tell: told where the file system knows no locks, and so nothing keeps two runs apart.
        spelling: how messages name an option.

    Raises:
        RunInUseError: another training holds it, of this process or another.
        CheckpointError: the folder cannot be made.
        OSError: its lock cannot be made; names it.
    """
    path = folder / NAME
    made = not folder.exists()
    try:
        descriptor = _acquire(path, tell, spelling)
    except OSError as error:
        if error.filename != str(folder):
            raise
        raise CheckpointError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            if all(child == path for child in folder.iterdir()):
                path.unlink()
                if made:
                    folder.rmdir()
        os.close(descriptor)


def _make(folder: Path) -> bool:
    """Makes the folder; False if it is there already."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not os.path.lexists(folder):  # it is runs/ that is there, and no folder
            raise
        return False
    return True


def _acquire(path: Path, tell: Callable[[str], None], spelling: Spelling) -> int:
    for attempt in range(ATTEMPTS):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # Who held it before has removed the folder since: before it was opened, or while `mkdir` looked at what is there.
        except (FileNotFoundError, FileExistsError):
            if attempt < ATTEMPTS - 1:
                continue
            raise
        try:
            _lock(descriptor, path, tell, spelling)
            # Who held it before may have removed the file between the two lines above: then this is the lock of nothing.
            if _still_there(descriptor, path):
                with naming(path):
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, _myself(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(errno.EAGAIN, "somebody removes it again and again", str(path))


def _lock(descriptor: int, path: Path, tell: Callable[[str], None], spelling: Spelling) -> None:
    try:
        import fcntl
    except ImportError:
        tell(f"this system knows no locks: nothing keeps another training from {path.parent}")
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            raise RunInUseError(
                f"{path.parent} is being trained already{_owner(descriptor)}: wait for its end, or give another "
                f"{spelling('out')}"
            ) from None
        tell(f"the file system of {path.parent} knows no locks ({error.strerror}): nothing keeps another training from it")


def _still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _myself() -> bytes:
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode()


def _owner(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        return f", by process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # it was taken a moment ago, and its owner has not yet said who it is
