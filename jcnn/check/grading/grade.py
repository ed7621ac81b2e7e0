"""Grading a candidate: the adversarial cases, a verdict, and what is wrong in a sentence."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jcnn.check import bounds
from jcnn.check.bounds import Expected
from jcnn.check.cases import Case
from jcnn.check.cases.normalisations import FAR_FROM_ZERO
from jcnn.check.diagnose import known_mistakes, pattern, ratio
from jcnn.check.grading.isolated import MEMORY, TIMEOUT, Limits, Place, Run, Written, run
from jcnn.check.grading.left_out import declined_too_much, must_take, reasons_of, unanswered, without_forms_not_taken
from jcnn.check.grading.roundoff import Output, unlike_rounding
from jcnn.check.grading.styles import StyleError, adapt, channels_first, forwards_of
from jcnn.check.judge import judge
from jcnn.check.operations import Kind, expected_of, kind_of
from jcnn.check.outcome import Outcome, ask, cleaned, interrupts, name_of, perform, signature_of
from jcnn.check.precision import double_precision
from jcnn.check.probing.explain import find_differences
from jcnn.check.report import Finding, Report, Row, Verdict, Worst, picture, worst_verdict

PATIENCE = 5.0
"""Seconds after which a candidate that is wrong already is not asked any further cases."""

_PRECISIONS = tuple(bounds.UNIT)
_DIGITS = {"float32": 7, "float16": 3, "bfloat16": 2}


class _Graded(NamedTuple):
    case: Case
    expected: tuple[Expected, ...]
    outcome: Outcome
    rows: tuple[Row, ...]
    precision: str


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
        layout: `"NHWC"` or `"NCHW"`, images (N, C, H, W) and filters (C_out, C_in, FH, FW); None: the usual one of the style.
            Indices in the report are those of NHWC.
        style: `"jcnn"`; `"cs231n"`, functions of (x, w, b, conv_param) and (dout, cache), in NCHW; or `"torch"`, a subclass of
            `torch.autograd.Function`, in NCHW.

    Returns:
        The report. `"agrees"`: within float64 rounding of the reference in every case. `"rounding"`: within what float32,
        float16 or bfloat16 arithmetic explains, and exact where that is exact. `"kink"`: another choice at ties of a maximum
        or at 0. `"bug"`: anything else; `diagnosis` names the mistake if it is one of the catalogue, else where it fails.

    Raises:
        ValueError: unknown kind.
        TypeError: the candidate cannot be called.
        KeyboardInterrupt: somebody pressed Ctrl-C; one that the candidate raises by itself is an exception as any other.
    """
    known = kind_of(kind)
    if not callable(candidate):
        raise TypeError(f"candidate is a {type(candidate).__name__}: expected a function with the signature of {kind}")
    Written(layout, style).check()
    name = name_of(candidate)
    try:
        candidate = adapt(candidate, _beside(candidate), kind, layout, style)
    except StyleError as error:
        return Report(f"{name} as {kind}", "bug", f"It is not as expected: {error}.", None)
    # What is right is known before the candidate runs, which may change whatever it finds.
    expected = expected_of(known)
    signature = signature_of(candidate)
    with double_precision(), interrupts() as interrupted:

        def answer(case: Case) -> Outcome:
            return perform(candidate, case.args, case.options, known.leaves, interrupted=interrupted)

        def asked(case: Case) -> Outcome:
            return ask(signature, case, partial(answer, case))

        outcomes = tuple(_asked(known, expected, asked))
        findings = _probed(known, expected, outcomes, asked)
    return _placed(_report(known, expected, Run(outcomes, findings=findings), name), layout, style)


def _beside(candidate: Callable[..., Any]) -> dict[str, Any]:
    """What a candidate's module defines."""
    try:
        return dict(vars(sys.modules[candidate.__module__]))
    except BaseException:  # noqa: BLE001 (its attributes, and its module, are the candidate's to define)
        return {}


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
        ValueError: unknown kind, no such file, or a limit that is no number above 0.
        OSError: this system has no POSIX processes.
    """
    known = kind_of(kind)
    limits = Limits(timeout, memory)
    limits.check()
    written = Written(layout, style)
    written.check()
    found = Place.parse(place)
    expected = expected_of(known)
    made = run(found, known, limits, written, partial(_asked, known, expected), partial(_probed, known, expected))
    report = _placed(_report(known, expected, made, cleaned(found.function)), layout, style)
    return _with_the_forward(report, found, known, limits, written) if report.verdict == "bug" else report


def _placed(report: Report, layout: str | None, style: str) -> Report:
    """Says in which layout the report's shapes and indices are, where the candidate has another."""
    if not channels_first(layout, style):
        return report
    return replace(report, subject=f"{report.subject}; shapes and indices are (N, H, W, C) here")


def _with_the_forward(report: Report, place: Place, kind: Kind, limits: Limits, written: Written) -> Report:
    """Says so where a backward works with the cache of a forward that is wrong itself."""
    base = kind.name.removesuffix("_backward")
    for name in forwards_of(kind.name, written.style):
        forward = kind_of(base)
        expected = expected_of(forward)
        made = run(place._replace(function=name), forward, limits, written, partial(_asked, forward, expected), lambda *_: ())
        if made.outcomes and not made.fault:
            found = _report(forward, expected, made, name)
            if found.verdict == "bug":
                said = (
                    f"{name}, whose cache it works with, is wrong: {found.diagnosis} As for the gradients: {report.diagnosis}"
                )
                return replace(report, diagnosis=said)
            return report
    return report


def _asked(kind: Kind, expected: list[tuple[Expected, ...]], answer: Callable[[Case], Outcome]) -> Iterator[Outcome]:
    """What a candidate does with all cases; one that is slow, and wrong already, is not asked the rest."""
    began = time.monotonic()
    wrong = False
    for case, right in zip(kind.cases, expected, strict=True):
        if wrong and time.monotonic() - began > PATIENCE:
            yield Outcome(declined="not asked, since it is slow and wrong already", asked=False)
            continue
        outcome = answer(case)
        if outcome.declined is None and not outcome.raised and must_take(kind, case):
            wrong |= any(row.verdict == "bug" for row in _judged(kind, case, right, outcome).rows)
        yield outcome


def _probed(
    kind: Kind, expected: list[tuple[Expected, ...]], outcomes: Sequence[Outcome], answer: Callable[[Case], Outcome]
) -> tuple[Finding, ...]:
    """How the formula of a candidate that is wrong differs from the right one."""
    answers = _taken(kind, expected, outcomes)
    rows = [
        row
        for case, right, outcome in zip(kind.cases, expected, answers, strict=True)
        if outcome.declined is None
        for row in _judged(kind, case, right, outcome).rows
    ]
    crashed = any(outcome.crashed for outcome in outcomes)
    return () if crashed or worst_verdict([row.verdict for row in rows]) != "bug" else find_differences(kind.name, answer)


def _taken(kind: Kind, expected: list[tuple[Expected, ...]], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of the cases that the candidate is written for; the others are declined."""
    shaped = [
        len(outcome.leaves) == len(right)
        and all(leaf is not None and leaf.shape == one.value.shape for leaf, one in zip(outcome.leaves, right, strict=True))
        for right, outcome in zip(expected, outcomes, strict=True)
    ]
    return without_forms_not_taken(kind.cases, outcomes, shaped)


def _report(kind: Kind, expected: list[tuple[Expected, ...]], made: Run, name: str) -> Report:
    """The one way from what a candidate did to the report, wherever it ran."""
    outcomes = _taken(kind, expected, made.outcomes)
    graded = [
        _judged(kind, case, right, outcome)
        for case, right, outcome in zip(kind.cases, expected, outcomes, strict=True)
        if outcome.declined is None
    ]
    left_out = reasons_of(kind.cases, outcomes)
    subject = f"{name} as {kind.name}, {len(graded)} of {len(kind.cases)} cases"
    faults = [fault for fault in (made.fault, declined_too_much(kind, outcomes)) if fault]
    if graded:
        report = _judgement(kind, subject, graded, left_out, made.findings)
    else:
        why = None if faults else f"It takes none of the cases ({'; '.join(left_out)})."
        report = Report(subject, "bug", why, None, left_out=left_out)
    if faults:
        more = [report.diagnosis] if report.verdict == "bug" and report.diagnosis else []
        report = replace(report, verdict="bug", diagnosis=" ".join(faults + more))
    return replace(report, printed=made.printed, unanswered=unanswered(kind, outcomes))


def _judged(kind: Kind, case: Case, expected: tuple[Expected, ...], outcome: Outcome) -> _Graded:
    precisions = tuple(p for p in _PRECISIONS if not (case.whole and p in {"float16", "bfloat16"}))
    rows, precision = [], _PRECISIONS[0]
    for number, (leaf, right) in enumerate(zip(kind.leaves, expected, strict=True)):
        got = outcome.leaves[number] if number < len(outcome.leaves) else None
        if got is None or got.shape != right.value.shape:
            remark = outcome.problem or "no array"
            if got is not None:
                remark = f"{leaf} has shape {got.shape}: expected {right.value.shape}"
            rows.append(Row(case.name, "bug", leaf, np.nan, np.nan, np.nan, np.nan, remark=remark))
            continue
        judged = judge(case.name, leaf, right, got, precisions, whole=kind.linear)
        precision = max(precision, judged.precision, key=_PRECISIONS.index)
        rows.append(judged.row)
    if outcome.problem and all(row.verdict != "bug" for row in rows):
        rows[0] = rows[0]._replace(verdict="bug", remark=outcome.problem)
    return _Graded(case, expected, outcome, tuple(rows), precision)


def _judgement(
    kind: Kind, subject: str, graded: list[_Graded], left_out: tuple[str, ...], findings: tuple[Finding, ...]
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
    verdict, diagnosis, names = _diagnosed(kind, graded, verdict, findings)
    picture = _smallest(kind, graded) if verdict in {"bug", "kink"} else None
    return Report(
        subject,
        verdict,
        diagnosis,
        _worst(rows, (verdict, "bug", "kink", "rounding")),
        rows,
        names,
        left_out,
        picture,
        findings=findings if verdict == "bug" else (),
        pattern=pattern([entry.case for entry in graded], [_fails(entry) for entry in graded]),
    )


def _fails(entry: _Graded) -> bool:
    return any(row.verdict != "agrees" for row in entry.rows)


def _diagnosed(
    kind: Kind, graded: list[_Graded], verdict: Verdict, findings: tuple[Finding, ...]
) -> tuple[Verdict, str, tuple[str, ...]]:
    numbers = _numbers(kind, graded)
    outcomes, expected = [Outcome()] * len(kind.cases), expected_of(kind)
    wrong: list[set[int]] = [set() for _ in kind.cases]
    for number, entry in zip(numbers, graded, strict=True):
        outcomes[number] = entry.outcome
        if not entry.outcome.raised:
            # Right values that came in a wrong way tell nothing about numbers.
            off = [row.verdict != "agrees" and row.remark != (entry.outcome.problem or "-") for row in entry.rows]
            wrong[number] = {leaf for leaf, flag in enumerate(off) if flag}
    found = known_mistakes(kind, kind.cases, outcomes, expected, wrong)
    sentences = " ".join(dict.fromkeys(f"{leaf}: {m.sentence}" if leaf else m.sentence for leaf, m in found))
    unnamed = [kind.leaves[leaf] for leaf in sorted(set().union(*wrong))] if found and found[0][0] else []
    if unnamed := [leaf for leaf in unnamed if leaf not in dict(found)]:
        rules = [finding.rule for finding in findings if finding.leaf in unnamed]
        still = [leaf for leaf in unnamed if leaf not in {finding.leaf for finding in findings}]
        sentences = " ".join([sentences, *rules])
        if still:
            sentences += f" {', '.join(still)}: wrong as well, by no known mistake."
    names = tuple(dict.fromkeys(mistake.name for _, mistake in found))
    deserved = worst_verdict([mistake.verdict for _, mistake in found])
    problem = next((entry.outcome.problem for entry in graded if entry.outcome.problem), None)
    if deserved != "bug" and (sentence := _unlike_rounding(kind, graded)):
        return "bug", sentence, ()
    if verdict == "rounding" and deserved != "bug":
        precision = _precision(graded)
        return verdict, _cancels(graded) or _coarse(precision), (f"{precision} arithmetic",)
    if found and (verdict != "kink" or deserved == "kink"):
        note = f" Besides: {problem}" if problem and any(entry.outcome.raised for entry in graded) else ""
        return worst_verdict([verdict, deserved]), sentences + note, names
    if verdict == "kink":
        return verdict, "At ties or zeros it chooses another of the possible gradients; everywhere else it agrees.", ()
    factor = None if problem else ratio([entry.outcome for entry in graded], [entry.expected for entry in graded])
    if factor is not None:
        return "bug", f"Every number is {factor:.6g} times what it should be.", ()
    if findings:
        rules = " ".join(finding.rule for finding in findings)
        note = f" Besides: {problem}" if problem and "it raises" not in rules else ""
        return "bug", rules + note, ()
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
    return "bug", f"{which}{where} No known mistake gives these numbers.", ()


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


def _smallest(kind: Kind, graded: list[_Graded]) -> str:
    """The failing case that goes on the smallest piece of paper."""
    bad = [entry for entry in graded if any(row.verdict != "agrees" for row in entry.rows)]
    entry = min(bad, key=lambda entry: (entry.outcome.raised, not entry.case.whole, entry.case.size))
    leaf = next(number for number, row in enumerate(entry.rows) if row.verdict != "agrees")
    got = entry.outcome.leaves[leaf] if leaf < len(entry.outcome.leaves) else None
    drawn = picture(entry.case.args, entry.case.options, kind.leaves[leaf], entry.expected[leaf].value, got)
    return f"smallest failing case: {entry.case.name}\n{drawn}"
