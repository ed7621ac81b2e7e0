"""Help step by step: where something is wrong, then what is seen there, then how it differs from what is right."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jcnn.check.report import Report

LEVELS = (1, 2, 3)
"""From little help to all: where; what; how it differs."""


def hint(report: "Report", level: int) -> str:
    """The hint of a level, a line for each thing; it begins with those of the levels below.

    What is said at levels 1 and 2 comes from what is seen of the numbers, and of level 2 also from the terms that were read
    off; never from the rule or the sentence of a known mistake, which are level 3. Where one change of the source makes it
    right, level 1 has the line's number, level 2 the line, and level 3 the change.

    Args:
        report: what was found.
        level: 1, 2 or 3.

    Raises:
        ValueError: another level.
    """
    if type(level) is not int or level not in LEVELS:
        raise ValueError(f"level={level!r}: expected 1, 2 or 3")
    if report.verdict == "agrees" and not report.diagnosis:
        return "It agrees with what is right in every case."
    lines = [*_where(report), *(_what(report) if level > 1 else ()), *(_how(report) if level > 2 else ())]
    return "\n".join(dict.fromkeys(filter(None, lines)))


def _where(report: "Report") -> Iterable[str]:
    if report.repair and not report.repair.leaves:
        yield f"Look at line {report.repair.line}."
    if report.unanswered and report.rows:
        yield "Look at which calls it takes: not all that it must take get a result."
    together: dict[str, list[str]] = {}
    for symptom in report.symptoms:
        if symptom.leaf:
            together.setdefault(symptom.where, []).append(symptom.leaf)
        else:
            yield f"Look at what becomes of a whole call, {symptom.where}."
    for where, leaves in together.items():
        yield f"Look at {' and '.join(leaves)}: {'it is' if len(leaves) == 1 else 'they are'} wrong {where}."
    if report.symptoms:
        concerned = {symptom.leaf for symptom in report.symptoms}
        right = [leaf for leaf in dict.fromkeys(row.leaf for row in report.rows) if leaf not in concerned]
        if right and "" not in concerned:
            yield f"{' and '.join(right)}: right."
        return
    wrong = list(dict.fromkeys(row.leaf for row in report.rows if row.verdict != "agrees"))
    if wrong:
        yield f"Look at {' and '.join(wrong)}."
    elif report.rows:
        yield "Every number compared is right; look at what else there is to it than the numbers."
    else:
        yield "Look at the function itself, its file, its name and what it takes: nothing of it could be compared."


def _what(report: "Report") -> Iterable[str]:
    if report.unanswered and report.rows:
        shown = ", ".join(report.unanswered[:3])
        more = f" and {len(report.unanswered) - 3} more" if len(report.unanswered) > 3 else ""
        yield f"Without a result: {shown}{more}."
    for symptom in report.symptoms:
        yield f"What is seen: {f'in {symptom.leaf} ' if symptom.leaf else ''}{symptom.what}."
    if report.repair:
        mended = f" for {' and '.join(report.repair.leaves)}" if report.repair.leaves else ""
        yield f"One change would do{mended} in line {report.repair.line}: `{report.repair.code}`."
    for finding in report.findings:
        if finding.about:
            yield f"What is read off it: {finding.about}."
    if not report.symptoms and not (report.unanswered and report.rows):
        wrong = [row for row in report.rows if row.verdict != "agrees"]
        if wrong:
            cases = list(dict.fromkeys(row.case for row in wrong))
            yield f"It is wrong in {', '.join(cases[:3])}{f' and {len(cases) - 3} more' if len(cases) > 3 else ''}."
        elif report.rows:
            yield "How it computes or returns them is not as it should be."
        else:
            yield "It could not be found, loaded or called, takes or returns something else, or did not come to an end."


def _how(report: "Report") -> Iterable[str]:
    yield report.diagnosis or "No rule is known by which it differs."
    examples = {finding.leaf: finding.example for finding in report.findings if finding.example}
    for symptom in report.symptoms:
        if example := examples.pop(symptom.leaf, symptom.example):
            yield f"For example {example}."
    yield from (f"For example {example}." for example in examples.values())
