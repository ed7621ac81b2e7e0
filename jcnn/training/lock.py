"""One owner of a run's folder at a time: the one who holds its lock, which the system lets go of when its process ends."""

import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from jcnn.disk import naming
from jcnn.training.errors import RunInUseError

NAME = ".lock"
ATTEMPTS = 1000
HELD = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}


@contextmanager
def held(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Holds a run's folder; whoever tries meanwhile is refused at once, and nobody has to tidy up after a killed process.

    Args:
        folder: made if missing, and removed again if nothing was begun in it.
        tell: told where the file system knows no locks, and so nothing keeps two runs apart.

    Raises:
        RunInUseError: another training holds it, of this process or another.
        OSError: the folder or its lock cannot be made.
    """
    path = folder / NAME
    made = not folder.exists()
    descriptor = _acquire(path, tell)
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


def _acquire(path: Path, tell: Callable[[str], None]) -> int:
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
            _lock(descriptor, path, tell)
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


def _lock(descriptor: int, path: Path, tell: Callable[[str], None]) -> None:
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
                f"{path.parent} is being trained already{_owner(descriptor)}: wait for its end, or give another --out"
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
