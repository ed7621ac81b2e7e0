"""A candidate's process and the channel to it: asked, waited for no longer than agreed, and ended with all it started."""

import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from jcnn.check.grading.messages import Answer, EndError, parse
from jcnn.check.outcome import cleaned

_GRACE = 1.0  # seconds in which what still comes after the end is waited for
_CHUNK = 2**16
_OUTPUT_KEPT = 2**12
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Output:
    """What a candidate printed: counted, and the beginning of it kept."""

    def __init__(self) -> None:
        self._lines = 0
        self._start = b""
        self._last = b"\n"

    def add(self, part: bytes) -> None:
        self._lines += part.count(b"\n")
        self._start += part[: _OUTPUT_KEPT - len(self._start)]
        self._last = part[-1:]

    def __str__(self) -> str:
        if not self._start:
            return ""
        lines = self._lines + (self._last != b"\n")
        first = cleaned(next(filter(None, self._start.decode(errors="replace").splitlines()), "").strip())
        return f"{lines:,} lines, first: {first}" if lines > 1 else f"1 line: {first}"


class Process:
    """The process of `candidate_process.py` and the channel to it."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._process = subprocess.Popen(  # noqa: S603 (our own program)
            # Neither the folder of our program nor the current one: the program puts there what belongs there.
            [sys.executable, "-P", str(Path(__file__).with_name("candidate_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env=_environment(),
        )
        streams = self._process.stdin, self._process.stdout, self._process.stderr
        self._requests, self._answers, self._printed = (stream.fileno() for stream in streams if stream is not None)
        for descriptor in (self._requests, self._answers, self._printed):
            os.set_blocking(descriptor, False)
        self._inbox = bytearray()
        self.forked = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)
        self._selector.register(self._printed, selectors.EVENT_READ)

    def exchange(self, request: bytes, seconds: float, most: int) -> Answer:
        """Sends a request and waits for the one answer to it.

        Args:
            request: the message.
            seconds: how long it may take.
            most: the most arrays that the answer may have.

        Raises:
            EndError: there is none, or something else; the process is of no use any more.
        """
        self._expect_nothing()
        deadline = time.monotonic() + seconds
        left = memoryview(request)
        self._selector.register(self._requests, selectors.EVENT_WRITE)
        try:
            while True:
                if (found := self._next(most)) is not None:
                    if left:
                        raise EndError("sends more than it was asked for")
                    self._expect_nothing()
                    return found
                wait = deadline - time.monotonic()
                if wait <= 0:
                    raise EndError(f"takes longer than the {seconds:g} s it has")
                ready = self._ready(min(wait, 0.1))
                if self._requests in ready:
                    left = self._write(left)
                if self._answers in ready:
                    if not self._read_answers():
                        raise EndError(self._how_it_ended())
                elif self._process.poll() is not None and self._answers not in self._ready(0):
                    raise EndError(self._how_it_ended())
        finally:
            with suppress(KeyError):
                self._selector.unregister(self._requests)

    def finish(self) -> None:
        """Lets the process end, and waits until nobody holds the channel, but not for ever.

        Raises:
            EndError: something came that nobody had asked for.
        """
        assert self._process.stdin is not None  # noqa: S101 (for the type checker)
        self._process.stdin.close()
        deadline = time.monotonic() + _GRACE
        while (wait := deadline - time.monotonic()) > 0:
            if self._answers in self._ready(wait) and not self._read_answers():
                break
            self._expect_nothing()

    def stop(self) -> None:
        """Ends the process and all it started."""
        self._drain()
        for child in _descendants(self._process.pid):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._drain()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _next(self, most: int) -> Answer | None:
        """The next answer, if it is there; what copies of the process say is noted on the way."""
        while (found := parse(self._inbox, most)) is not None:
            if "forked" not in found[0]:
                return found
            self.forked = True
        return None

    def _expect_nothing(self) -> None:
        if self._next(0) is not None or self._inbox:
            raise EndError("sends more than it was asked for")

    def _ready(self, seconds: float) -> set[int]:
        """The descriptors of the channel that can be used now; what is printed is taken in on the way."""
        ready = {key.fd for key, _ in self._selector.select(seconds)}
        if self._printed in ready and not self._read_output():
            self._selector.unregister(self._printed)
        return ready

    def _write(self, left: memoryview) -> memoryview:
        try:
            left = left[os.write(self._requests, left[:_CHUNK]) :]
        except BrokenPipeError:
            raise EndError(self._how_it_ended()) from None
        if not left:
            self._selector.unregister(self._requests)
        return left

    def _read_answers(self) -> bool:
        """Whether there is still somebody at the other end."""
        part = os.read(self._answers, _CHUNK)
        self._inbox += part
        return bool(part)

    def _read_output(self) -> bool:
        part = os.read(self._printed, _CHUNK)
        self._output.add(part) if part else None
        return bool(part)

    def _drain(self) -> None:
        """What is printed and was not read yet, however much more is still being printed."""
        with suppress(BlockingIOError):
            for _ in range(16):
                if not self._read_output():
                    break

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return "closes the channel to the grader"
        if code >= 0:
            return f"ends its process (exit code {code})"
        hint = {
            signal.SIGSEGV: " (it touched memory that is not its own)",
            signal.SIGKILL: " (by itself, or by the system for want of memory)",
        }
        try:
            number = signal.Signals(-code)
        except ValueError:
            return f"is ended by signal {-code}"
        return f"is ended by {number.name}{hint.get(number, '')}"


def _environment() -> dict[str, str]:
    """Double precision and exact products in JAX; one thread for products, as on many cores their buffers take much memory."""
    return {
        **dict.fromkeys(_THREADS, "1"),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **os.environ,
        "JAX_ENABLE_X64": "1",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    }


def _descendants(process: int) -> list[int]:
    """In Linux: all processes that a process started, those too that left its session."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            # The name, in brackets, may hold anything, brackets too.
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry.parent.name)] = int(parent)
    found, front = [], [process]
    while front:
        front = [child for child, parent in parents.items() if parent in front]
        found += front
    return found
