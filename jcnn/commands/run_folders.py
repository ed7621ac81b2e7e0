"""The folders of runs in `runs/`: the newest one, and the next free one."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jcnn.training import Config

RUNS = Path("runs")
"""Where runs lie that are given no folder of their own, in the current folder."""


def newest() -> Path | None:
    """The folder of the run that was started last; None where there is none."""
    started: list[tuple[int, Path]] = []
    for path in RUNS.glob("*/config.json"):
        with suppress(FileNotFoundError):  # removed a moment ago
            started.append((path.stat().st_mtime_ns, path.parent))
    return max(started)[1] if started else None


@contextmanager
def claimed(folder: Path | None, config: Config) -> Iterator[Path]:
    """The given folder, or the next free one in runs/.

    Nobody else gets that one from now on; it is removed again if no run begins in it.
    """
    if folder is not None:
        yield folder
        return
    name = re.sub(r"[^\w.+-]", "-", f"{config.data}-{config.network}")
    number = 1
    while not _make(free := RUNS / f"{name}-{number:03d}"):
        number += 1
    try:
        yield free
    finally:
        with suppress(OSError):  # it is not empty: a run has begun
            free.rmdir()


def _make(folder: Path) -> bool:
    """Makes the folder; False if it is there already."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not os.path.lexists(folder):  # it is runs/ that is there, and no folder
            raise
        return False
    return True
