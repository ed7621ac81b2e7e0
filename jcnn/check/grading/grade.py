"""Grading a candidate: the adversarial cases, a verdict, and what is wrong in a sentence."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jcnn.check import bounds
from jcnn.check.bounds import Expected
from jcnn.check.cases import Case
from jcnn.check.cases.normalisations import FAR_FROM_ZERO
from jcnn.check.diagnose import known_mistakes, pattern, ratio
from jcnn.check.grading.fingerprint import fingerprint
from jcnn.check.grading.forward_passes import Forward, with_forward
from jcnn.check.grading.isolated import MEMORY, TIMEOUT, Afresh, AnswerOfPart, Further, Limits, Place, Run, run
from jcnn.check.grading.kept import OF_AN_EARLIER_CALL, asked_again, first_calls, of_an_earlier_call
from jcnn.check.grading.lasting_values import lasting_values
from jcnn.check.grading.left_out import declined_too_much, must_take, reasons_of, unanswered, without_forms_not_taken
from jcnn.check.grading.messages import Introduction
from jcnn.check.grading.other_ways import Asked, fits, other_way
from jcnn.check.grading.repair import find_repair
from jcnn.check.grading.roundoff import Output, unlike_rounding
from jcnn.check.grading.sentences import joined
from jcnn.check.grading.sizes import explain_sizes, sizes_of
from jcnn.check.grading.symptoms import BESIDE, Seen, find_symptoms
from jcnn.check.judge import judge
from jcnn.check.operations import Kind, expected_at, forward_of, kind_of
from jcnn.check.outcome import Misfit, Outcome, ask, cleaned, interrupts, name_of, perform, signature_of
from jcnn.check.patience import Patience
from jcnn.check.precision import double_precision
from jcnn.check.probing.claims import Claim
from jcnn.check.probing.explain import find_differences
from jcnn.check.report import Finding, Report, Row, Smallest, Symptom, Verdict, Worst, worst_verdict
from jcnn.check.smallest import as_picture, draw_case
from jcnn.check.styles.adapt import STYLES, adapt
from jcnn.check.styles.calling import Adapted, Call, UnfitError, described
from jcnn.check.styles.expected import call_of
from jcnn.check.styles.expected import expected as expected_signature
from jcnn.check.styles.layouts import LAYOUTS
from jcnn.check.styles.names_shown import other_way_shown
from jcnn.check.styles.wording import Wording
from jcnn.geometry import choice

PATIENCE = 5.0
"""Seconds of processor time after which a candidate that is wrong already is not asked any further cases.

Not by the clock: what a candidate is asked must not depend on what else the machine does.
"""

ENOUGH, HASTE = 20, 1.0
"""So many cases tell one mistake from others, so that a candidate that has answered them needs no more than so many seconds."""

SEARCH, SEARCH_OF_NAMED = 3.0, 1.5
"""Seconds of processor time in which the change that makes a candidate right is looked for, also where its mistake is known."""

UNKNOWN = "No known mistake gives these numbers."

_PRECISIONS = tuple(bounds.UNIT)
_DIGITS = {"float32": 7, "float16": 3, "bfloat16": 2}


class _Graded(NamedTuple):
    case: Case
    expected: tuple[Expected, ...]
    outcome: Outcome
    rows: tuple[Row, ...]
    precisions: tuple[str, ...]

    @property
    def precision(self) -> str:
        """The coarsest that it took to explain the errors."""
        return max(self.precisions, key=_PRECISIONS.index)


def grade(candidate: Callable[..., Any], kind: str, *, layout: str | None = None, style: str = "jcnn") -> Report:
    """Grades a function by adversarial cases: strides that leave a rest, asymmetric padding, ties, groups, zeros and more.

    The candidate gets NumPy float64 arrays and returns arrays of NumPy, JAX or PyTorch. Cases with keyword arguments that its
    signature lacks, and cases where it raises NotImplementedError, are left out, as are inputs with one or three spatial axes
    for a candidate that raises on all of them; the report says so. It may not decline what everybody must take: the usual
    number of axes, and stride and padding as one number where its signature has them. Whatever the candidate does, only it is
    to blame: an exception of any kind, a wrong shape, dtype or number of outputs, NaN and a changed argument are bugs, each
    with its sentence.

    The candidate runs here, in the process of the caller, with all that it may do to it. For one that nobody has looked at
    `grade_file` runs it in a process of its own.

    Args:
        candidate: a function with the signature of the operation.
        kind: the operation, such as `"conv"`, `"conv_backward"`, `"max_pool"`; one of `jcnn.check.KINDS`.
        layout: the order of axes in the candidate's arrays. `"NHWC"`: as in jcnn; `"NCHW"`: channels second, filters
            (C_out, C_in, FH, FW), in 1-D and 3-D likewise. By default that of the style.
        style: how the candidate is called. `"jcnn"` (NHWC): as the operation of jcnn, options under any of their usual names;
            `"cs231n"` (NCHW): `conv_backward_naive(dout, cache)` and the like, the cache being that of the forward pass beside
            it, which is graded too; `"torch"` (NCHW): a `torch.autograd.Function`, or a function that applies one.

    Returns:
        The report. `"agrees"`: within float64 rounding of the reference in every case. `"rounding"`: within what float32,
        float16 or bfloat16 arithmetic explains, and exact where that is exact. `"kink"`: another choice at ties of a maximum
        or at 0. `"bug"`: anything else; `diagnosis` names the mistake if it is one of the catalogue, else where it fails.

    Raises:
        ValueError: unknown kind, layout or style.
        TypeError: the candidate cannot be called.
        KeyboardInterrupt: somebody pressed Ctrl-C; one that the candidate raises by itself is an exception as any other.
    """
    known = kind_of(kind)
    if not callable(candidate):
        raise TypeError(f"candidate is a {type(candidate).__name__}: expected a function with the signature of {kind}")
    # What is right is known before the candidate runs, which may change whatever it finds; but not kept where it could find it.
    call = _call(known, layout, style)
    watched = (known,) if style == "jcnn" else (known, forward_of(known))
    before = fingerprint(watched)
    name, shown = name_of(candidate), other_way_shown(candidate, call)
    try:
        adapted = adapt(candidate, _beside(candidate), call, Misfit)
        unfit = misfit(known, signature_of(adapted.candidate))
    except UnfitError as error:
        adapted, unfit = Adapted(candidate), str(error)
    if unfit:
        return _finished(known, call, _not_run(known, f"{name} {unfit}.", shown), name)
    parts = adapted.parts
    introduction = Introduction(
        {part: signature_of(function) for part, function in parts.items()}, adapted.forward_name, adapted.not_judged, shown
    )
    with double_precision(), interrupts() as interrupted:

        def answer(case: Case, part: str = "") -> Outcome:
            leaves = (forward_of(known) if part == "forward" else known).leaves
            asking = partial(perform, parts[part], case.args, case.options, leaves, interrupted=interrupted)
            return ask(introduction.signatures[part], case, asking)

        outcomes = tuple(_asked(known, answer))
        further = _examined(known, call, "", outcomes, introduction, answer)
    fault = None if fingerprint(watched) == before else "It changes the numbers that it is compared with."
    return _finished(known, call, Run(outcomes, fault, further=further, not_judged=adapted.not_judged), name)


def grade_file(
    place: str,
    kind: str,
    *,
    layout: str | None = None,
    style: str = "jcnn",
    timeout: float = TIMEOUT,
    memory: float = MEMORY,
) -> Report:
    """Grades a function in a file as `grade` does, in a process of its own, from which nothing but arrays comes back.

    Whatever the candidate does there, this process goes on, and finds the verdict from the arrays: an exit, a crash, a signal,
    a call that takes too long, garbage in place of an answer are bugs, each with its sentence; so is a file that cannot be
    imported or has no such function. What it prints is counted and kept apart. It is no sandbox: the candidate has the rights
    of who grades it. Several may be graded at once, from several threads or processes.

    Args:
        place: `package.module:function` (the current folder counts) or `path/to/file.py:function`.
        kind: as in `grade`.
        layout: as in `grade`.
        style: as in `grade`.
        timeout: seconds for each case; importing may take three times as long.
        memory: GiB that the candidate may use, where the system counts them (Linux does).

    Returns:
        The report, as `grade`.

    Raises:
        ValueError: unknown kind, layout or style, no such file, or a limit that is no number above 0.
        OSError: this system has no POSIX processes.
    """
    known = kind_of(kind)
    limits = Limits(timeout, memory)
    limits.check()
    found = Place.parse(place)
    call = _call(known, layout, style)
    made = run(
        found,
        call,
        known,
        limits,
        partial(misfit, known),
        partial(_asked, known),
        partial(_examined, known, call, _source_of(found)),
    )
    report = _finished(known, call, made, cleaned(found.function))
    return _with_repair(report, found, call, known, limits, made.outcomes)


def _with_repair(report: Report, place: Place, call: Call, kind: Kind, limits: Limits, outcomes: Sequence[Outcome]) -> Report:
    """The report, and the one change of the source that makes it right, where one is found."""
    if report.verdict != "bug" or not _is_wrong(kind, outcomes):
        return report

    def judge(outcomes: Sequence[Outcome]) -> list[frozenset[str] | None]:
        taken = enumerate(_taken(kind, outcomes))
        return [None if one.declined is not None else _wrong_leaves(kind, number, one) for number, one in taken]

    seconds = SEARCH_OF_NAMED if report.mistakes or report.findings else SEARCH
    if not seconds:
        return report
    repair = find_repair(place, call, kind, limits, outcomes, judge, seconds)
    if repair is None:
        return report
    diagnosis = (report.diagnosis or "").removesuffix(UNKNOWN).rstrip()
    return replace(report, repair=repair, diagnosis=joined([diagnosis, repair.sentence]))


def _call(kind: Kind, layout: str | None, style: str) -> Call:
    choice("style", style, STYLES)
    layout = choice("layout", _capitals(layout) or STYLES[style].layout, LAYOUTS)
    return call_of(kind, layout, style)


def _capitals(layout: str | None) -> str | None:
    """A layout as it is written, whether in capitals or not."""
    return layout.upper() if isinstance(layout, str) and layout.upper() in LAYOUTS else layout


def _beside(candidate: Callable[..., Any]) -> dict[str, Any]:
    """What lies in the candidate's module, by name."""
    if isinstance(candidate, FunctionType):
        return candidate.__globals__
    try:
        return dict(vars(sys.modules[candidate.__module__]))
    except BaseException:  # noqa: BLE001 (its attributes, and its module, are the candidate's to define)
        return {}


def _not_run(kind: Kind, fault: str, other_way: str = "") -> Run:
    outcomes = (Outcome(declined="not run", asked=False, lost=True),) * len(kind.cases)
    return Run(outcomes, fault, further=Further(other_way=other_way), unfit=True)


def misfit(kind: Kind, signature: inspect.Signature | None) -> str | None:
    """What is wrong with a signature that has no place for a case's arguments, options and a bias apart."""
    if signature is None:
        return None
    for case in kind.cases:
        for args in (list(case.args.values()), [value for name, value in case.args.items() if name != "b"]):
            try:
                signature.bind(*args)
            except TypeError:
                continue
            return None
    return f"takes {described(signature)}"


def _source_of(place: Place) -> str:
    """The text of a candidate's file; "" where there is none to read."""
    if not place.module.endswith(".py"):
        return ""
    try:
        return Path(place.module).read_text()
    except (OSError, ValueError):
        return ""


_UNSET = "memory that is never set: np.empty gives what lies there, where np.zeros gives zeros"


def _examined(
    kind: Kind,
    call: Call,
    source: str,
    outcomes: Sequence[Outcome],
    candidate: Introduction,
    answer: AnswerOfPart,
    afresh: Afresh | None = None,
) -> Further:
    """What else there is to find: another way to call it, else how its formula differs, and its forward pass."""
    asked = list(map(Asked, range(len(kind.cases)), kind.cases, outcomes))

    def is_right(entry: Asked) -> bool:
        return _is_right(kind, entry.number, entry.outcome)

    if other := other_way(kind, call, asked, candidate, answer, is_right):
        return Further(other_way=other)
    answers = _Noted(answer, "")
    findings = _probed(kind, outcomes, answers)
    forward = _forward(kind, call, outcomes, candidate, answer)
    wrong = _wrong(kind, outcomes)
    unsteady, only_kept = "", False
    lasting = lasting_values(source)
    if wrong and afresh and (lasting or not findings):
        shown = lasting or ([_UNSET] if re.search(r"\bempty(_like)?\(", source) else [])
        unsteady, only_kept = first_calls(kind, outcomes, wrong, afresh, partial(_is_right, kind), shown)
    unsteady = unsteady or asked_again(kind, outcomes, lambda case: answer(case, ""), wrong=bool(wrong), lasting=lasting)
    return Further(findings, forward, quoted=frozenset(answers.quoted), unsteady=unsteady, only_kept=only_kept)


def _is_random(findings: Sequence[Finding]) -> bool:
    return any("is another one each time" in finding.rule for finding in findings)


class _Noted:
    """A way to ask a part of a candidate, which notes what that says itself."""

    def __init__(self, answer: AnswerOfPart, part: str) -> None:
        self.quoted: set[str] = set()
        self._answer, self._part = answer, part

    def __call__(self, case: Case) -> Outcome:
        outcome = self._answer(case, self._part)
        self.quoted.update(outcome.quoted)
        return outcome


def _forward(
    kind: Kind,
    call: Call,
    outcomes: Sequence[Outcome],
    candidate: Introduction,
    answer: AnswerOfPart,
) -> Forward | None:
    """The forward pass that a backward pass belongs to, graded as well; and that pass without it, where it is wrong."""
    if "forward" not in candidate.signatures:
        return None
    forward = forward_of(kind)
    answers = _Noted(answer, "forward")
    made = tuple(_asked(forward, answers))
    found = Run(made, further=Further(_probed(forward, made, answers), quoted=frozenset(answers.quoted)))
    report = _in_its_terms(forward, call, found, candidate.forward)
    alone = None
    if "right cache" in candidate.signatures and _is_wrong(kind, outcomes):
        again = tuple(_asked(kind, lambda case: answer(case, "right cache")))
        alone = _in_its_terms(kind, call, Run(again), kind.name)
    return Forward(candidate.forward, report, alone)


def _in_its_terms(kind: Kind, call: Call, made: Run, name: str) -> Report:
    """The report in the candidate's terms, in which what it said itself is already."""
    wording = Wording.of(call.operation, call.layout, call.style)._replace(quoted=made.quoted)
    return wording.report(_report(kind, made, name, wording))


_ABOUT_OUTPUTS = re.compile(
    r"It returns \d+ outputs?: expected|It raises RuntimeError: function \S+ returned an incorrect number of gradients"
)


def _finished(kind: Kind, call: Call, made: Run, name: str) -> Report:
    """The report, in the candidate's terms; what is wrong with its signature is said once, with the one that is expected."""
    other, symptoms = made.further.other_way, ()
    problems = {outcome.problem for outcome in made.outcomes if outcome.declined is None}
    (problem,) = problems if len(problems) == 1 else (None,)
    if made.fault is None and problem and _ABOUT_OUTPUTS.match(problem):
        made = _not_run(kind, problem.rstrip(".") + ".", other)._replace(printed=made.printed)
        symptoms = (Symptom("", "in every call", BESIDE),)
    if made.unfit or other:
        wanted = f"Expected: {expected_signature(kind, call.layout, call.style).signature}." if made.unfit else ""
        return Report(
            f"{name} as {kind.name}",
            "bug",
            joined([made.fault or "", wanted, other]),
            None,
            printed=made.printed,
            unanswered=tuple(case.name for case in kind.cases),
            symptoms=symptoms,
        )
    report = with_forward(_in_its_terms(kind, call, made, name), name, made.further.forward)
    if made.not_judged:
        rows = tuple(row for row in report.rows if row.leaf not in made.not_judged)
        reasons = tuple(f"{leaf} (it takes no bias)" for leaf in made.not_judged)
        report = replace(report, rows=rows, left_out=(*report.left_out, *reasons))
    return report


def _asked(kind: Kind, answer: Callable[[Case], Outcome]) -> Iterator[Outcome]:
    """What a candidate does with all cases; one that is slow, and wrong already, is not asked the rest.

    What is right is looked up after each call, and in a frame of its own: a candidate that runs in this process can read the
    frames below its own.

    Args:
        kind: what it should be.
        answer: asks it a case.
    """
    patience = Patience(answer)
    wrong = False
    answered = 0
    for number, case in enumerate(kind.cases):
        limit = HASTE if answered >= ENOUGH else PATIENCE
        if wrong and patience.ends(limit):
            took = f"{min(patience.used, limit):.2g} s of processor time"
            why = f"not tried: what is wrong shows in the cases before, and those took more than {took}"
            yield Outcome(declined=why, asked=False)
            continue
        outcome = patience.answer(case)
        answered += outcome.declined is None
        if outcome.declined is None and not outcome.raised and must_take(kind, case):
            wrong = wrong or not _is_right(kind, number, outcome)
        yield outcome


def _is_right(kind: Kind, number: int, outcome: Outcome) -> bool:
    """Whether no output of a case is wrong."""
    return all(row.verdict != "bug" for row in _judged(kind, kind.cases[number], expected_at(kind, number), outcome).rows)


def _wrong_leaves(kind: Kind, number: int, outcome: Outcome) -> frozenset[str]:
    rows = _judged(kind, kind.cases[number], expected_at(kind, number), outcome).rows
    return frozenset(row.leaf for row in rows if row.verdict == "bug")


def _probed(kind: Kind, outcomes: Sequence[Outcome], answer: Callable[[Case], Outcome]) -> tuple[Finding, ...]:
    """How the formula of a candidate that is wrong differs from the right one."""

    def holds(leaf: str, claim: Claim) -> bool:
        number = kind.leaves.index(leaf)
        return all(
            claim(got, right.value)
            for place, outcome in enumerate(outcomes)
            if outcome.declined is None and number < len(outcome.leaves)
            if (got := outcome.leaves[number]) is not None
            if got.shape == (right := expected_at(kind, place)[number]).value.shape
        )

    return find_differences(kind.name, answer, holds=holds) if _is_wrong(kind, outcomes) else ()


def _is_wrong(kind: Kind, outcomes: Sequence[Outcome]) -> bool:
    """Whether there is a bug, and no crash, after which nothing more can be asked."""
    return bool(_wrong(kind, outcomes))


def _wrong(kind: Kind, outcomes: Sequence[Outcome]) -> list[int]:
    """The numbers of the cases that a candidate gets wrong; none after a crash."""
    if any(outcome.crashed for outcome in outcomes):
        return []
    taken = enumerate(_taken(kind, outcomes))
    return [number for number, outcome in taken if outcome.declined is None and not _is_right(kind, number, outcome)]


def _taken(kind: Kind, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of the cases that the candidate is written for; the others are declined."""
    shaped = [outcome.declined is None and fits(expected_at(kind, number), outcome) for number, outcome in enumerate(outcomes)]
    return without_forms_not_taken(kind.cases, outcomes, shaped, lambda number: _is_right(kind, number, outcomes[number]))


def _report(kind: Kind, made: Run, name: str, wording: Wording) -> Report:
    """The one way from what a candidate did to the report, wherever it ran."""
    outcomes = _taken(kind, made.outcomes)
    graded = [
        _judged(kind, kind.cases[number], expected_at(kind, number), outcome)
        for number, outcome in enumerate(outcomes)
        if outcome.declined is None
    ]
    graded = _relative_to_twins(kind, graded)
    left_out = reasons_of(kind.cases, outcomes)
    subject = f"{name} as {kind.name}, {len(graded)} of {len(kind.cases)} cases"
    declined = declined_too_much(kind, outcomes)
    kept = made.further.unsteady if made.further.only_kept else ""
    random = _is_random(made.further.findings) and not kept
    unsteady = None if random or kept else made.further.unsteady or None
    faults = [fault for fault in (made.fault, declined, unsteady) if fault]
    if graded:
        report = _judgement(kind, subject, graded, left_out, made.further.findings, wording)
    else:
        why = None if faults else f"It takes none of the cases ({'; '.join(left_out)})."
        report = Report(subject, "bug", why, None, left_out=left_out)
    if kept:
        earlier = report.diagnosis if OF_AN_EARLIER_CALL in (report.diagnosis or "") else ""
        report = replace(report, verdict="bug", diagnosis=joined([earlier or "", kept]), findings=(), mistakes=())
    if faults:
        more = [report.diagnosis] if report.verdict == "bug" and report.diagnosis else []
        # How its formula differs comes before what it declines.
        sentences = [made.fault, *more, declined, unsteady] if made.further.findings or report.mistakes else [*faults, *more]
        report = replace(report, verdict="bug", diagnosis=joined(filter(None, sentences)))
    return replace(report, printed=made.printed, unanswered=unanswered(kind, outcomes))


def _judged(kind: Kind, case: Case, expected: tuple[Expected, ...], outcome: Outcome) -> _Graded:
    precisions = tuple(p for p in _PRECISIONS if not (case.whole and p in {"float16", "bfloat16"}))
    rows, needed = [], []
    for number, (leaf, right) in enumerate(zip(kind.leaves, expected, strict=True)):
        got = outcome.leaves[number] if number < len(outcome.leaves) else None
        if got is None or got.shape != right.value.shape:
            remark = outcome.problem or "no array"
            if got is not None:
                remark = f"{leaf} has shape {got.shape}: expected {right.value.shape}"
            rows.append(Row(case.name, "bug", leaf, np.nan, np.nan, np.nan, np.nan, remark=remark))
            needed.append(_PRECISIONS[0])
            continue
        judged = judge(case.name, leaf, right, got, precisions, whole=kind.linear)
        rows.append(judged.row)
        needed.append(judged.precision)
    if outcome.problem and all(row.verdict != "bug" for row in rows):
        rows[0] = rows[0]._replace(verdict="bug", remark=outcome.problem, worst=None)
    return _Graded(case, expected, outcome, tuple(rows), tuple(needed))


def _relative_to_twins(kind: Kind, graded: list[_Graded]) -> list[_Graded]:
    """Tiny numbers lose their digits in a short float only where that float explains the same numbers times a power of two.

    So no error is called rounding for being small, where it is not small beside the numbers and the candidate does not compute
    in that float.
    """
    by_name = {entry.case.name: entry for entry in graded}
    return [_relative(kind, entry, by_name.get(entry.case.twin or "")) for entry in graded]


def _relative(kind: Kind, entry: _Graded, twin: _Graded | None) -> _Graded:
    if twin is None:
        return entry
    rounds = [
        row.verdict != "rounding" or (other.verdict in {"rounding", "kink"} and precision == needed)
        for row, precision, other, needed in zip(entry.rows, entry.precisions, twin.rows, twin.precisions, strict=True)
    ]
    if all(rounds):
        return entry
    expected = tuple(right._replace(tiny=tiny) for right, tiny in zip(entry.expected, rounds, strict=True))
    return _judged(kind, entry.case, expected, entry.outcome)


def _judgement(
    kind: Kind,
    subject: str,
    graded: list[_Graded],
    left_out: tuple[str, ...],
    findings: tuple[Finding, ...],
    wording: Wording,
) -> Report:
    rows = tuple(row for entry in graded for row in entry.rows)
    verdict = worst_verdict([row.verdict for row in rows])
    if verdict == "agrees":
        stored = _stored(graded)
        if stored:
            verdict = "rounding"
            return Report(
                subject, verdict, _coarse(stored), _worst(rows, ("agrees",)), rows, (f"{stored} arithmetic",), left_out
            )
        return Report(subject, verdict, None, _worst(rows, ("agrees",)), rows, (), left_out)
    if sentence := of_an_earlier_call(
        kind.leaves, [Seen(entry.case, entry.outcome, entry.expected, entry.rows) for entry in graded]
    ):
        verdict, diagnosis, names, findings = "bug", sentence, (), ()
    else:
        verdict, diagnosis, names = _diagnosed(kind, graded, verdict, findings)
    smallest = _smallest(kind, graded, wording) if verdict in {"bug", "kink"} else None
    return Report(
        subject,
        verdict,
        diagnosis,
        _worst(rows, (verdict, "bug", "kink", "rounding")),
        rows,
        names,
        left_out,
        smallest and as_picture(smallest),
        findings=findings if verdict == "bug" else (),
        symptoms=tuple(
            find_symptoms(kind.leaves, [Seen(entry.case, entry.outcome, entry.expected, entry.rows) for entry in graded])
        ),
        smallest=smallest,
    )


def _fails(entry: _Graded) -> bool:
    return any(row.verdict != "agrees" for row in entry.rows)


def _diagnosed(
    kind: Kind, graded: list[_Graded], verdict: Verdict, findings: tuple[Finding, ...]
) -> tuple[Verdict, str, tuple[str, ...]]:
    numbers = _numbers(kind, graded)
    outcomes: list[Outcome] = [Outcome()] * len(kind.cases)
    expected: list[tuple[Expected, ...]] = [()] * len(kind.cases)
    wrong: list[set[int]] = [set() for _ in kind.cases]
    for number, entry in zip(numbers, graded, strict=True):
        outcomes[number], expected[number] = entry.outcome, expected_at(kind, number)
        if not entry.outcome.raised:
            # Right values that came in a wrong way tell nothing about numbers.
            off = [row.verdict != "agrees" and row.remark != (entry.outcome.problem or "-") for row in entry.rows]
            wrong[number] = {leaf for leaf, flag in enumerate(off) if flag}
    found = known_mistakes(kind, kind.cases, outcomes, expected, wrong)
    sentences = " ".join(dict.fromkeys(m.sentence if _says(m.sentence, leaf) else f"{leaf}: {m.sentence}" for leaf, m in found))
    unnamed = [kind.leaves[leaf] for leaf in sorted(set().union(*wrong))] if found and found[0][0] else []
    named = {leaf for leaves, _ in found for leaf in leaves.split(", ")}
    if unnamed := [leaf for leaf in unnamed if leaf not in named]:
        rules = [finding.rule for finding in findings if finding.leaf in unnamed]
        still = [leaf for leaf in unnamed if leaf not in {finding.leaf for finding in findings}]
        also = f"{', '.join(still)}: wrong as well, by no known mistake." if still else ""
        sentences = joined([sentences, *rules, also])
    names = tuple(dict.fromkeys(mistake.name for _, mistake in found))
    deserved = worst_verdict([mistake.verdict for _, mistake in found])
    problem = next((_with_sizes(entry) for entry in graded if entry.outcome.problem), None)
    if deserved != "bug" and (sentence := _unlike_rounding(kind, graded)):
        return "bug", sentence, ()
    if verdict == "rounding" and deserved != "bug":
        precision = _precision(graded)
        return verdict, _cancels(graded) or _coarse(precision), (f"{precision} arithmetic",)
    if found and (verdict != "kink" or deserved == "kink"):
        note = f"Besides: {problem}" if problem and any(entry.outcome.raised for entry in graded) else ""
        return worst_verdict([verdict, deserved]), joined([sentences, note]), names
    if verdict == "kink":
        return verdict, "At ties or zeros it chooses another of the possible gradients; everywhere else it agrees.", ()
    factor = None if problem else ratio([entry.outcome for entry in graded], [entry.expected for entry in graded])
    if factor is not None:
        return "bug", f"Every number is {factor:.6g} times what it should be.", ()
    seen = [Seen(entry.case, entry.outcome, entry.expected, entry.rows) for entry in graded]
    sizes = explain_sizes(kind.leaves[0], seen) if len(kind.leaves) == 1 and all(map(_is_bare_shape, findings)) else ""
    if sizes or findings:
        rules = sizes or joined(finding.rule for finding in findings)
        note = f"Besides: {problem}" if problem and "it raises" not in rules else ""
        return "bug", joined([rules, note]), ()
    failed = [_fails(entry) for entry in graded]
    where = pattern([entry.case for entry in graded], failed)
    if problem:
        return "bug", f"{problem.rstrip('.')}. {where}" if not all(failed) else problem, ()
    shape = next((row.remark for entry in graded for row in entry.rows if row.remark), None)
    if shape:
        return "bug", f"{shape}. {where}", ()
    bad = {row.leaf for entry in graded for row in entry.rows if row.verdict == "bug"}
    which = "" if len(kind.leaves) == 1 else f"Wrong: {', '.join(leaf for leaf in kind.leaves if leaf in bad)}. "
    lost = sum(int((~np.isfinite(leaf)).sum()) for entry in graded for leaf in entry.outcome.leaves if leaf is not None)
    if lost:
        return "bug", f"{lost} of its numbers are NaN or infinite. {which}{where}", ()
    return "bug", f"{which}{where} {UNKNOWN}", ()


def _says(sentence: str, leaves: str) -> bool:
    """Whether a sentence says of which outputs it is."""
    return not leaves or all(re.search(rf"\b{leaf}\b", sentence) for leaf in leaves.split(", "))


def _is_bare_shape(finding: Finding) -> bool:
    """Whether of an output it is said that its shape is wrong, and no formula of it."""
    return finding.where.endswith(": its shape") and finding.rule.endswith(").")


def _with_sizes(entry: _Graded) -> str | None:
    """What is wrong with an outcome; of an exception also the sizes that the call had."""
    problem, sizes = entry.outcome.problem, sizes_of(entry.case)
    if not problem or not sizes or not entry.outcome.raised or entry.outcome.crashed:
        return problem
    return f"{problem.rstrip('.')} with {sizes}."


def _unlike_rounding(kind: Kind, graded: list[_Graded]) -> str | None:
    """What shows that errors of rounding's size are none, where nothing else is wrong."""
    if any(entry.outcome.problem for entry in graded):
        return None
    if any(row.remark for entry in graded for row in entry.rows):
        return None
    wrong = {row.leaf for entry in graded if not entry.case.twin for row in entry.rows if row.verdict == "bug"}
    sentences = []
    for number, leaf in enumerate(kind.leaves):
        outputs = [
            Output(entry.case, entry.expected[number], got)
            for entry in graded
            if (got := entry.outcome.leaves[number]) is not None
            if entry.rows[number].verdict != "kink"  # another choice at ties says nothing about rounding
            if got.shape == entry.expected[number].value.shape
        ]
        sentence = unlike_rounding(leaf, outputs, whole=kind.linear)
        if leaf in wrong and not sentence:
            return None
        sentences.append(sentence)
    return " ".join(filter(None, sentences)) or None


def _numbers(kind: Kind, graded: list[_Graded]) -> list[int]:
    places = {case.name: number for number, case in enumerate(kind.cases)}
    return [places[entry.case.name] for entry in graded]


def _stored(graded: list[_Graded]) -> str | None:
    """The coarsest dtype in which right values were returned, if it is not float64."""
    dtypes = {dtype for entry in graded for dtype in entry.outcome.dtypes if dtype in _DIGITS}
    return max(dtypes, key=_PRECISIONS.index, default=None)


def _precision(graded: list[_Graded]) -> str:
    """The precision the errors need, or a coarser one if every number is one that it can hold."""
    needed = max((entry.precision for entry in graded), key=_PRECISIONS.index)
    held = [leaf for entry in graded if not entry.case.whole for leaf in entry.outcome.leaves if leaf is not None]
    for precision in reversed(_PRECISIONS[_PRECISIONS.index(needed) :]):
        with np.errstate(over="ignore"):
            same = all(np.array_equal(leaf, leaf.astype(jnp.dtype(precision)).astype(np.float64)) for leaf in held)
        if same:
            return precision
    return needed


def _coarse(precision: str) -> str:
    return (
        f"Right to about {_DIGITS[precision]} digits, as {precision} arithmetic gives: somewhere it computes in {precision} "
        f"though it is given float64."
    )


def _cancels(graded: list[_Graded]) -> str | None:
    """What loses digits where nothing does but numbers far from 0; None where it is something else."""
    failing = [entry.case for entry in graded if _fails(entry)]
    if not all(FAR_FROM_ZERO in case.features for case in failing):
        return None
    return (
        "It loses digits where numbers lie far from 0, and only there: a difference of large sums cancels, as in a variance "
        "that is the mean of squares less the square of the mean. Take the mean of (x − μ)²."
    )


def _worst(rows: tuple[Row, ...], verdicts: tuple[str, ...]) -> Worst | None:
    for verdict in verdicts:
        compared = [row for row in rows if row.verdict == verdict and row.worst]
        if compared:
            return max(compared, key=lambda row: row.ulps / max(row.bound, 1e-300)).worst
    return None


def _smallest(kind: Kind, graded: list[_Graded], wording: Wording) -> Smallest:
    """The failing case that goes on the smallest piece of paper."""
    bad = [entry for entry in graded if any(row.verdict != "agrees" for row in entry.rows)]
    entry = min(bad, key=lambda entry: (entry.outcome.raised, not entry.case.whole, entry.case.size))
    leaf = next(number for number, row in enumerate(entry.rows) if row.verdict != "agrees")
    got = entry.outcome.leaves[leaf] if leaf < len(entry.outcome.leaves) else None
    given, own = wording.own(entry.case.args)
    return draw_case(
        entry.case.name,
        given,
        entry.case.options,
        kind.leaves[leaf],
        own(entry.expected[leaf].value),
        got if got is None else own(got),
        wording.order,
        problem=entry.outcome.problem or "",
    )
