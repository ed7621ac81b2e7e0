"""Running a candidate in a process of its own, from which nothing but arrays and refusals comes back.

Whatever the candidate does there (end the process, patch NumPy or jcnn, print, hang, fill the memory, write to the channel)
cannot reach the verdict, which is found here, from numbers. What it sends is read as a stranger's: every length, shape and
text is checked before anything is made of it.

It is no sandbox: the candidate runs with the rights of who grades it, and may read, write and import what they may, jcnn's own
functions too; who attacks other processes can stop the grader's.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jcnn import arguments
from jcnn.check.cases import Case
from jcnn.check.grading.candidate_channel import Output, Process
from jcnn.check.grading.candidate_process import pack
from jcnn.check.grading.messages import EndError, outcome_of, request_of, signature_of
from jcnn.check.grading.styles import LAYOUTS, STYLES
from jcnn.check.operations import Kind
from jcnn.check.outcome import Outcome, ask
from jcnn.check.report import Finding
from jcnn.geometry import choice, wrong

TIMEOUT = 10.0
"""Seconds for each case."""
IMPORT_FACTOR = 3
"""Importing may take that many times as long as a case."""
MEMORY = 4.0
"""GiB."""

_STARTS = 3  # a candidate that crashes is started anew, so that other cases count too; but not for ever


class Run(NamedTuple):
    """What came of all cases.

    Attributes:
        outcomes: one for every case.
        fault: what is wrong beside the cases, in a sentence; None where nothing is.
        printed: what the candidate printed, in short.
        findings: what probing it told.
    """

    outcomes: tuple[Outcome, ...]
    fault: str | None = None
    printed: str = ""
    findings: tuple[Finding, ...] = ()


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


Probe = Callable[[Sequence[Outcome], Callable[[Case], Outcome]], tuple[Finding, ...]]
"""From what a candidate did with all cases, and a way to ask it further ones, to how its formula differs."""


Asked = Callable[[Callable[[Case], Outcome]], Iterator[Outcome]]
"""From a way to ask a candidate one case to what it does with all of them."""


class Written(NamedTuple):
    """How a candidate is written, as `styles.py` has it.

    Attributes:
        layout: where its channels are; None: where its style has them.
        style: what it is called with, and what it returns.
    """

    layout: str | None = None
    style: str = "jcnn"

    def check(self) -> None:
        """Raises a ValueError where one is no name."""
        choice("style", self.style, tuple(STYLES))
        if self.layout is not None:
            choice("layout", self.layout, tuple(LAYOUTS))


def run(place: Place, kind: Kind, limits: Limits, written: Written, asked: Asked, probe: Probe) -> Run:
    """Gives a candidate all cases, in a process of its own or, where that ends, in a few.

    Two runs at once do not know of each other. What the candidate started is ended with it, except what left its session after
    the process had ended.

    Raises:
        OSError: this is no POSIX system.
    """
    if os.name != "posix":
        raise OSError("grading a file takes the processes of a POSIX system; grade a function by jcnn.check.grade")
    candidate = _Candidate(place, kind, limits, written)
    outcomes, fault, findings = [], None, ()
    try:
        candidate.start()
        outcomes += asked(candidate.answer)
        findings = probe(outcomes, candidate.answer)
        candidate.finish()
    except EndError as end:
        fault = f"{place.module if not outcomes else 'It'} {end}."
    finally:
        candidate.stop()
    if candidate.forked and fault is None:
        fault = "It forks, and both processes go on."
    not_run = Outcome(declined="not run", asked=False, lost=True)
    outcomes += [not_run] * (len(kind.cases) - len(outcomes))
    return Run(tuple(outcomes), fault, candidate.printed(), findings)


class _Candidate:
    """A candidate, in the process it has just now."""

    def __init__(self, place: Place, kind: Kind, limits: Limits, written: Written) -> None:
        self.place, self.kind, self.limits, self.written = place, kind, limits, written
        self.signature: inspect.Signature | None = None
        self.forked = False
        self._process: Process | None = None
        self._started = 0
        self._asked = 0
        self._output = Output()

    def start(self) -> "Process":
        """Starts a process and lets it import the candidate."""
        self._started += 1
        process = self._process = Process(self._output)
        asked = {
            **self.place._asdict(),
            **self.written._asdict(),
            "kind": self.kind.name,
            "memory": min(int(self.limits.memory * 2**30), sys.maxsize),
        }
        seconds = IMPORT_FACTOR * self.limits.timeout
        try:
            header, _ = process.exchange(pack(asked), seconds, 0)
        except EndError as end:
            raise EndError(f"{end} while it is imported") from None
        self.signature = signature_of(header)
        return process

    def answer(self, case: Case) -> Outcome:
        """What it does with a case, if its signature has a place for it."""
        return ask(self.signature, case, lambda: self._answer(case))

    def _answer(self, case: Case) -> Outcome:
        number = self._asked
        self._asked += 1
        try:
            if self._process is None and self._started == _STARTS:
                return Outcome(declined=f"not run, as its process had ended {_STARTS} times", asked=False, lost=True)
            process = self._process or self.start()
            request = request_of(number, case, self.kind)
            header, leaves = process.exchange(request, self.limits.timeout, len(self.kind.leaves))
            outcome = outcome_of(header, leaves, number, self.kind)
        except EndError as end:
            self.stop()
            return Outcome(problem=f'In the case "{case.name}" it {end}.', raised=True, crashed=True)
        if outcome.problem and outcome.problem.startswith("It raises MemoryError"):
            return outcome._replace(problem=f"{outcome.problem} (it has {self.limits.memory:g} GiB)")
        return outcome

    def finish(self) -> None:
        """Lets the process end.

        Raises:
            EndError: something came that nobody had asked for.
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
