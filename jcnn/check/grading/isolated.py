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
from jcnn.check.grading.forward_passes import Forward
from jcnn.check.grading.messages import EndError, Introduction, UnfitError, introduction_of, outcome_of, request_of
from jcnn.check.operations import Kind, forward_of
from jcnn.check.outcome import Outcome, ask
from jcnn.check.report import Finding
from jcnn.check.styles.calling import Call
from jcnn.geometry import wrong

TIMEOUT = 10.0
"""Seconds for each case."""
IMPORT_FACTOR = 3
"""Importing may take that many times as long as a case."""
MEMORY = 4.0
"""GiB."""

_STARTS = 3  # a candidate that crashes is started anew, so that other cases count too; but not for ever


class Further(NamedTuple):
    """What is found of a candidate beside what it does with the cases.

    Attributes:
        findings: how its formula differs.
        forward: of a backward pass that belongs to a forward pass, what that did.
        other_way: how else it is to be called, in a sentence, where it fits in no case as it is; else "".
        quoted: what the candidate said itself in what was found.
        unsteady: what it does otherwise when it is asked again, in a sentence; else "".
        only_kept: its calls are right when each is the first, so that nothing else is wrong than what `unsteady` says.
    """

    findings: tuple[Finding, ...] = ()
    forward: Forward | None = None
    other_way: str = ""
    quoted: frozenset[str] = frozenset()
    unsteady: str = ""
    only_kept: bool = False


class Run(NamedTuple):
    """What came of all cases.

    Attributes:
        outcomes: one for every case.
        fault: what is wrong beside the cases, in a sentence; None where nothing is.
        printed: what the candidate printed, in short.
        further: what was found beside.
        unfit: there is no candidate that can be called.
        not_judged: outputs that it has no place for.
    """

    outcomes: tuple[Outcome, ...]
    fault: str | None = None
    printed: str = ""
    further: Further = Further()
    unfit: bool = False
    not_judged: tuple[str, ...] = ()

    @property
    def quoted(self) -> tuple[str, ...]:
        """What the candidate said itself."""
        said = {quote for outcome in self.outcomes for quote in outcome.quoted}
        return tuple(sorted({*said, *self.further.quoted, self.fault or ""}))


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


Asked = Callable[[Callable[[Case], Outcome]], Iterator[Outcome]]
"""From a way to ask a candidate one case to what it does with all of them."""

AnswerOfPart = Callable[[Case, str], Outcome]
"""What a part of a candidate, one of `messages.PARTS`, does with a case."""

Afresh = Callable[[Case], Outcome]
"""What a candidate does with a case that is its first call, in a new process."""

Examine = Callable[[Sequence[Outcome], Introduction, AnswerOfPart, Afresh], Further]
"""From what a candidate did with all cases, its parts, and the ways to ask them, to what else is found of it."""

Fits = Callable[[inspect.Signature | None], str | None]
"""From a signature to what is wrong with it, in words; None where a case can be given."""


def run(place: Place, call: Call, kind: Kind, limits: Limits, fits: Fits, asked: Asked, examine: Examine) -> Run:
    """Gives a candidate all cases, in a process of its own or, where that ends, in a few.

    Two runs at once do not know of each other. What the candidate started is ended with it, except what left its session after
    the process had ended.

    Raises:
        OSError: this is no POSIX system.
    """
    if os.name != "posix":
        raise OSError("grading a file takes the processes of a POSIX system; grade a function by jcnn.check.grade")
    candidate = _Candidate(place, call, kind, limits)
    outcomes, fault, further, unfit = [], None, Further(), False
    try:
        candidate.start()
        misfit = fits(candidate.introduction.signatures[""])
        if misfit:
            raise UnfitError(misfit, candidate.introduction.other_way)
        outcomes += asked(candidate.answer)
        further = examine(outcomes, candidate.introduction, candidate.answer, candidate.afresh)
        candidate.finish()
    except EndError as end:
        unfit = isinstance(end, UnfitError)
        if isinstance(end, UnfitError):
            further = Further(other_way=end.other_way)
        who = "It" if outcomes else f"{place.function}" if unfit and not str(end).startswith("has no") else place.module
        fault = f"{who} {end}."
    finally:
        candidate.stop()
    if candidate.forked and fault is None:
        fault = "It forks, and both processes go on."
    not_run = Outcome(declined="not run", asked=False, lost=True)
    outcomes += [not_run] * (len(kind.cases) - len(outcomes))
    not_judged = candidate.introduction.not_judged
    return Run(tuple(outcomes), fault, candidate.printed(), further, unfit, not_judged)


class _Candidate:
    """A candidate, in the process it has just now."""

    def __init__(self, place: Place, call: Call, kind: Kind, limits: Limits) -> None:
        self.place, self.call, self.kind, self.limits = place, call, kind, limits
        self.introduction = Introduction({"": None})
        self.forked = False
        self._process: Process | None = None
        self._started = 0
        self._asked = 0
        self._used = 0.0
        self._output = Output()

    def start(self) -> "Process":
        """Starts a process and lets it import the candidate."""
        self._started += 1
        process = self._process = Process(self._output)
        memory = min(int(self.limits.memory * 2**30), sys.maxsize)
        asked = {**self.place._asdict(), "call": self.call._asdict(), "memory": memory}
        seconds = IMPORT_FACTOR * self.limits.timeout
        try:
            header, _ = process.exchange(pack(asked), seconds, 0)
        except EndError as end:
            raise EndError(f"{end} while it is imported") from None
        self.introduction = introduction_of(header, self.kind.leaves)
        return process

    def answer(self, case: Case, part: str = "") -> Outcome:
        """What it, or a part of it, does with a case, if there is a place for it in the signature."""
        return ask(self.introduction.signatures[part], case, lambda: self._timed(case, part))

    def afresh(self, case: Case) -> Outcome:
        """What it does with a case as the first call of a process of its own."""
        alone = _Candidate(self.place, self.call, self.kind, self.limits)
        try:
            alone.start()
            return alone.answer(case)
        except EndError as end:
            return Outcome(problem=f"It {end}.", raised=True, crashed=True)
        finally:
            alone.stop()

    def _timed(self, case: Case, part: str) -> Outcome:
        # Its process is not asked, which could say anything.
        before = self.seconds()
        outcome = self._answer(case, part)
        return outcome._replace(seconds=self.seconds() - before)

    def _answer(self, case: Case, part: str) -> Outcome:
        kind = forward_of(self.kind) if part == "forward" else self.kind
        number = self._asked
        self._asked += 1
        try:
            if self._process is None and self._started == _STARTS:
                return Outcome(declined=f"not run, as its process had ended {_STARTS} times", asked=False, lost=True)
            process = self._process or self.start()
            request = request_of(number, case, kind, part)
            header, leaves = process.exchange(request, self.limits.timeout, len(kind.leaves))
            outcome = outcome_of(header, leaves, number, kind)
        except EndError as end:
            self.stop()
            return Outcome(problem=f'In the case "{case.name}" it {end}.', raised=True, crashed=True)
        if outcome.problem and outcome.problem.startswith("It raises MemoryError"):
            return outcome._replace(problem=f"{outcome.problem} (it has {self.limits.memory:g} GiB)")
        return outcome

    def seconds(self) -> float:
        """Of processor time that its processes have used."""
        return self._used + (self._process.seconds() if self._process else 0.0)

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
            self._used += self._process.seconds()
            self._process.stop()
            self.forked |= self._process.forked
            self._process = None

    def printed(self) -> str:
        """What it printed, in short."""
        return str(self._output)
