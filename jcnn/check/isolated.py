"""Running a candidate in a process of its own, from which nothing but arrays and refusals comes back.

Whatever the candidate does there (end the process, patch NumPy or jcnn, print, hang, fill the memory, write to the channel)
cannot reach the verdict, which is found here, from numbers. What it sends is read as a stranger's: every length, shape and
text is checked before anything is made of it.

It is no sandbox: the candidate runs with the rights of who grades it, and may read, write and import what they may, jcnn's own
functions too; who attacks other processes can stop the grader's.
"""

import inspect
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jcnn import arguments
from jcnn.check.candidate_process import pack
from jcnn.check.cases import Case
from jcnn.check.kinds import Kind
from jcnn.check.outcome import MOST_NUMBERS, Outcome, ask, cleaned
from jcnn.geometry import wrong

TIMEOUT = 10.0
"""Seconds for each case."""
IMPORT_FACTOR = 3
"""Importing may take that many times as long as a case."""
MEMORY = 4.0
"""GiB."""

_STARTS = 3  # a candidate that crashes is started anew, so that other cases count too; but not for ever
_GRACE = 1.0  # seconds in which what still comes after the end is waited for
_LONGEST_HEADER = 2**16
_CHUNK = 2**16
_DEEPEST = 32  # axes of an array
_OUTPUT_KEPT = 2**12
_LONGEST_SENTENCE = 400
_NO_ANSWER = "sends what is no answer"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


_Answer = tuple[dict[str, Any], list[np.ndarray | None]]


class Run(NamedTuple):
    """What came of all cases.

    Attributes:
        outcomes: one for every case.
        fault: what is wrong beside the cases, in a sentence; None where nothing is.
        printed: what the candidate printed, in short.
    """

    outcomes: tuple[Outcome, ...]
    fault: str | None = None
    printed: str = ""


class Limits(NamedTuple):
    """What the candidate may use.

    Attributes:
        timeout: seconds for each case.
        memory: GiB.
    """

    timeout: float = TIMEOUT
    memory: float = MEMORY

    def check(self) -> None:
        """Raises a ValueError where one is no number above 0."""
        for name, value, unit in (("timeout", self.timeout, "seconds"), ("memory", self.memory, "GiB")):
            if arguments.number(name, value) <= 0:
                raise ValueError(f"{name}={value}: expected {unit} above 0")


class Place(NamedTuple):
    """Where a candidate is.

    Attributes:
        module: package.module or path/to/file.py.
        function: the function's name there.
    """

    module: str
    function: str

    @classmethod
    def parse(cls, place: str) -> "Place":
        """From `package.module:function` or `path/to/file.py:function`.

        Raises:
            ValueError: it is neither, or there is no such file.
        """
        if not isinstance(place, str):
            raise TypeError(wrong("place", place, "package.module:function or path/to/file.py:function"))
        module, colon, function = place.rpartition(":")
        if not colon or not module or not function:
            raise ValueError(f"{place!r}: expected package.module:function or path/to/file.py:function")
        if module.endswith(".py") and not Path(module).is_file():
            raise ValueError(f"{module} cannot be imported: no file {module}")
        return cls(module, function)


class _EndError(Exception):
    """The candidate's process has ended or is of no use any more; the message says what the candidate does."""


def run(place: Place, kind: Kind, limits: Limits) -> Run:
    """Gives a candidate all cases, in a process of its own or, where that ends, in a few.

    Two runs at once do not know of each other. What the candidate started is ended with it, except what left its session after
    the process had ended.

    Raises:
        OSError: this is no POSIX system.
    """
    if os.name != "posix":
        raise OSError("grading a file takes the processes of a POSIX system; grade a function by jcnn.check.grade")
    candidate = _Candidate(place, kind, limits)
    outcomes, fault = [], None
    try:
        candidate.start()
        for number, case in enumerate(kind.cases):
            outcomes.append(ask(candidate.signature, case, lambda at=number: candidate.answer(at)))
        candidate.finish()
    except _EndError as end:
        fault = f"{place.module if not outcomes else 'It'} {end}."
    finally:
        candidate.stop()
    if candidate.forked and fault is None:
        fault = "It forks, and both processes go on."
    not_run = Outcome(declined="not run", asked=False)
    outcomes += [not_run] * (len(kind.cases) - len(outcomes))
    return Run(tuple(outcomes), fault, candidate.printed())


class _Candidate:
    """A candidate, in the process it has just now."""

    def __init__(self, place: Place, kind: Kind, limits: Limits) -> None:
        self.place, self.kind, self.limits = place, kind, limits
        self.signature: inspect.Signature | None = None
        self.forked = False
        self._process: _Process | None = None
        self._started = 0
        self._output = _Output()

    def start(self) -> "_Process":
        """Starts a process and lets it import the candidate."""
        self._started += 1
        process = self._process = _Process(self._output)
        asked = {**self.place._asdict(), "memory": min(int(self.limits.memory * 2**30), sys.maxsize)}
        seconds = IMPORT_FACTOR * self.limits.timeout
        try:
            header, _ = process.exchange(pack(asked), seconds, 0)
        except _EndError as end:
            raise _EndError(f"{end} while it is imported") from None
        self.signature = _signature(header)
        return process

    def answer(self, number: int) -> Outcome:
        """What it does with a case."""
        case = self.kind.cases[number]
        try:
            if self._process is None and self._started == _STARTS:
                return Outcome(declined=f"not run, as its process had ended {_STARTS} times", asked=False)
            process = self._process or self.start()
            request = _request(number, case, self.kind)
            header, leaves = process.exchange(request, self.limits.timeout, len(self.kind.leaves))
            outcome = _outcome(header, leaves, number, self.kind)
        except _EndError as end:
            self.stop()
            return Outcome(problem=f'In the case "{case.name}" it {end}.', raised=True, crashed=True)
        if outcome.problem and outcome.problem.startswith("It raises MemoryError"):
            return outcome._replace(problem=f"{outcome.problem} (it has {self.limits.memory:g} GiB)")
        return outcome

    def finish(self) -> None:
        """Lets the process end.

        Raises:
            _EndError: something came that nobody had asked for.
        """
        if self._process is not None:
            self._process.finish()

    def stop(self) -> None:
        """Ends the process and all it started, whatever they do."""
        if self._process is not None:
            self._process.stop()
            self.forked |= self._process.forked
            self._process = None

    def printed(self) -> str:
        """What it printed, in short."""
        return str(self._output)


class _Output:
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


class _Process:
    """The process of `candidate_process.py` and the channel to it."""

    def __init__(self, output: _Output) -> None:
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

    def exchange(self, request: bytes, seconds: float, most: int) -> _Answer:
        """Sends a request and waits for the one answer to it.

        Args:
            request: the message.
            seconds: how long it may take.
            most: the most arrays that the answer may have.

        Raises:
            _EndError: there is none, or something else; the process is of no use any more.
        """
        self._expect_nothing()
        deadline = time.monotonic() + seconds
        left = memoryview(request)
        self._selector.register(self._requests, selectors.EVENT_WRITE)
        try:
            while True:
                if (found := self._next(most)) is not None:
                    if left:
                        raise _EndError("sends more than it was asked for")
                    self._expect_nothing()
                    return found
                wait = deadline - time.monotonic()
                if wait <= 0:
                    raise _EndError(f"takes longer than the {seconds:g} s it has")
                ready = self._ready(min(wait, 0.1))
                if self._requests in ready:
                    left = self._write(left)
                if self._answers in ready:
                    if not self._read_answers():
                        raise _EndError(self._how_it_ended())
                elif self._process.poll() is not None and self._answers not in self._ready(0):
                    raise _EndError(self._how_it_ended())
        finally:
            with suppress(KeyError):
                self._selector.unregister(self._requests)

    def finish(self) -> None:
        """Lets the process end, and waits until nobody holds the channel, but not for ever.

        Raises:
            _EndError: something came that nobody had asked for.
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

    def _next(self, most: int) -> _Answer | None:
        """The next answer, if it is there; what copies of the process say is noted on the way."""
        while (found := _parse(self._inbox, most)) is not None:
            if "forked" not in found[0]:
                return found
            self.forked = True
        return None

    def _expect_nothing(self) -> None:
        if self._next(0) is not None or self._inbox:
            raise _EndError("sends more than it was asked for")

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
            raise _EndError(self._how_it_ended()) from None
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


def _request(number: int, case: Case, kind: Kind) -> bytes:
    arrays = {name: value for name, value in case.args.items() if isinstance(value, np.ndarray)}
    described = {
        name: {"shape": value.shape, "dtype": value.dtype.str} if name in arrays else {"value": value}
        for name, value in case.args.items()
    }
    return pack({"case": number, "args": described, "options": case.options, "outputs": kind.leaves}, arrays.values())


def _parse(inbox: bytearray, most: int) -> _Answer | None:
    """Takes the first message out of what has come; None while it is not all there.

    Raises:
        _EndError: it is no message.
    """
    if len(inbox) < 4:
        return None
    length = int.from_bytes(inbox[:4], "big")
    if length > _LONGEST_HEADER:
        raise _EndError(_NO_ANSWER)
    if len(inbox) < 4 + length:
        return None
    try:
        header = json.loads(inbox[4 : 4 + length])
    except (ValueError, RecursionError):
        raise _EndError(_NO_ANSWER) from None
    if not isinstance(header, dict):
        raise _EndError(_NO_ANSWER)
    shapes = header.get("shapes", [])
    if not isinstance(shapes, list) or len(shapes) > most or not all(map(_is_shape, shapes)):
        raise _EndError(_NO_ANSWER)
    sizes = [0 if shape is None else 8 * math.prod(shape) for shape in shapes]
    end = 4 + length + sum(sizes)
    if len(inbox) < end:
        return None
    leaves: list[np.ndarray | None] = []
    place = 4 + length
    for shape, size in zip(shapes, sizes, strict=True):
        numbers = np.frombuffer(bytes(inbox[place : place + size]), np.float64)
        leaves.append(None if shape is None else numbers.reshape(shape))
        place += size
    del inbox[:end]
    return header, leaves


def _is_shape(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, list) or len(value) > _DEEPEST or any(type(n) is not int or n < 0 for n in value):
        return False
    return math.prod(max(n, 1) for n in value) <= MOST_NUMBERS


def _outcome(header: dict[str, Any], leaves: list[np.ndarray | None], number: int, kind: Kind) -> Outcome:
    """What the answer says, where it says what an answer may say."""
    if header.get("case") != number or type(header.get("raised")) is not bool:
        raise _EndError(_NO_ANSWER)
    dtypes = header.get("dtypes")
    if not isinstance(dtypes, list) or len(dtypes) != len(leaves) or not all(isinstance(entry, str) for entry in dtypes):
        raise _EndError(_NO_ANSWER)
    problem, declined = header.get("problem"), header.get("declined")
    if not all(text is None or (isinstance(text, str) and text) for text in (problem, declined)):
        raise _EndError(_NO_ANSWER)
    complete = len(leaves) == len(kind.leaves) and all(leaf is not None for leaf in leaves)
    if (header["raised"] or not complete) and not problem and not declined:
        raise _EndError(_NO_ANSWER)
    return Outcome(
        tuple(leaves),
        problem and cleaned(problem, _LONGEST_SENTENCE),
        declined and cleaned(declined, _LONGEST_SENTENCE),
        tuple(cleaned(entry, 16) for entry in dtypes),
        header["raised"],
    )


def _signature(header: dict[str, Any]) -> inspect.Signature | None:
    """The candidate's signature as it was told.

    Raises:
        _EndError: the candidate could not be imported.
    """
    failed, parameters = header.get("failed"), header.get("parameters", ())
    if isinstance(failed, str):
        raise _EndError(cleaned(failed, _LONGEST_SENTENCE))
    if parameters is None:
        return None
    parameter = inspect.Parameter
    kinds = (
        *(parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL),
        *(parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD),
    )
    try:
        return inspect.Signature(
            [parameter(name, kinds[kind], default=None if optional else parameter.empty) for name, kind, optional in parameters]
        )
    except (IndexError, TypeError, ValueError):
        raise _EndError(_NO_ANSWER) from None


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
