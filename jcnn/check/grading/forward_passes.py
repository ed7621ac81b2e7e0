"""Whose mistake it is: a backward pass's, or the forward pass's, where the one takes what the other keeps."""

from dataclasses import replace
from typing import NamedTuple

from jcnn.check.grading.sentences import joined
from jcnn.check.report import Report, Witness


class Forward(NamedTuple):
    """The forward pass that a backward pass belongs to.

    Attributes:
        name: what it is called.
        report: its own.
        right_cache: the report on the backward pass with a cache that is right; None where that was not asked.
    """

    name: str
    report: Report
    right_cache: Report | None = None


def with_forward(report: Report, backward: str, forward: Forward | None) -> Report:
    """The report on a backward pass, with its forward's, and with the blame where it belongs."""
    if forward is None:
        return report
    wrong = forward.report.verdict == "bug"
    said = forward.report.diagnosis or ""
    found = Witness(f"its forward {forward.name}", not wrong, said if wrong else "by itself in all cases that it takes")
    witnesses = (*report.witnesses, found)
    if report.verdict != "bug":
        return replace(report, witnesses=witnesses)
    right = forward.right_cache
    if right is None or right.verdict == "bug":
        more = f"Its forward {forward.name} is wrong as well: {said}" if wrong else ""
        return replace(report, diagnosis=joined([report.diagnosis or "", more]), witnesses=witnesses)
    alone = f"{backward} is right where its cache holds the arguments of {forward.name}"
    if wrong:
        # By itself the backward pass is right, and only it is graded.
        blamed = Witness(
            f"its forward {forward.name}", holds=False, found=joined([said, f"{alone}; the mistake is not in {backward}."])
        )
        return replace(right, witnesses=(*right.witnesses, blamed))
    return replace(
        report,
        diagnosis=f"{alone}, but not with the cache that {forward.name} returns: what it keeps there is wrong.",
        witnesses=witnesses,
        findings=(),
        mistakes=(),
    )
