"""Sizes that come out wrong, or as an exception, are said by the mistake in them; and where it fails is said with counts."""

from collections.abc import Callable

import numpy as np
import pytest

from jcnn.check import grade
from jcnn.check.cases.case import Case
from jcnn.check.diagnose import pattern
from jcnn.definition import sums

Array = np.ndarray


def sized(reach: Callable[[int, int], int]) -> Callable[..., Array]:
    """A convolution with another reach of a dilated filter."""

    def conv(x: Array, w: Array, b: Array | None = None, stride: int = 1, padding: int = 0, dilation: int = 1) -> Array:
        rows, columns = (
            (n + 2 * padding - reach(f, dilation)) // stride + 1 for n, f in zip(x.shape[1:3], w.shape[:2], strict=True)
        )
        y = np.zeros((len(x), rows, columns, w.shape[-1]))
        right = sums.conv(x, w, b, stride=stride, padding=padding, dilation=dilation)[:, :rows, :columns]
        y[:, : right.shape[1], : right.shape[2]] = right
        return y

    return conv


def moves_by(default: int) -> Callable[..., Array]:
    def max_pool(x: Array, window: int, stride: int | None = None, padding: int = 0) -> Array:
        return sums.max_pool(x, window, stride=stride or default, padding=padding)

    return max_pool


def same(x: Array, w: Array, b: Array | None = None, stride: int = 1, padding: int = 0) -> Array:
    return sums.conv(x, w, b, stride=stride, padding="same" if padding else 0)


@pytest.mark.parametrize(
    ("candidate", "kind", "said"),
    [
        pytest.param(sized(lambda f, d: d * f if d > 1 else f), "conv", "reach over D·F pixels", id="D F"),
        pytest.param(sized(lambda f, d: d * (f - 1)), "conv", "", id="without the 1, also where D is 1"),
        pytest.param(sized(lambda f, d: d * f - 1 if d > 1 else f), "conv", "reach over D·F − 1 pixels", id="D F - 1"),
        pytest.param(moves_by(1), "max_pool", "Without stride=, it takes 1 where the window's size is right", id="stride 1"),
        pytest.param(moves_by(2), "max_pool", "Without stride=, it takes 2 where the window's size is right", id="stride 2"),
        pytest.param(same, "conv", 'is taken for "same"', id="same"),
    ],
)
def test_a_wrong_size_is_said_by_its_mistake(candidate: Callable[..., Array], kind: str, said: str) -> None:
    report = grade(candidate, kind)
    assert report.verdict == "bug"
    assert said or "its size is wrong" not in (report.diagnosis or "")
    assert said in (report.diagnosis or "")


def test_an_exception_says_the_sizes_of_the_call_and_the_line() -> None:
    diagnosis = grade(sized(lambda f, d: d * f if d > 1 else f), "conv").diagnosis or ""
    assert "It raises ValueError: negative dimensions are not allowed (line " in diagnosis
    assert "with 8×7 pixels, window 3×3, S = 1, P = 0, D = 3." in diagnosis


def cases_of(*features: set[str]) -> list[Case]:
    return [Case(str(number), {}, {}, frozenset(found), whole=True) for number, found in enumerate(features)]


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        pytest.param([True, True, False, False], "It fails in exactly the cases with a.", id="exactly"),
        pytest.param([True, True, True, False], "It fails in 3 of 4 cases.", id="in common nothing"),
        pytest.param([True, False, False, False], "It fails in 1 of 4 cases.", id="few of those that have it"),
        pytest.param([True] * 4, "It fails in every case.", id="all"),
    ],
)
def test_where_it_fails(failed: list[bool], said: str) -> None:
    assert pattern(cases_of({"a"}, {"a"}, {"b"}, {"b"}), failed) == said


def test_what_most_that_have_it_fail_for_is_said_with_counts() -> None:
    cases = cases_of({"a"}, {"a"}, {"a"}, {"b"})
    assert pattern(cases, [True, True, False, False]) == "It fails in 2 of the 3 cases with a, and in no other."
