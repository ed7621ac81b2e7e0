"""Scores: 100 exactly for what is right, 0 for nothing, and every output pays for itself alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade
from jcnn.check.classroom.score import DOUBTFUL, Share, score_of, weights_of
from jcnn.check.formulas import dense_backward
from jcnn.check.grading.left_out import must_take
from jcnn.check.operations import kind_of
from jcnn.check.report import Report, Row

Gradients = tuple[np.ndarray, ...]


def right(dy: Any, x: Any, w: Any, b: Any = None) -> Gradients:
    return dense_backward(dy, x, w, *(() if b is None else (b,)))


def without(*outputs: int) -> Callable[..., Gradients]:
    def candidate(dy: Any, x: Any, w: Any, b: Any = None) -> Gradients:
        return tuple(0 * value if place in outputs else value for place, value in enumerate(right(dy, x, w, b)))

    return candidate


def score_for(candidate: Callable[..., Any], kind: str = "dense_backward") -> float:
    return score_of(grade(candidate, kind), kind).points


def test_what_is_right_has_100() -> None:
    assert score_for(right) == 100
    assert score_for(lambda dy, x: dy * (x >= 0), "relu_backward") == 100  # a kink
    assert score_for(lambda dy, x: (dy * (x > 0)).astype(np.float32), "relu_backward") == 100  # rounding


@pytest.mark.parametrize("kind", ["dense", "relu_backward", "softmax_backward", "mean_squared_error_backward"])
def test_zeros_have_nothing(kind: str) -> None:
    def zeros(*args: Any, **options: Any) -> Any:
        return tuple(np.zeros_like(each.value) for each in kind_of(kind).expected(_case(kind, args)))

    assert score_for(zeros, kind) == 0


def _case(kind: str, args: tuple[Any, ...]) -> Any:
    given = [case for case in kind_of(kind).cases if len(case.args) == len(args)]
    return next(
        case for case in given if all(np.array_equal(one, other) for one, other in zip(case.args.values(), args, strict=True))
    )


def test_an_output_pays_for_itself_alone() -> None:
    # The options, cases of more axes here, are answered by all outputs together.
    report = grade(without(0), "dense_backward")
    parts = score_of(report, "dense_backward").parts
    assert parts["dx"].value == 0
    assert parts["dw"].value == parts["db"].value == 1
    assert score_for(without(0)) < score_for(without(2))
    assert score_for(without(0, 1, 2)) == 0


def test_weights() -> None:
    assert weights_of(("dx", "dw", "db")) == {"dx": 36, "dw": 36, "db": 18, "options": 10}
    assert weights_of(("dx",)) == {"dx": 90, "options": 10}


def rows(kind: str, verdict: Any, cases: int | None = None) -> tuple[Row, ...]:
    known = kind_of(kind)
    return tuple(Row(case.name, verdict, leaf, 0, 0, 0, 0) for case in known.cases[:cases] for leaf in known.leaves)


def test_options_are_what_not_everybody_must_take() -> None:
    known = kind_of("avg_pool_backward")
    found = tuple(Row(case.name, "agrees" if must_take(known, case) else "bug", "dx", 0, 0, 0, 0) for case in known.cases)
    score = score_of(Report("f", "bug", "No option works.", None, found), "avg_pool_backward")
    assert (score.parts["dx"].value, score.parts["options"].value, score.points) == (1, 0, 90)


def test_a_fault_that_shows_in_no_case_is_for_a_person_to_judge() -> None:
    report = Report("f", "bug", "It forks, and both processes go on.", None, rows("relu_backward", "agrees"))
    assert score_of(report, "relu_backward").points == DOUBTFUL


def test_cases_that_were_never_run_count_as_wrong() -> None:
    cases = kind_of("relu_backward").cases
    lost = tuple(case.name for case in cases[3:])
    report = Report("f", "bug", "It ends its process.", None, rows("relu_backward", "agrees", 3), unanswered=lost)
    full = score_of(Report("f", "agrees", None, None, rows("relu_backward", "agrees")), "relu_backward").parts
    parts = score_of(report, "relu_backward").parts
    assert {name: share.of for name, share in parts.items()} == {name: share.of for name, share in full.items()}
    assert parts["dx"].right == 3
    assert score_of(report, "relu_backward").points < 60


def test_a_part_without_cases_does_not_count() -> None:
    assert Share(0, 0).value is None
    assert score_of(Report("f", "agrees", None, None, rows("relu_backward", "agrees")), "relu_backward").points == 100
