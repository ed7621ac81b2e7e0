from typing import Any

import numpy as np
import pytest

from jcnn.calibration import expected_calibration_error, reliability
from jcnn.figures import DARK, reliability_diagram, to_svg
from jcnn.figures.reliability import about_reliability


def predictions(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.full(4, 0.5), n), rng.integers(0, 4, n)


def test_bars_are_the_bins():
    probabilities, labels = predictions()
    axes: Any = reliability_diagram(probabilities, labels).axes
    upper, lower = axes
    found = reliability(probabilities, labels)
    there = found.counts > 0
    bars, gaps = upper.containers
    np.testing.assert_allclose([bar.get_height() for bar in bars], 100 * found.accuracy[there])
    np.testing.assert_allclose([bar.get_height() for bar in gaps], 100 * found.gaps[there])
    ends = [{round(bar.get_y(), 9), round(bar.get_y() + bar.get_height(), 9)} for bar in gaps]
    expected = [
        {round(100 * a, 9), round(100 * c, 9)} for a, c in zip(found.accuracy[there], found.confidence[there], strict=True)
    ]
    assert ends == expected
    np.testing.assert_allclose([bar.get_height() for bar in lower.patches], found.counts[there])


def test_the_words_state_the_error_and_its_side():
    probabilities, labels = predictions()
    text = about_reliability(probabilities, labels)
    assert text.startswith("Reliability diagram of 300 images in 15 bins: expected calibration error ")
    assert f"{100 * expected_calibration_error(probabilities, labels):.2f} %" in text
    assert text.endswith("in the mean more sure than right.")
    humble = np.full((4, 2), 0.5) + np.array([0.1, -0.1])
    assert about_reliability(humble, np.zeros(4, int)).endswith("accuracy 100 %, in the mean less sure than right.")
    assert about_reliability(np.eye(2), np.arange(2)).endswith("in the mean as sure as it is right.")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_probabilities_that_are_no_numbers(value: float):
    probabilities, labels = predictions(5)
    probabilities[2] = value
    assert "no calibration" in about_reliability(probabilities, labels)
    assert b"no calibration" in to_svg(reliability_diagram(probabilities, labels, theme=DARK))
