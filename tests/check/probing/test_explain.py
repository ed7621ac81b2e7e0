"""Which formula a candidate computes is read off it, and said by the rule by which it differs."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.mutation.scores import STUDENTS
from experiments.mutation.student import Student
from jcnn.check import grade, patience
from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Outcome, call
from jcnn.check.probing.collect import Answer, read_terms
from jcnn.check.probing.explain import explain_outputs, find_differences
from jcnn.check.probing.geometries import Geometry
from jcnn.check.probing.plans import PLANS
from jcnn.check.probing.rules import Rule
from jcnn.definition import sums

Array = np.ndarray
Gradients = tuple[Array, Array, Array]

HELD_OUT = (
    Geometry(6, 4, (3, 2), padding=1, outputs=2),
    Geometry(7, 6, (2, 3), stride=2, padding=1),
    Geometry(4, 6, (2, 2), stride=2, examples=2, inputs=2),
    Geometry(8, 7, (3, 3), stride=3, padding=1),
)
"""Calls that no rule was found by."""


def answering(candidate: Callable[..., Any], kind: str) -> Answer:
    """What a candidate does with a case."""

    def answer(case: Case) -> Outcome:
        return call(candidate, kind_of(kind), case)

    return answer


def walked(
    dy: Array,
    x: Array,
    w: Array,
    stride: int,
    padding: int,
    *,
    step: Callable[[int], int] = lambda s: s,
    offset: Callable[[int], int] = lambda p: -p,
    assign: bool = False,
    turned: bool = False,
    factor: Callable[..., float] = lambda *_: 1.0,
    rows: Callable[[int], int] = lambda o: o,
) -> Array:
    """dx by loops over outputs and taps, with places where a slip can be made."""
    dx = np.zeros(x.shape)
    high, wide = w.shape[:2]
    for n, i, j in np.ndindex(dy.shape[0], rows(dy.shape[1]), dy.shape[2]):
        for a, b in np.ndindex(high, wide):
            r, c = step(stride) * i + a + offset(padding), stride * j + b - padding
            if 0 <= r < x.shape[1] and 0 <= c < x.shape[2]:
                tap = w[high - 1 - a, b] if turned else w[a, b]
                part = tap @ dy[n, i, j] * factor(len(x), stride)
                dx[n, r, c] = part if assign else dx[n, r, c] + part
    return dx


def with_dx(change: dict[str, Any]) -> Callable[..., Gradients]:
    """A backward pass whose dx has a slip."""

    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        _, dw, db = sums.conv_backward(dy, x, w, stride=stride, padding=padding)
        return walked(dy, x, w, stride, padding, **change), dw, db

    return backward


SLIPS: dict[str, tuple[dict[str, Any], str]] = {
    "stride + 1": ({"step": lambda s: s + 1}, "r = (S + 1)·i + a − P where r = S·i + a − P is right"),
    "stride forgotten": ({"step": lambda s: 1}, "r = i + a − P"),
    "stride squared": ({"step": lambda s: s * s}, "r = S·S·i + a − P"),
    "no padding": ({"offset": lambda p: 0}, "r = S·i + a where"),
    "padding halved": ({"offset": lambda p: -(p // 2)}, "r = S·i + a − P // 2"),
    "one too far": ({"offset": lambda p: 1 - p}, "r = S·i + a − P + 1"),
    "= for +=": (
        {"assign": True},
        "each window overwrites what was there before (= where += belongs): terms are there only where no later window sees",
    ),
    "rows turned": ({"turned": True}, "w is used turned round along its rows"),
    "mean over the batch": ({"factor": lambda n, s: 1 / n}, "every term is divided by N"),
    "divided by the stride": ({"factor": lambda n, s: 1 / s**2}, "every term is divided by S²"),
    "last row left out": ({"rows": lambda o: o - 1}, "it is not the last output row i"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_said_as_a_rule_and_only_of_its_output(name: str) -> None:
    change, words = SLIPS[name]
    (finding,) = find_differences("conv_backward", answering(with_dx(change), "conv_backward"))
    assert finding.leaf == "dx"
    assert words in finding.rule
    assert finding.example.startswith("dx[")


@settings(max_examples=12, deadline=None)
@given(
    step=st.sampled_from([lambda s: s, lambda s: 1, lambda s: s + 1, lambda s: 2 * s]),
    offset=st.sampled_from([lambda p: -p, lambda p: 0, lambda p: p, lambda p: -p - 1, lambda p: -2 * p]),
    assign=st.booleans(),
    factor=st.sampled_from([lambda n, s: 1.0, lambda n, s: 1 / n, lambda n, s: -1.0, lambda n, s: 1 / s]),
)
def test_the_rule_gives_the_candidates_terms_in_calls_that_it_was_not_found_by(
    step: Any, offset: Any, assign: bool, factor: Any
) -> None:
    change = {"step": step, "offset": offset, "assign": assign, "factor": factor}
    answer = answering(with_dx(change), "conv_backward")
    (plan,) = PLANS["conv_backward"]
    explained = [one for one in explain_outputs("conv_backward", answer, plan) if one.finding.leaf == "dx"]
    held_out = read_terms("conv_backward", answer, plan, geometries=HELD_OUT).terms["dx"]
    assert len(held_out) == len(HELD_OUT)
    if not explained:
        assert assign or all(
            terms.agree for terms in held_out
        )  # where windows do not overlap any more, = overwrites by other rules
    for one in explained:
        assert isinstance(one.rule, Rule)
        for terms in held_out:
            predicted = one.rule.coefficients(terms)
            assert predicted is not None
            np.testing.assert_allclose(predicted, terms.got, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("student", [s for s in STUDENTS if s.kind in PLANS], ids=lambda student: student.name)
def test_of_right_implementations_nothing_is_found(student: Student) -> None:
    assert find_differences(student.kind, answering(student.function, student.kind)) == ()


def test_several_faults_are_said_each() -> None:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        dx, dw, db = sums.conv_backward(dy, x, w, stride=stride, padding=padding)
        return dx[:, ::-1], dw / len(x) + 0.5 * w, np.trunc(db)

    findings = {f.leaf: f for f in find_differences("conv_backward", answering(backward, "conv_backward"))}
    rules = [f.rule for f in find_differences("conv_backward", answering(backward, "conv_backward"))]
    assert set(findings) == {"dx", "dw", "db"}
    assert any("turned round along its rows" in rule for rule in rules)
    assert any("0.5·w is added, as weight decay does" in rule for rule in rules)
    assert any("dw: every term is divided by N" in rule for rule in rules)
    assert any("its fractions are cut off" in rule for rule in rules)


def test_another_answer_each_time_is_said() -> None:
    rng = np.random.default_rng(0)

    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        dx, dw, db = sums.conv_backward(dy, x, w, stride=stride, padding=padding)
        return dx, dw + 1e-3 * rng.random(), db

    (finding,) = find_differences("conv_backward", answering(backward, "conv_backward"))
    assert "another one each time for the same input" in finding.rule


def test_a_shape_is_said_by_its_formula() -> None:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        grown = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        dx, dw, db = sums.conv_backward(dy, grown, w, stride=stride)
        return dx, dw, db

    (finding,) = find_differences("conv_backward", answering(backward, "conv_backward"))
    assert "the number of rows is H + 2·P, the padding is not cut off" in finding.rule


def test_an_empty_slice_without_padding_is_said() -> None:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        grown = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        dx, dw, db = sums.conv_backward(dy, grown, w, stride=stride)
        return dx[:, padding:-padding, padding:-padding], dw, db

    (finding,) = find_differences("conv_backward", answering(backward, "conv_backward"))
    assert "0 where P = 0, as a slice [P:−P] is empty then" in finding.rule


def test_a_report_says_the_rule_and_one_number_worked_out() -> None:
    report = grade(with_dx({"step": lambda s: s + 1}), "conv_backward")
    assert report.verdict == "bug"
    assert "(S + 1)·i" in (report.diagnosis or "")
    assert "for example dx[" in str(report)
    assert report.to_dict()["findings"][0]["leaf"] == "dx"


def test_a_rule_has_to_hold_for_any_number_of_examples() -> None:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        dx, dw, db = sums.conv_backward(dy, x, w, stride=stride, padding=padding)
        return 2 * dx if len(x) == 2 else dx, dw, db

    rules = [finding.rule for finding in find_differences("conv_backward", answering(backward, "conv_backward"))]
    assert not any("multiplied by N" in rule or "divided by" in rule for rule in rules)


def test_of_what_is_not_finite_no_formula_is_read() -> None:
    for kind in ("sigmoid_backward", "tanh_backward"):
        (finding,) = find_differences(kind, answering(lambda dy, x: x * np.inf, kind))
        assert "is NaN or infinite everywhere" in finding.rule


@pytest.mark.parametrize("computes", [True, False], ids=["computes", "waits"])
def test_a_slow_candidate_is_not_probed_for_ever(computes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def answer(case: Case) -> Outcome:
        nonlocal calls
        calls += 1
        outcome = call(sums.conv_backward, kind_of("conv_backward"), case)
        return outcome._replace(seconds=0.3 if computes else 0.0)

    clock = itertools.count(step=0.3)
    monkeypatch.setattr(patience.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(patience, "LONGEST", 0.5)
    find_differences("conv_backward", answer, seconds=0.5 if computes else 1e9)
    assert calls < 10
