"""Hints: where, then what, then how; each says more than the one before it, and the first gives nothing away."""

from typing import Any

import numpy as np
import pytest

from jcnn.check import Report, grade
from jcnn.check.operations import kind_of
from tests.check.steps import expect_steps

Array = np.ndarray


def overwriting(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> tuple[Array, ...]:
    """conv_backward with = for += in dx."""
    _, dw, db = kind_of("conv_backward").reference(dy, x, w, stride=stride, padding=padding)
    dx = np.zeros((len(x), x.shape[1] + 2 * padding, x.shape[2] + 2 * padding, x.shape[3]))
    high, wide = w.shape[:2]
    for n, i, j in np.ndindex(*dy.shape[:3]):
        rows, columns = slice(i * stride, i * stride + high), slice(j * stride, j * stride + wide)
        dx[n, rows, columns] = w @ dy[n, i, j]
    return dx[:, padding : padding + x.shape[1], padding : padding + x.shape[2]], dw, db


def test_where_is_said_by_what_the_failing_calls_have() -> None:
    report = grade(overwriting, "conv_backward")
    where, what, how = expect_steps(report)
    assert "Look at dx: it is wrong only in calls with windows that overlap, not in all of them." in where
    assert "dw and db: right." in where
    assert "some of the terms that belong there are missing" in what
    assert "overwrite" in how
    assert report.findings[0].example in how


def raising(x: Array) -> Array:
    if (x < 0).any():
        raise ZeroDivisionError("secret")
    return np.maximum(x, 0)


def of_wrong_shape(x: Array) -> Array:
    return np.maximum(x, 0)[None]


def not_a_number(x: Array) -> Array:
    return np.where(x > 0, x, np.nan)


def in_place(x: Array) -> Array:
    x[x < 0] = 0
    return x


def three(x: Array) -> Any:
    return x, x, x


def negative_doubled(x: Array) -> Array:
    return np.where(x < 0, 2 * x, np.maximum(x, 0))


@pytest.mark.parametrize(
    ("candidate", "where", "what"),
    [
        pytest.param(raising, "whole call", "raises an exception", id="exception"),
        pytest.param(of_wrong_shape, "Look at y: it is wrong in every call", "its shape is not the right one", id="shape"),
        pytest.param(not_a_number, "Look at y", "NaN or infinite numbers", id="NaN"),
        pytest.param(in_place, "whole call", "leaves its arguments as they are", id="in place"),
        pytest.param(three, "whole call", "how many arrays it returns", id="number of outputs"),
        pytest.param(lambda x: -np.maximum(x, 0), "Look at y", "not their sign", id="sign"),
        pytest.param(lambda x: 3 * np.maximum(x, 0), "Look at y", "off by one factor, the same in all calls", id="factor"),
        pytest.param(negative_doubled, "where x is negative", "of its numbers are wrong", id="some x"),
        pytest.param(lambda x: 0 * x, "Look at y", "all of it is 0", id="nothing"),
    ],
)
def test_what_is_seen_is_said_at_level_2_only(candidate: Any, where: str, what: str) -> None:
    said = expect_steps(grade(candidate, "relu"))
    assert where in said[0]
    assert what in said[1]
    assert "secret" not in said[1]


def test_other_verdicts() -> None:
    assert [grade(kind_of("relu").reference, "relu").hint(level) for level in (1, 2, 3)] == [
        "It agrees with what is right in every case."
    ] * 3
    *_, rounded = expect_steps(grade(lambda x: np.maximum(x, 0).astype(np.float32), "relu"))
    assert "float32" in rounded
    where, what, _ = expect_steps(grade(lambda dy, x: dy * (x >= 0), "relu_backward"))
    assert "where x is zero" in where or "in" in where
    assert "another one is made" in what
    expect_steps(Report("f as conv", "bug", "It is not as expected: no function.", None))


@pytest.mark.parametrize("level", [0, 4, "1", True, 1.0])
def test_there_are_three_levels(level: Any) -> None:
    with pytest.raises(ValueError, match=f"level={level!r}: expected 1, 2 or 3"):
        grade(raising, "relu").hint(level)
