"""A candidate that fits in no call may be written in another layout or style: what it is then, in a sentence."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jcnn.check.bounds import Expected
from jcnn.check.cases import Case
from jcnn.check.grading.left_out import must_take
from jcnn.check.grading.messages import Introduction
from jcnn.check.operations import Kind, expected_at
from jcnn.check.outcome import Outcome
from jcnn.check.styles.calling import Call
from jcnn.check.styles.layouts import other_layout

_FEW = 1 / 3
"""A candidate that is right in no more of the cases may be written for another layout: a single pixel is right in any."""
_TRIED = 8


class Asked(NamedTuple):
    """A case, and what came.

    Attributes:
        number: the case's place among those of its kind.
        case: the case.
        outcome: of the candidate.
    """

    number: int
    case: Case
    outcome: Outcome


def fits(expected: Sequence[Expected], outcome: Outcome) -> bool:
    """Whether all outputs came in the right shape."""
    return len(outcome.leaves) == len(expected) and all(
        leaf is not None and leaf.shape == right.value.shape for leaf, right in zip(outcome.leaves, expected, strict=True)
    )


def other_way(
    kind: Kind,
    call: Call,
    asked: Sequence[Asked],
    candidate: Introduction,
    answer: Callable[[Case, str], Outcome],
    is_right: Callable[[Asked], bool],
) -> str:
    """How else a candidate is to be called, in a sentence; "" where it fits as it is, or in no other way.

    Args:
        kind: what it should be.
        call: how it was called.
        asked: all cases.
        candidate: its parts, and what its names show.
        answer: asks a part of it a case.
        is_right: whether all numbers are right.
    """
    due = [entry for entry in asked if entry.outcome.declined is None and must_take(kind, entry.case)]
    wrong = [entry for entry in due if not is_right(entry)]
    strange = [entry for entry in due if not _is_answer(kind, entry)]
    if _FEW * len(due) < len(due) - len(wrong) or not due or any(entry.outcome.crashed for entry in asked):
        return ""
    fits_nowhere = len(due) - len(strange) <= _FEW * len(due)
    if fits_nowhere and candidate.other_way:
        return candidate.other_way
    layout = other_layout(call.layout, call.operation)
    if layout is None or "other layout" not in candidate.signatures:
        return ""
    some = (strange if fits_nowhere else wrong)[:: -(-len(wrong) // _TRIED)]
    tried = [entry._replace(outcome=answer(entry.case, "other layout")) for entry in some]
    if all(map(is_right, tried)):
        there = f"there all {len(tried)} cases that were tried are right"
    elif fits_nowhere and all(_is_answer(kind, entry) for entry in tried):
        there = "there its outputs have the right shapes"
    else:
        return ""
    return f'It is written for the layout {layout}: {there}. Grade it with layout="{layout}" (--layout {layout}).'


def _is_answer(kind: Kind, entry: Asked) -> bool:
    return fits(expected_at(kind, entry.number), entry.outcome) and not (entry.outcome.problem or "").startswith("It returns")
