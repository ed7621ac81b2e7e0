"""What a candidate keeps from one call to the next, and sentences that its other calls contradict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade, grade_file
from jcnn.definition import sums

Array = np.ndarray


def conv(x: Array, w: Array, b: Array | None = None, *, stride: Any = 1, padding: Any = 0) -> Array:
    return sums.conv(x, w, b, stride=stride, padding=padding)


def dense(x: Array, w: Array) -> Array:
    return x @ w


def kept_by_shape(compute: Callable[..., Array]) -> Callable[..., Array]:
    found: dict[Any, Array] = {}

    def candidate(x: Array, w: Array) -> Array:
        return found.setdefault((x.shape, w.shape), compute(x, w))

    return candidate


@pytest.mark.parametrize("name", ["conv", "dense"])
def test_an_answer_of_an_earlier_call_is_known_again(name: str) -> None:
    report = grade(kept_by_shape({"conv": conv, "dense": dense}[name]), name)
    assert report.verdict == "bug"
    assert "is that of an earlier call" in str(report.diagnosis)
    assert not report.findings


def test_the_first_call_is_asked_again_at_the_end() -> None:
    calls = 0

    asked = len(grade(dense, "dense").rows)

    def at_the_end(x: Array, w: Array) -> Array:
        nonlocal calls
        calls += 1
        return x @ w if calls <= asked else 3 * (x @ w)

    report = grade(at_the_end, "dense")
    assert report.verdict == "bug"
    assert 'asked the case "any numbers, all tiny" again, after others, it gives another answer' in str(report.diagnosis)


def only_where_as_many(change: Callable[[Array], Array]) -> Callable[..., Array]:
    """Wrong where there are as many filters as channels, as in the small calls that are made to read off a formula."""

    def candidate(x: Array, w: Array, b: Array | None = None, *, stride: Any = 1, padding: Any = 0) -> Array:
        y = conv(x, w, b, stride=stride, padding=padding)
        return change(y) if x.shape[-1] == w.shape[-1] > 1 else y

    return candidate


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda y: y + 1, "is added to every number", id="1 added"),
        pytest.param(lambda y: 0 * y, "is 0 everywhere", id="zeros"),
        pytest.param(lambda y: 1.2345 * y, "times what it should be", id="a factor"),
        pytest.param(lambda y: 2 * y, "every term is multiplied", id="twice"),
    ],
)
def test_what_other_calls_contradict_is_not_said(change: Callable[[Array], Array], said: str) -> None:
    report = grade(only_where_as_many(change), "conv")
    assert report.verdict == "bug"
    assert said not in str(report.diagnosis)
    assert not any(said in finding.rule for finding in report.findings)


@pytest.mark.parametrize(("change", "said"), [pytest.param(lambda y: y + 1, "1 is added to every number", id="1 added")])
def test_what_holds_in_every_call_is_said(change: Callable[[Array], Array], said: str) -> None:
    def candidate(x: Array, w: Array, b: Array | None = None, *, stride: Any = 1, padding: Any = 0) -> Array:
        return change(conv(x, w, b, stride=stride, padding=padding))

    assert said in str(grade(candidate, "conv").diagnosis)


def test_an_ignored_option_is_no_kept_answer() -> None:
    """Without it the call is that of another case."""

    def avg_pool(x: Array, window: Any, *, stride: Any = None, padding: Any = 0, count_padding: bool = False) -> Array:
        return sums.avg_pool(x, window, stride=stride, padding=padding)

    report = grade(avg_pool, "avg_pool")
    assert report.verdict == "bug"
    assert "earlier call" not in str(report.diagnosis)


COUNTED = """
calls = 0

def dense(x, w, b=None):
    global calls
    calls += 1
    y = x @ w if b is None else x @ w + b
    return y if calls < {limit} else 0 * y
"""
KEPT = """
def order(n, known={{}}):
    return known.setdefault({key}, list(range(n)))

def dense(x, w, b=None):
    y = sum(x[..., c : c + 1] * w[c] for c in order(len(w)))
    return y if b is None else y + b
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param(
            KEPT.format(key="0"),
            "the right one, when it is the first call. Look at the default known={} of order",
            id="a default",
        ),
        pytest.param(COUNTED.format(limit=6), "when it is the first call. Look at calls, which dense changes", id="a counter"),
        pytest.param(COUNTED.format(limit=60), "again, after others, it gives another answer. Look at calls", id="late"),
        pytest.param(KEPT.format(key="n"), "", id="which is kept rightly"),
    ],
)
def test_what_is_kept_from_call_to_call_is_found_by_asking_anew(source: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "homework.py").write_text(source)
    report = grade_file(f"{tmp_path}/homework.py:dense", "dense")
    assert report.verdict == ("bug" if said else "agrees"), report
    if said:
        assert (report.diagnosis or "").startswith("It keeps something from call to call:")
        assert said in (report.diagnosis or "")
        assert not report.findings
