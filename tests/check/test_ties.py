"""Shares of ties: what is a mean of choices is found to be one, whatever overlaps; what is none is not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.check import grade
from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.ties import ties
from jcnn.definition import sums
from tests.draws import draws
from tests.geometries import pools
from tests.references import Geometry, levels, normal


def dealt(rng: np.random.Generator, seen: np.ndarray) -> np.ndarray:
    """Random shares of the tied taps."""
    best = (seen == seen.max(0)) * rng.exponential(size=seen.shape)
    return best / best.sum(0)


@draws()
@given(pools(), st.integers(0, 2**16), st.integers(1, 3))
def test_any_shares_are_possible_and_no_others(g: Geometry, seed: int, count: int) -> None:
    x, rng = levels(2, *g.sizes, 2, count=count, seed=seed), np.random.default_rng(seed)
    dy = normal(2, *g.outputs, 2, seed=seed)
    kind = kind_of("max_pool_backward")
    case = Case("drawn", {"dy": dy, "x": x, "window": g.window}, g.options, frozenset(), whole=False)
    (expected,) = kind.expected(case)
    dx = sums.max_pool_backward(dy, x, g.window, share=lambda seen: dealt(rng, seen), **g.options)
    assert expected.together
    limit = np.full(x.shape, 1e-12)
    assert ((expected.low - limit <= dx) & (dx <= expected.high + limit)).all()
    assert expected.together(dx, limit)
    assert expected.together(expected.value, limit)
    kink = np.argwhere(expected.low < expected.high)
    if len(kink):
        dx[tuple(rng.choice(kink))] += 0.01 * np.abs(dy).max()
        assert not expected.together(dx, limit)  # more goes back than came in


def test_signs_may_differ_between_windows_that_share_a_pixel() -> None:
    """Two windows, [a b] and [b c], all tied, dy = (1, −1): b can keep both, one of them or neither."""
    seen, places = np.zeros((2, 2)), np.array([[0, 1], [1, 2]])
    found = ties(np.array([1.0, -1.0]), seen, places, (3,))
    low, high = found.span()
    assert (low.tolist(), high.tolist()) == ([0, -1, -1], [1, 1, 0])
    for dx, valid in (
        ([0, 0, 0], True),
        ([1, -1, 0], True),
        ([0, 1, -1], True),
        ([0.25, 0.25, -0.5], True),
        ([1, 1, 0], False),
        ([0, 0.5, 0], False),
        ([0.5, 0.5, -0.9], False),
        ([np.nan, 0, 0], False),
    ):
        assert found.possible(np.array(dx, float), np.zeros(3)) is valid, dx


@pytest.mark.parametrize("kind", ["max_pool_backward", "global_max_pool_backward", "maxout_backward"])
def test_too_much_at_ties_is_a_bug(kind: str) -> None:
    def more(dy: Any, x: Any, *args: Any, **options: Any) -> Any:
        (right,) = kind_of(kind).expected(
            Case("", dict(zip(kind_of(kind).cases[0].args, (dy, x, *args), strict=True)), options, frozenset(), whole=False)
        )
        return right.high

    report = grade(more, kind)
    assert report.verdict == "bug"
    assert report.worst
    assert report.worst.expected != report.worst.got
