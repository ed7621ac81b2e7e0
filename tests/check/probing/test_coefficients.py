"""By what a mean is divided is said in the sizes of a call, whatever calls a pooling takes."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn.check import grade
from jcnn.check.probing.collect import read_terms
from jcnn.check.probing.explain import explain_outputs, find_differences
from jcnn.check.probing.geometries import Geometry
from jcnn.check.probing.plans import PLANS
from jcnn.check.probing.rules import Rule
from tests.check.probing.test_explain import answering

Array = np.ndarray
Sizes = dict[str, int]

DIVISORS: dict[str, tuple[Callable[[Sizes], float], str]] = {
    "S²": (lambda s: s["S"] ** 2, "divided by S² where FH·FW is right"),
    "k·C": (lambda s: s["F"] * s["C"], "divided by F·C where FH·FW is right"),
    "k·S": (lambda s: s["F"] * s["S"], "divided by F·S where FH·FW is right"),
    "k": (lambda s: s["F"], "divided by F where FH·FW is right"),
    "N·k": (lambda s: s["N"] * s["F"], "divided by F·N where FH·FW is right"),
    "k²·C": (lambda s: s["F"] ** 2 * s["C"], "divided by C."),
    "N·C": (lambda s: s["N"] * s["C"], "divided by N·C where FH·FW is right"),
    "(k + 1)²": (lambda s: (s["F"] + 1) ** 2, "divided by (F + 1)² where FH·FW is right"),
    "C": (lambda s: s["C"], "divided by C where FH·FW is right"),
    "H": (lambda s: s["H"], "divided by H where FH·FW is right"),
}
"""What is divided by in place of k², and how that is said."""


def averaging(divisor: Callable[[Sizes], float], *, padded: bool) -> Callable[..., Array]:
    """The gradient of average pooling by square windows, with another divisor; with a padding or without."""

    def backward(dy: Array, x: Array, window: int, stride: int | None = None, padding: int = 0) -> Array:
        n, h, w, c = x.shape
        step = stride or window
        dx = np.zeros((n, h + 2 * padding, w + 2 * padding, c))
        share = 1 / divisor({"S": step, "F": window, "N": n, "C": c, "H": h, "W": w})
        for i, j in np.ndindex(dy.shape[1:3]):
            dx[:, i * step : i * step + window, j * step : j * step + window] += dy[:, i : i + 1, j : j + 1] * share
        return dx[:, padding : padding + h, padding : padding + w]

    if padded:
        return backward
    return lambda dy, x, window, stride=None: backward(dy, x, window, stride)


@pytest.mark.parametrize("padded", [True, False], ids=["padded", "without padding"])
@pytest.mark.parametrize("name", DIVISORS)
def test_a_wrong_divisor_is_said_in_the_sizes_of_a_call(name: str, padded: bool) -> None:
    divisor, words = DIVISORS[name]
    answer = answering(averaging(divisor, padded=padded), "avg_pool_backward")
    (finding,) = find_differences("avg_pool_backward", answer)
    assert f"every term is {words}" in finding.rule, finding.rule


HELD_OUT = st.builds(
    Geometry,
    height=st.integers(4, 8),
    width=st.integers(4, 8),
    window=st.integers(1, 4).map(lambda size: (size, size)),
    stride=st.integers(1, 4),
    padding=st.just(0),
    examples=st.integers(1, 3),
    inputs=st.integers(1, 3),
    outputs=st.just(1),
)


@lru_cache
def rule_of(name: str) -> Rule:
    (plan,) = PLANS["avg_pool_backward"]
    answer = answering(averaging(DIVISORS[name][0], padded=False), "avg_pool_backward")
    (explained,) = explain_outputs("avg_pool_backward", answer, plan)
    assert isinstance(explained.rule, Rule)
    return explained.rule


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(sorted(DIVISORS)), geometry=HELD_OUT)
def test_the_divisor_holds_in_calls_that_are_drawn(name: str, geometry: Geometry) -> None:
    answer = answering(averaging(DIVISORS[name][0], padded=False), "avg_pool_backward")
    (plan,) = PLANS["avg_pool_backward"]
    for terms in read_terms("avg_pool_backward", answer, plan, geometries=[geometry]).terms["dx"]:
        predicted = rule_of(name).coefficients(terms)
        assert predicted is not None
        np.testing.assert_allclose(predicted, terms.got, rtol=1e-9, atol=1e-12)


def test_the_formula_is_said_before_what_is_declined() -> None:
    whole = averaging(DIVISORS["S²"][0], padded=True)

    def backward(dy: Array, x: Array, window: int, stride: int | None = None, padding: int = 0) -> Array:
        if padding:
            raise NotImplementedError
        return whole(dy, x, window, stride)

    said = str(grade(backward, "avg_pool_backward").diagnosis)
    assert said.startswith("dx: every term is divided by S² where FH·FW is right. It takes only ")


@pytest.mark.parametrize("seed", range(5))
def test_of_coefficients_that_follow_no_size_no_formula_is_said(seed: int) -> None:
    """Another fraction for each stride, window and number of channels, drawn."""

    def drawn(sizes: Sizes) -> float:
        number = sum(weight * sizes[name] for weight, name in zip((1, 7, 49, 343, 2401, 16807), sizes, strict=True))
        return float(np.random.default_rng([seed, number]).integers(2, 30))

    for padded in (True, False):
        answer = answering(averaging(drawn, padded=padded), "avg_pool_backward")
        said = [finding.rule for finding in find_differences("avg_pool_backward", answer)]
        assert not any("multiplied" in rule or "divided" in rule for rule in said)
