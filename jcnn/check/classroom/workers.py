"""Submissions graded side by side, each with a time limit; whatever one does, the others are graded."""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from jcnn.check.classroom.submission import Graded, Result, Submission
from jcnn.check.operations import kind_of

_PROGRAM = "import sys; sys.path.append({!r}); from jcnn.check.classroom.worker import main; main()"
_STARTING = 120.0  # seconds for imports and right answers, on a machine with much else to do
_GRACE = 5.0
_CHUNK = 2**16


class Task(NamedTuple):
    """What is asked of every submission.

    Attributes:
        kinds: what its functions are graded as.
        functions: their names, one for every kind.
        options: further arguments of `grade_file`: timeout, memory, and what else it takes.
        limit: seconds for a whole submission.
    """

    kinds: tuple[str, ...]
    functions: tuple[str, ...]
    options: dict[str, Any]
    limit: float


def grade_submissions(
    submissions: Sequence[Submission], task: Task, jobs: int, done: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Grades all of them in `jobs` processes, and gives the results in the order of the submissions.

    Args:
        submissions: what was found.
        task: what is asked of each.
        jobs: how many at once.
        done: called with every result as it comes.
    """
    results: dict[int, Result] = {}
    waiting = []
    for number, submission in enumerate(submissions):
        if submission.problem:
            results[number] = failed(submission, task, submission.problem, "cannot be read")
            done(results[number])
        else:
            waiting.append(number)
    # Here, and not in the workers, which may be killed: nothing is left behind.
    room = tempfile.TemporaryDirectory(prefix="jcnn-class-", ignore_cleanup_errors=True)
    workers = [_Worker(task, room.name) for _ in range(min(jobs, len(waiting)))]
    try:
        while waiting or any(worker.number is not None for worker in workers):
            for worker in workers:
                if worker.number is None and waiting:
                    number = waiting.pop(0)
                    worker.give(number, submissions[number])
            for worker in workers:
                result = worker.look(0.2 / len(workers), submissions)
                if result is not None:
                    number, graded = result
                    results[number] = graded
                    done(graded)
    finally:
        for worker in workers:
            worker.stop()
        room.cleanup()
    return [results[number] for number in range(len(submissions))]


def failed(submission: Submission, task: Task, why: str, mistake: str) -> Result:
    """The result of a submission that cannot be graded, or was not to the end."""
    graded = [
        Graded(kind, "bug", 0.0, {**dict.fromkeys(kind_of(kind).leaves, 0.0), "options": None}, why, (mistake,))
        for kind in task.kinds
    ]
    return Result(submission.name, submission.file, tuple(graded))


class _Worker:
    """A process of `worker.py` and the pipe to it; started anew when it ends."""

    def __init__(self, task: Task, room: str) -> None:
        self.task, self.room = task, room
        self.number: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-P", "-c", _PROGRAM.format(str(Path(__file__).parents[3]))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 (for the type checker)
        os.set_blocking(self._process.stdout.fileno(), False)
        self._inbox = b""
        self._ready = False
        self._send({"warm": self.task.kinds})
        self._began = time.monotonic()
        return self._process

    def give(self, number: int, submission: Submission) -> None:
        """Lets it grade a submission."""
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._start()
        self.number = number
        self._began = time.monotonic()
        self._send(
            {
                **submission._asdict(),
                "path": str(Path(submission.path).resolve()),
                "room": self.room,
                "kinds": self.task.kinds,
                "functions": self.task.functions,
                "options": self.task.options,
            }
        )

    def look(self, seconds: float, submissions: Sequence[Submission]) -> tuple[int, Result] | None:
        """The result, if it is there."""
        if self.number is None or self._process is None:
            return None
        submission, number = submissions[self.number], self.number
        line = self._read(seconds)
        took = time.monotonic() - self._began
        if line is not None and not self._ready:
            self._ready, self._began = True, time.monotonic()
            return None
        if line:
            self.number = None
            graded = tuple(map(Graded.of, json.loads(line)))
            return number, Result(submission.name, submission.file, graded, took)
        if line == b"":
            if not self._ready:
                raise RuntimeError("the process that grades does not start; its own words are above")
            why = f"The process that graded it was ended (exit code {self._process.wait()}), most likely by it."
            mistake = "ends the grader"
        elif took > (self.task.limit if self._ready else _STARTING):
            why, mistake = f"It takes longer than the {self.task.limit:g} s it has altogether.", "takes too long"
        else:
            return None
        self.stop()
        return number, failed(submission, self.task, why, mistake)._replace(seconds=took)

    def stop(self) -> None:
        """Ends the process, and with it the submission it grades."""
        self.number = None
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process = None

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process is not None  # noqa: S101 (for the type checker)
        assert self._process.stdin is not None  # noqa: S101 (for the type checker)
        with suppress(BrokenPipeError):  # that it has ended is seen when its answer is read
            self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def _read(self, seconds: float) -> bytes | None:
        """A line; None while there is none; empty where the process has ended."""
        assert self._process is not None  # noqa: S101 (for the type checker)
        assert self._process.stdout is not None  # noqa: S101 (for the type checker)
        if b"\n" not in self._inbox:
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                if not selector.select(seconds):
                    return None
            part = os.read(self._process.stdout.fileno(), _CHUNK)
            if not part:
                return b""
            self._inbox += part
        line, newline, rest = self._inbox.partition(b"\n")
        if not newline:
            return None
        self._inbox = rest
        return line
