"""What only one process at a time may do, by a lock file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def exclusive(lock: Path, what: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Holds a lock file; without it where the folder cannot be written, and so nothing can be made twice.

    Args:
        lock: the file, made if missing; the system lets go of it when its process ends, however it ends.
        what: what is done meanwhile, for the one who waits.
        tell: told if there is something to wait for.
    """
    held = FileLock(lock)
    with suppress(OSError):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(timeout=0)
        except Timeout:
            tell(f"waiting for another process that {what}")
            held.acquire()
    try:
        yield
    finally:
        held.release()
