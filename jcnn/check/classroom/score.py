"""From the report on one submission to points: how many of the cases come out right, output by output.

Every output has a part, the share of its right answers in the cases that everybody must take: the usual number of axes, stride
and padding, if any, as one number. All other cases that the candidate takes (padding of its own for every side, dilation,
groups, one or three spatial axes …) make the part "options". Outputs share 90 of 100 points, a bias gradient counting half as
much as any other output, and options are worth 10. A part without cases does not count, and the others share its points.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jcnn.check.bounds import UNIT
from jcnn.check.grading.left_out import must_take
from jcnn.check.judge import judge
from jcnn.check.operations import expected_of, kind_of
from jcnn.check.report import Report

OPTIONS = "options"
"""The name of the part that all outputs share."""

OUTPUT_POINTS, OPTION_POINTS = 90.0, 10.0
DOUBTFUL = 50.0
"""The most for a submission whose fault shows in no case: it starts processes, or imitates rounding. A person has to look."""

_WEIGHTS = {"db": 1}
_OTHERWISE = 2


class Share(NamedTuple):
    """A part of a score.

    Attributes:
        right: answers that are right; another choice at a tie and rounding are right.
        of: answers that were due.
    """

    right: int
    of: int

    @property
    def value(self) -> float | None:
        """From 0 to 1; None where nothing was due."""
        return self.right / self.of if self.of else None


class Score(NamedTuple):
    """What a submission gets for one function.

    Attributes:
        points: from 0 to 100. 100 if and only if the verdict is no bug; cut, never rounded up, to a tenth.
        parts: by output, and "options".
    """

    points: float
    parts: dict[str, Share]


def score_of(report: Report, kind: str) -> Score:
    """The score of a report of `grade` or `grade_file`.

    An answer for which zeros would pass is not counted: who returns zeros would have it for nothing.

    Args:
        report: what was found.
        kind: what the candidate was graded as.
    """
    parts = _shares(report, kind)
    if report.verdict != "bug":
        return Score(100.0, {name: Share(share.of, share.of) for name, share in parts.items()})
    points = _points(parts)
    if points == 100 or all(row.verdict != "bug" for row in report.rows):
        points = min(points, DOUBTFUL)
    return Score(math.floor(10 * points) / 10, parts)


def weights_of(leaves: Mapping[str, object] | tuple[str, ...]) -> dict[str, float]:
    """The points of every output and of the options."""
    total = sum(_WEIGHTS.get(leaf, _OTHERWISE) for leaf in leaves)
    points = {leaf: OUTPUT_POINTS * _WEIGHTS.get(leaf, _OTHERWISE) / total for leaf in leaves}
    return {**points, OPTIONS: OPTION_POINTS}


def _shares(report: Report, kind: str) -> dict[str, Share]:
    known = kind_of(kind)
    right: dict[str, int] = dict.fromkeys([*known.leaves, OPTIONS], 0)
    due = dict(right)
    found = {(row.case, row.leaf): row.verdict != "bug" for row in report.rows}
    for case in known.cases:
        for leaf in known.leaves:
            asked = (case.name, leaf) in found or case.name in report.unanswered
            if not asked or (case.name, leaf) in _passed_by_zeros(kind):
                continue
            part = leaf if must_take(known, case) else OPTIONS
            due[part] += 1
            right[part] += found.get((case.name, leaf), False)
    return {name: Share(right[name], due[name]) for name in due}


@lru_cache
def _passed_by_zeros(kind: str) -> frozenset[tuple[str, str]]:
    """The cases and outputs that tell zeros from right answers in no precision."""
    known = kind_of(kind)
    return frozenset(
        (case.name, leaf)
        for case, expected in zip(known.cases, expected_of(known), strict=True)
        for leaf, right in zip(known.leaves, expected, strict=True)
        if judge(case.name, leaf, right, np.zeros_like(right.value), tuple(UNIT), whole=known.linear).row.verdict != "bug"
    )


def _points(parts: Mapping[str, Share]) -> float:
    weights = weights_of(tuple(name for name in parts if name != OPTIONS))
    counted = {name: share.value for name, share in parts.items() if share.value is not None}
    total = sum(weights[name] for name in counted)
    return 100 * sum(weights[name] * value for name, value in counted.items()) / total if total else 0.0
