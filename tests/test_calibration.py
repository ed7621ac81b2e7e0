"""Calibration against values by hand, and against laws that hold for any predictions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jcnn.calibration import brier_score, expected_calibration_error, reliability
from tests.draws import draws

BY_HAND = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55], [0.0, 1.0]])
LABELS = np.array([0, 1, 1, 0, 1])
"""Confidences .9 right, .8 wrong, .7 right, .55 wrong, 1 right."""


def test_the_bins_by_hand() -> None:
    found = reliability(BY_HAND, LABELS, bins=4)
    np.testing.assert_array_equal(found.edges, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(found.counts, [0, 0, 2, 3])
    np.testing.assert_allclose(found.confidence, [np.nan, np.nan, 0.625, 0.9])
    np.testing.assert_allclose(found.accuracy, [np.nan, np.nan, 0.5, 2 / 3])
    np.testing.assert_allclose(found.gaps, [0, 0, 0.125, 0.7 / 3])


def test_the_error_by_hand() -> None:
    assert expected_calibration_error(BY_HAND, LABELS, bins=4) == pytest.approx((2 * 0.125 + 3 * 0.7 / 3) / 5)
    assert expected_calibration_error(BY_HAND, LABELS, bins=1) == pytest.approx(0.79 - 0.6)
    # Alone in its bin every image has the gap 1 − p where it is right, p where it is wrong.
    assert expected_calibration_error(BY_HAND, LABELS, bins=20) == pytest.approx((0.1 + 0.8 + 0.3 + 0.55 + 0) / 5)


def test_the_brier_score_by_hand() -> None:
    assert brier_score(BY_HAND, LABELS) == pytest.approx(2 * (0.01 + 0.64 + 0.09 + 0.3025 + 0) / 5)


def test_a_bin_holds_its_upper_edge() -> None:
    """As (m − 1)/M < p ≤ m/M has it; and edges are those that are given back."""
    for bins in range(1, 60):
        edges = np.linspace(0, 1, bins + 1)[1:]
        probabilities = np.stack([edges, 0 * edges], -1)
        np.testing.assert_array_equal(reliability(probabilities, np.zeros(bins, int), bins=bins).counts, np.ones(bins))


def test_who_always_says_how_often_he_is_right_is_calibrated() -> None:
    """Of every confidence k/20 above a half, 20 images, k of them right."""
    levels = np.arange(11, 21)
    confidence = np.repeat(levels / 20, 20)
    right = np.concatenate([np.arange(20) < level for level in levels])
    probabilities = np.stack([confidence, 1 - confidence], -1)
    labels = np.where(right, 0, 1)
    assert expected_calibration_error(probabilities, labels, bins=20) == pytest.approx(0, abs=1e-15)
    # Who claims to be certain of the same answers is off by what he gets wrong.
    assert expected_calibration_error(np.eye(2)[np.zeros(200, int)], labels) == pytest.approx(1 - right.mean())


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n, classes = draw(st.integers(1, 30)), draw(st.integers(1, 5))
    logits = draw(arrays(np.float64, (n, classes), elements=st.floats(-9, 9)))
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True), draw(arrays(np.int64, n, elements=st.integers(0, classes - 1)))


@given(predictions(), st.integers(1, 20), st.integers(1, 4))
@draws()
def test_laws(drawn: tuple[np.ndarray, np.ndarray], bins: int, finer: int) -> None:
    """All images are in the bins; their gaps average to no less than the whole's, nor do finer bins; order does not matter."""
    probabilities, labels = drawn
    found = reliability(probabilities, labels, bins=bins)
    confidence, right = probabilities.max(-1), probabilities.argmax(-1) == labels
    assert found.counts.sum() == len(labels)
    there = found.counts > 0
    assert (found.counts[there] @ found.accuracy[there]) == pytest.approx(right.sum())
    assert (found.counts[there] @ found.confidence[there]) == pytest.approx(confidence.sum())
    assert (np.isnan(found.accuracy) == ~there).all()
    assert (found.confidence[there] <= found.edges[1:][there] + 1e-12).all()
    assert (found.confidence[there] >= found.edges[:-1][there] - 1e-12).all()
    error = expected_calibration_error(probabilities, labels, bins=bins)
    assert abs(right.mean() - confidence.mean()) - 1e-12 <= error <= 1
    coarse = np.linspace(0, 1, bins + 1)
    nested = np.isin(coarse, np.linspace(0, 1, finer * bins + 1)).all()
    if nested:  # where floats have the edges of the coarse bins among the fine ones
        assert error <= expected_calibration_error(probabilities, labels, bins=finer * bins) + 1e-12
    assert expected_calibration_error(probabilities[::-1], labels[::-1], bins=bins) == pytest.approx(error)
    assert 0 <= brier_score(probabilities, labels) <= 2


WRONG: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "no images": (np.zeros((0, 2)), np.zeros(0, int), {}, r"probabilities \(0, 2\) and labels \(0,\): .* at least one image"),
    "other labels": (BY_HAND, LABELS[:3], {}, r"probabilities \(5, 2\) and labels \(3,\): expected"),
    "logits": (3 * BY_HAND, LABELS, {}, r"probabilities go from 0.0 to 3.0: expected 0 to 1, as a softmax"),
    "not a number": (np.nan * BY_HAND, LABELS, {}, "probabilities go from nan to nan"),
    "a class too many": (BY_HAND, LABELS + 1, {}, "labels go from 1 to 2: expected 0 to 1"),
    "floats for classes": (BY_HAND, LABELS / 1, {}, "labels have dtype float64: expected integers"),
    "no bins": (BY_HAND, LABELS, {"bins": 0}, "bins=0: expected an integer of at least 1"),
}


@pytest.mark.parametrize(("probabilities", "labels", "options", "message"), WRONG.values(), ids=WRONG)
def test_bad_input(probabilities: Any, labels: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(probabilities, labels, **options)
