"""Counts of a classifier's answers, against the same by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jcnn.classification import class_counts, confusion_counts, top_k_right
from tests.draws import draws

LABELS = np.array([0, 0, 0, 1, 1, 3])
PREDICTED = np.array([0, 0, 1, 1, 0, 0])


def test_each_class_by_hand() -> None:
    found = class_counts(LABELS, PREDICTED, 4)
    assert [part.tolist() for part in found] == [[3, 2, 0, 1], [4, 2, 0, 0], [2, 1, 0, 0]]
    np.testing.assert_allclose(found.recall, [2 / 3, 1 / 2, np.nan, 0])
    np.testing.assert_allclose(found.precision, [1 / 2, 1 / 2, np.nan, np.nan])


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties, some of them no numbers, and labels."""
    n, classes = draw(st.integers(0, 12)), draw(st.integers(1, 6))
    scores = draw(arrays(np.float64, (n, classes), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0, np.inf, np.nan])))
    return scores, draw(arrays(np.int64, n, elements=st.integers(0, classes - 1)))


@given(scored())
@draws()
def test_k_guesses(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    """One guess is argmax's, all are always right, and each more may only help; k counts as sorting them one by one does."""
    scores, labels = drawn
    classes = scores.shape[1]
    right = [top_k_right(scores, labels, k) for k in range(1, classes + 1)]
    assert right[0] == (scores.argmax(-1) == labels).sum()
    assert right[-1] == len(labels)
    assert right == sorted(right)
    for row, label in zip(scores, labels.tolist(), strict=True):
        if not np.isnan(row).any():
            order = sorted(range(classes), key=lambda index, row=row: -row[index])
            assert [top_k_right(row[None], np.array([label]), k) for k in range(1, classes + 1)] == [
                int(label in order[:k]) for k in range(1, classes + 1)
            ]


@pytest.mark.parametrize(
    ("scores", "labels", "k", "message"),
    [
        (np.zeros((2, 3)), np.zeros(3, int), 1, r"scores \(2, 3\) and labels \(3,\): expected \(N, classes\) and \(N,\)"),
        (np.zeros((2, 3)), np.zeros(2, int), 0, "k=0: expected an integer of at least 1"),
        (np.zeros((2, 3)), np.zeros(2, int), 4, "k=4: expected an integer from 1 to 3"),
        (np.zeros((2, 3)), np.full(2, 3), 1, "labels go from 3 to 3: expected 0 to 2"),
    ],
)
def test_bad_input(scores: Any, labels: Any, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        top_k_right(scores, labels, k)


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        ([0, 1], [0], r"labels \(2,\) and predicted \(1,\)"),
        ([0, 2], [0, 1], "labels go from 0 to 2: expected 0 to 1"),
        ([0, 1], [-1, 1], "predicted go from -1 to 1: expected 0 to 1"),
    ],
)
def test_counts_that_cannot_be(labels: list[int], predicted: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_counts(np.array(labels), np.array(predicted), 2)
