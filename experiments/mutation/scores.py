"""Which mutants the checker finds, among those that are not the same function written differently."""

import functools
import inspect
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from experiments.mutation.convolutions import CONVOLUTIONS
from experiments.mutation.draws import draw
from experiments.mutation.layers import LAYERS
from experiments.mutation.mutants import Mutant, compiled
from experiments.mutation.poolings import POOLINGS
from experiments.mutation.relatives import RELATIVES
from experiments.mutation.student import RESTRICTIONS, Restriction, Student, has_windows
from jcnn.check import KINDS, bounds
from jcnn.check.bounds import Expected, as_leaves
from jcnn.check.cases import Case
from jcnn.check.grading.roundoff import Output, unlike_rounding
from jcnn.check.judge import judge
from jcnn.check.operations import Kind, expected_of, kind_of
from jcnn.check.report import Verdict, worst_verdict

Array = np.ndarray
Call = tuple[dict[str, Any], dict[str, Any]]

STUDENTS = tuple(s for s in (*CONVOLUTIONS, *RELATIVES, *POOLINGS, *LAYERS) if s.kind in KINDS)
"""Every implementation that is mutated."""

# A call of the right function takes milliseconds.
_SECONDS = 2.0
# What two orders of the same sums differ by at the most, relative to the largest number.
_TOLERANCE = 1e-10
# Arguments of functions that are linear, or choose.
_STRAIGHT = {"w", "y", "window", "pieces"}


class Scored(NamedTuple):
    """What became of a mutant.

    Attributes:
        student: the implementation's name.
        kind: the operation.
        restriction: which calls it takes.
        mutant: the mistake.
        verdict: of the checker; `"agrees"` where it sees no difference.
        equivalent: it gave the same in every drawn call.
    """

    student: str
    kind: str
    restriction: str
    mutant: Mutant
    verdict: Verdict
    equivalent: bool

    @property
    def missed(self) -> bool:
        """A mistake that passed."""
        return self.verdict == "agrees" and not self.equivalent


class _Seen(NamedTuple):
    """What a mutant gave in one case."""

    verdict: Verdict
    outputs: tuple[Array, ...]


class _TooLateError(Exception):
    """A call that takes too long."""


def restrictions_of(student: Student) -> tuple[Restriction, ...]:
    """Those that make a difference to what the implementation takes, from the least to the most."""
    if not has_windows(student.kind) or student.kind.startswith("global"):
        return RESTRICTIONS[-1:]
    kind = kind_of(student.kind)
    found: dict[tuple[bool, ...], Restriction] = {}
    for restriction in RESTRICTIONS:
        taken = tuple(student.takes(c.args, c.options) and restriction.allows(c.args, c.options) for c in kind.cases)
        found.setdefault(taken, restriction)
    return tuple(found.values())


def score(student: Student, mutants: Sequence[Mutant], draws: int) -> Iterator[Scored]:
    """The verdict on every mutant under every restriction, and whether it is a mutant at all.

    Args:
        student: whose mutants they are.
        mutants: from `mutants_of(student.function)`.
        draws: in how many drawn calls a mutant must give the same to count as equivalent.
    """
    kind = kind_of(student.kind)
    restrictions = restrictions_of(student)
    drawn = functools.cache(lambda restriction: _drawn_calls(student, restriction, draws))
    for mutant in mutants:
        function = compiled(mutant.source, student.function)
        seen: dict[int, _Seen] = {}
        found = []
        for restriction in restrictions:
            enough: Verdict = "rounding" if mutant.precision else "bug"
            verdict = _verdict(function, kind, student, restriction, seen, enough)
            found.append(Scored(student.name, kind.name, restriction.name, mutant, verdict, equivalent=False))
        same: list[Restriction] = []
        for number, restriction in reversed(list(enumerate(restrictions))):
            if found[number].verdict != "agrees":
                continue
            # What makes no difference to more calls makes none to fewer.
            if any(other.includes(restriction) for other in same) or all(
                _same(function, call, right) for call, right in drawn(restriction)
            ):
                same.append(restriction)
                found[number] = found[number]._replace(equivalent=True)
        yield from found


def refusing(student: Student, function: Callable[..., Any]) -> Callable[..., Any]:
    """A candidate with the implementation's parameters that refuses what it was not written for."""
    names = list(inspect.signature(student.function).parameters)

    @functools.wraps(student.function)
    def candidate(*args: Any, **options: Any) -> Any:
        if not student.takes(dict(zip(names, args, strict=False)), options):
            raise NotImplementedError("not asked for")
        return function(*args, **options)

    return candidate


def verdict_of(student: Student, restriction: Restriction) -> Verdict:
    """The verdict on the implementation itself."""
    return _verdict(student.function, kind_of(student.kind), student, restriction, {})


def verdict_in(student: Student, function: Callable[..., Any], restriction: Restriction) -> Verdict:
    """The verdict on a mutant of the implementation."""
    return _verdict(function, kind_of(student.kind), student, restriction, {})


def _verdict(
    function: Callable[..., Any],
    kind: Kind,
    student: Student,
    restriction: Restriction,
    seen: dict[int, _Seen],
    enough: Verdict = "bug",
) -> Verdict:
    """As `grade` judges, but only until a verdict that is enough; `seen` keeps what single cases gave."""
    worst: Verdict = "agrees"
    numbers = []
    for number, (case, expected) in enumerate(zip(kind.cases, expected_of(kind), strict=True)):
        if not student.takes(case.args, case.options) or not restriction.allows(case.args, case.options):
            continue
        if number not in seen:
            seen[number] = _case(function, kind, case, expected)
        numbers.append(number)
        worst = worst_verdict([worst, seen[number].verdict])
        if worst in {enough, "bug"}:
            return worst
    for leaf, name in enumerate(kind.leaves) if worst != "agrees" else ():
        outputs = [Output(kind.cases[n], expected_of(kind)[n][leaf], seen[n].outputs[leaf]) for n in numbers]
        if unlike_rounding(name, outputs, whole=kind.linear):
            return "bug"
    return worst


def _case(function: Callable[..., Any], kind: Kind, case: Case, expected: tuple[Expected, ...]) -> _Seen:
    outputs = _called(function, (case.args, case.options))
    if outputs is None or len(outputs) != len(expected):
        return _Seen("bug", ())
    worst: Verdict = "agrees"
    precisions = tuple(p for p in bounds.UNIT if not (case.whole and p in {"float16", "bfloat16"}))
    for name, right, output in zip(kind.leaves, expected, outputs, strict=True):
        if output.shape != right.value.shape or output.dtype.kind != "f":
            return _Seen("bug", ())
        found = judge("", name, right, output.astype(np.float64), precisions, whole=kind.linear).row.verdict
        found = "rounding" if found == "agrees" and output.dtype != np.float64 else found
        worst = worst_verdict([worst, found])
    return _Seen(worst, tuple(output.astype(np.float64) for output in outputs))


def _drawn_calls(student: Student, restriction: Restriction, draws: int) -> list[tuple[Call, tuple[Array, ...]]]:
    """Calls, and what the right function gives."""
    rng = np.random.default_rng(len(student.name))
    found = []
    for _ in range(draws):
        call = draw(rng, student, restriction)
        right = _called(student.function, call)
        if right is None:
            raise ValueError(f"{student.name} fails on {call}: expected it to take what it says it takes")
        found.append((call, right))
    return found


def _same(function: Callable[..., Any], call: Call, right: tuple[Array, ...]) -> bool:
    """Whether a mutant gives what the right function gives, within rounding: of dy, of 1 in curved functions, of sums."""
    args, _ = call
    floor = 0.0 if _STRAIGHT & set(args) else float(np.abs(args.get("dy", np.ones(1))).max(initial=0))
    outputs = _called(function, call)
    if outputs is None or len(outputs) != len(right):
        return False
    return all(
        got.shape == expected.shape
        and got.dtype == expected.dtype
        and np.allclose(
            got, expected, rtol=0, atol=_TOLERANCE * max(floor, float(np.abs(expected).max(initial=0))), equal_nan=True
        )
        for got, expected in zip(outputs, right, strict=True)
    )


def _called(function: Callable[..., Any], call: Call) -> tuple[Array, ...] | None:
    """The outputs as arrays; None where there are none, an argument was changed, or it took too long."""
    args, options = call
    given = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in args.items()}
    try:
        with limited(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            outputs = tuple(np.asarray(output) for output in as_leaves(function(*given.values(), **options)))
    except Exception:  # noqa: BLE001 (a mutant may raise anything)
        return None
    changed = any(isinstance(value, np.ndarray) and not np.array_equal(value, given[name]) for name, value in args.items())
    return None if changed or any(output.dtype.kind not in "fiub" for output in outputs) else outputs


@contextmanager
def limited() -> Iterator[None]:
    """Ends what takes too long, in the main thread of a process."""

    def late(*_: Any) -> None:
        raise _TooLateError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
