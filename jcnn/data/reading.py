"""Many image files read one after the other, or by processes beside this one where they are many; the results come in order.

A process that a file brings down, as a fault in a decoder may, is started anew: the file is named, and the others are read.
"""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from jcnn.data.pictures import Header, Picture, PictureError, read_header, read_picture
from jcnn.data.pixels import Pixels

PARALLEL = 1000
"""Files from which on processes of their own are worth their start."""

CHUNK = 32
"""Files that a process is given at once."""

_PROGRAM = """
import sys, types
for name, place in {places!r}.items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [place]
from jcnn.data.reading_worker import main
main()
"""
"""The packages are put there empty: as they are they bring JAX, which takes longer to start than many files to read."""

PLACES = {"jcnn": str(Path(__file__).parents[1]), "jcnn.data": str(Path(__file__).parent)}
"""Where the packages lie."""

Read = Picture | Header | PictureError


class Task(NamedTuple):
    """What is asked of every file.

    Attributes:
        pixels: how it becomes an image; None: only its header is read.
        size: height and width to bring it to; None: its own.
    """

    pixels: Pixels | None = None
    size: tuple[int, int] | None = None

    def read(self, path: Path) -> Read:
        """Does it for one file, in this process."""
        try:
            return read_header(path) if self.pixels is None else read_picture(path, self.pixels, self.size)
        except PictureError as error:
            return error


def read_all(paths: Sequence[Path], task: Task, processes: int | None = None) -> Iterator[Read]:
    """What every file is, in the order of the paths; a `PictureError` in the place of one that cannot be read.

    Args:
        paths: the files.
        task: what is asked of each.
        processes: how many read beside this one; None: none for few files, else as many as there are cores.
    """
    if processes is None:
        processes = _cores() if len(paths) >= PARALLEL else 0
    if processes < 1:
        return map(task.read, paths)
    return _read_beside(paths, task, processes)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_beside(paths: Sequence[Path], task: Task, processes: int) -> Iterator[Read]:
    free: SimpleQueue[_Worker] = SimpleQueue()
    workers = [_Worker(task) for _ in range(processes)]
    for worker in workers:
        free.put(worker)

    def read(some: Sequence[Path]) -> list[Read]:
        worker = free.get()
        try:
            return worker.read(some)
        finally:
            free.put(worker)

    waiting: deque[Future[list[Read]]] = deque()
    try:
        with ThreadPoolExecutor(processes, thread_name_prefix="jcnn-read") as threads:
            for first in range(0, len(paths), CHUNK):
                waiting.append(threads.submit(read, paths[first : first + CHUNK]))
                # Two chunks for each process: what is done before its turn has to be kept.
                if len(waiting) > 2 * processes:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for worker in workers:
            worker.stop()


class _Worker:
    """A process of `reading_worker.py` and the pipes to it; started when it is needed, and anew when it ended."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, paths: Sequence[Path]) -> list[Read]:
        """What the files are; where they bring the process down, one by one, to find out which."""
        try:
            return self._ask(paths)
        except _EndedError as error:
            if len(paths) == 1:
                return [PictureError(f"{paths[0]} cannot be read: {error}")]
            return [read for path in paths for read in self.read([path])]

    def stop(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                assert pipe is not None  # noqa: S101 (for the type checker)
                pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-P", "-c", _PROGRAM.format(places=PLACES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._process = process
        pixels, size = self._task
        self._send({"pixels": None if pixels is None else pixels.options(), "size": size})
        return process

    def _ask(self, paths: Sequence[Path]) -> list[Read]:
        if self._process is None:
            self._start()
        self._send([str(path) for path in paths])
        return [self._received(path, answer) for path, answer in zip(paths, json.loads(self._line()), strict=True)]

    def _received(self, path: Path, answer: dict[str, Any]) -> Read:
        if "error" in answer:
            return PictureError(answer["error"])
        if "channels" in answer:
            return Header(tuple(answer["size"]), answer["channels"])
        shape = answer["shape"]
        pixels = np.frombuffer(self._bytes(int(np.prod(shape))), np.uint8).reshape(shape)
        return Picture(pixels, tuple(answer["size"]), tuple(answer["notes"]))

    def _send(self, said: Any) -> None:
        assert self._process is not None  # noqa: S101 (for the type checker)
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(said).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def _line(self) -> bytes:
        assert self._process is not None  # noqa: S101 (for the type checker)
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._ended()
        return line

    def _bytes(self, count: int) -> bytes:
        assert self._process is not None  # noqa: S101 (for the type checker)
        assert self._process.stdout is not None  # noqa: S101
        content = self._process.stdout.read(count)
        if len(content) != count:
            raise self._ended()
        return content

    def _ended(self) -> "_EndedError":
        process = self._process
        code = process.wait() if process is not None else None
        self.stop()
        how = f"by signal {-code}" if code is not None and code < 0 else f"with {code}"
        return _EndedError(f"the process that read it ended {how}")


class _EndedError(Exception):
    """A process that ended before its answer."""
