"""The search for the one change of a candidate's source that makes it right in every case."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jcnn.check.cases import Case
from jcnn.check.grading.candidate_channel import Output, Process
from jcnn.check.grading.candidate_process import pack
from jcnn.check.grading.isolated import IMPORT_FACTOR, Limits, Place
from jcnn.check.grading.messages import EndError, introduction_of, outcome_of, request_of, trial_of
from jcnn.check.operations import Kind, expected_at
from jcnn.check.outcome import Outcome, ask, cleaned
from jcnn.check.repair.edits import Edit, edits
from jcnn.check.repair.source import Source
from jcnn.check.report import Repair
from jcnn.check.styles.calling import Call

TRIED_ON = 5
"""Failing cases, the smallest ones, that a change has to mend before it is asked the rest."""

AT_ONCE = 100
"""Changes in a request."""

PATIENCE = 20.0
"""Seconds by the clock after which a request has come to nothing; a variant itself has a quarter of a second."""


class Taken(NamedTuple):
    """A case that a candidate takes.

    Attributes:
        number: among those of its kind.
        case: the case.
        wrong: the outputs that were wrong; all where it raised.
    """

    number: int
    case: Case
    wrong: frozenset[str]


Judge = Callable[[int, Outcome], frozenset[str]]
"""Which outputs of a case, by its number, are wrong."""


def find_repair(
    place: Place, call: Call, kind: Kind, limits: Limits, taken: Sequence[Taken], judge: Judge, seconds: float
) -> Repair | None:
    """The first change, of those that are tried, after which all cases agree; None where none is found in that time.

    Variants of the candidate run as the candidate does, in a process of their own. Where no change mends all outputs, one that
    mends some of them is what is found.

    Args:
        place: the candidate.
        call: how it is called.
        kind: what it should be.
        limits: what it may use.
        taken: all cases that it takes.
        judge: what is wrong with an output.
        seconds: of processor time.
    """
    source = read_source(place)
    if source is None or not any(one.wrong for one in taken):
        return None
    process = Process(Output())
    try:
        return _Search(process, place, call, kind, limits, taken, judge).run(source, seconds)
    except EndError:
        return None
    finally:
        process.stop()


def read_source(place: Place) -> Source | None:
    """The source of a candidate's module; None where it is no file that can be found and parsed without running anything."""
    path = Path(place.module) if place.module.endswith(".py") else Path(f"{place.module.replace('.', '/')}.py")
    try:
        return Source(path.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Search:
    """A search, and the process it goes on in."""

    def __init__(
        self,
        process: Process,
        place: Place,
        call: Call,
        kind: Kind,
        limits: Limits,
        taken: Sequence[Taken],
        judge: Judge,
    ) -> None:
        self._process, self._kind, self._taken, self._judge = process, kind, taken, judge
        memory = int(limits.memory * 2**30)
        asked = {**place._asdict(), "call": call._asdict(), "memory": memory}
        header, _ = process.exchange(pack(asked), IMPORT_FACTOR * limits.timeout, 0)
        self._introduction = introduction_of(header, kind.leaves)
        self._wrong = frozenset(leaf for one in taken for leaf in one.wrong)

    def run(self, source: Source, seconds: float) -> Repair | None:
        self._send(pack({"text": source.text.decode()}))
        failing = sorted((one for one in self._taken if one.wrong), key=lambda one: (one.case.size, one.number))
        for one in failing[:TRIED_ON]:
            right = [expected.value for expected in expected_at(self._kind, one.number)]
            self._send(trial_of(one.case, self._kind, right, self._wrong))
        end = self._process.seconds() + seconds
        some: Repair | None = None
        changes = edits(source)
        while (batch := tuple(itertools.islice(changes, AT_ONCE))) and (left := end - self._process.seconds()) > 0:
            for edit in self._passed(batch, left):
                mended = self._mended(edit)
                if mended == self._wrong:
                    return self._repair(source, edit, frozenset())
                if mended and some is None:
                    some = self._repair(source, edit, mended)
        return some

    def _send(self, request: bytes) -> dict[str, Any]:
        header, _ = self._process.exchange(request, PATIENCE, 0)
        return header

    def _passed(self, batch: Sequence[Edit], seconds: float) -> list[Edit]:
        """The changes that mend an output in the few cases."""
        header = self._send(pack({"variants": [edit.replacements for edit in batch], "seconds": seconds}))
        passed = header.get("passed")
        if not isinstance(passed, list) or not all(type(number) is int and 0 <= number < len(batch) for number in passed):
            raise EndError("sends what is no answer")
        return [batch[number] for number in passed]

    def _mended(self, edit: Edit) -> frozenset[str]:
        """The outputs that were wrong and are right in all cases after the change, if it spoils no other."""
        if self._send(pack({"variant": edit.replacements})).get("ready") is not True:
            return frozenset()
        right = self._wrong
        for one in self._taken:
            wrong = self._judge(one.number, self._answer(one))
            if wrong - self._wrong:
                return frozenset()
            right = right - wrong
            if not right:
                break
        return right

    def _answer(self, one: Taken) -> Outcome:
        def asked() -> Outcome:
            request = request_of(one.number, one.case, self._kind)
            header, leaves = self._process.exchange(request, PATIENCE, len(self._kind.leaves))
            return outcome_of(header, leaves, one.number, self._kind)

        return ask(self._introduction.signatures[""], one.case, asked)

    def _repair(self, source: Source, edit: Edit, leaves: frozenset[str]) -> Repair:
        code = cleaned(source.line(edit.line))
        named = tuple(leaf for leaf in self._kind.leaves if leaf in leaves)
        return Repair(edit.line, code, cleaned(edit.before), cleaned(edit.after), edit.kind, named, len(self._taken))
