"""The search for the one change of a candidate's source that makes it right in every case."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jcnn.check.grading.candidate_channel import Output, Process
from jcnn.check.grading.candidate_process import pack
from jcnn.check.grading.isolated import IMPORT_FACTOR, Limits, Place
from jcnn.check.grading.left_out import must_take
from jcnn.check.grading.messages import EndError, introduction_of, outcome_of, request_of, trial_of
from jcnn.check.operations import Kind, expected_at
from jcnn.check.outcome import Outcome, ask, cleaned
from jcnn.check.repair.edits import Edit, edits
from jcnn.check.repair.source import MOST_BYTES, Source
from jcnn.check.report import Repair
from jcnn.check.styles.calling import Call

TRIED_ON = 5
"""Failing cases, the smallest ones, that a change has to mend before it is asked the rest."""

AT_ONCE = 100
"""Changes in a request."""

PATIENCE = 60.0
"""Seconds by the clock after which a request has come to nothing; a variant itself has a quarter of a second."""


Judge = Callable[[Sequence[Outcome]], Sequence[frozenset[str] | None]]
"""From what a candidate does with all cases to the outputs that are wrong in each; None for a case that it leaves out."""


def find_repair(
    place: Place, call: Call, kind: Kind, limits: Limits, outcomes: Sequence[Outcome], judge: Judge, seconds: float
) -> Repair | None:
    """The first change, of those that are tried, after which all cases agree; None where none is found in that time.

    Variants of the candidate run as the candidate does, in a process of their own. Where no change mends all outputs, one that
    mends some of them is what is found.

    Args:
        place: the candidate.
        call: how it is called.
        kind: what it should be.
        limits: what it may use.
        outcomes: what it does with all cases.
        judge: what is wrong with them.
        seconds: of processor time.
    """
    source = read_source(place)
    if source is None:
        return None
    process = Process(Output())
    try:
        return _Search(process, place, call, kind, limits, outcomes, judge).run(source, seconds)
    except EndError:
        return None
    finally:
        process.stop()


def read_source(place: Place) -> Source | None:
    """The source of a candidate's module; None where it is no file that can be found and parsed without running anything."""
    path = Path(place.module) if place.module.endswith(".py") else Path(f"{place.module.replace('.', '/')}.py")
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
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
        outcomes: Sequence[Outcome],
        judge: Judge,
    ) -> None:
        self._process, self._kind, self._outcomes, self._judge = process, kind, outcomes, judge
        wrong = judge(outcomes)
        self._wrong = _all_of(wrong)
        self._failing = [number for number, leaves in enumerate(wrong) if leaves]
        memory = int(limits.memory * 2**30)
        asked = {**place._asdict(), "call": call._asdict(), "memory": memory}
        header, _ = process.exchange(pack(asked), IMPORT_FACTOR * limits.timeout, 0)
        self._function = place.function
        self._introduction = introduction_of(header, kind.leaves)

    def run(self, source: Source, seconds: float) -> Repair | None:
        self._send(pack({"text": source.text.decode()}))
        for number in sorted(self._failing, key=self._order)[:TRIED_ON]:
            right = [expected.value for expected in expected_at(self._kind, number)]
            self._send(trial_of(self._kind.cases[number], self._kind, right, self._wrong))
        end = self._process.seconds() + seconds
        some: Repair | None = None
        # A forward pass that fails is replaced by a right one for the backward pass: to break it is no repair.
        changes = edits(source, self._function, without=self._introduction.forward)
        while (batch := tuple(itertools.islice(changes, AT_ONCE))) and (left := end - self._process.seconds()) > 0:
            for edit in self._passed(batch, left):
                mended = self._mended(edit)
                if mended == self._wrong:
                    return self._repair(source, edit, frozenset())
                if mended and some is None:
                    some = self._repair(source, edit, mended)
        return some

    def _order(self, number: int) -> tuple[bool, int]:
        """What everybody must take comes first, and the smallest of that."""
        case = self._kind.cases[number]
        return not must_take(self._kind, case), case.size

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
        outcomes = list(self._outcomes)
        for number, outcome in enumerate(self._outcomes):
            if outcome.declined is None:
                outcomes[number] = self._answer(number)
                if outcomes[number].declined is not None:
                    # What is not implemented any more is not wrong, and no repair either.
                    return frozenset()
        judged = self._judge(outcomes)
        self._count = sum(leaves is not None for leaves in judged)
        wrong = _all_of(judged)
        return frozenset() if wrong - self._wrong else self._wrong - wrong

    def _answer(self, number: int) -> Outcome:
        case = self._kind.cases[number]

        def asked() -> Outcome:
            header, leaves = self._process.exchange(request_of(number, case, self._kind), PATIENCE, len(self._kind.leaves))
            return outcome_of(header, leaves, number, self._kind)

        return ask(self._introduction.signatures[""], case, asked)

    def _repair(self, source: Source, edit: Edit, leaves: frozenset[str]) -> Repair:
        code = cleaned(source.line(edit.line))
        named = tuple(leaf for leaf in self._kind.leaves if leaf in leaves)
        return Repair(edit.line, code, cleaned(edit.before), cleaned(edit.after), edit.kind, named, self._count)


def _all_of(wrong: Sequence[frozenset[str] | None]) -> frozenset[str]:
    """The outputs that are wrong in some case."""
    return frozenset().union(*filter(None, wrong))
