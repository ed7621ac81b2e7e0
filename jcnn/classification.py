"""How well a classifier answers: which classes it takes for which, class by class, and its k best guesses.

Counts are exact integers, so that whatever is shown of them can be, too.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jcnn import geometry


class ClassCounts(NamedTuple):
    """Of every class, three counts.

    Attributes:
        images: how many images are of it.
        predicted: how many were taken for it.
        right: how many of the first are among the second.
    """

    images: Int[np.ndarray, " classes"]
    predicted: Int[np.ndarray, " classes"]
    right: Int[np.ndarray, " classes"]

    @property
    def recall(self) -> Float[np.ndarray, " classes"]:
        """The part of a class's images that were recognised, its accuracy; not a number where there are no images."""
        return _ratio(self.right, self.images)

    @property
    def precision(self) -> Float[np.ndarray, " classes"]:
        """The part of what was taken for a class that is of it; not a number where nothing was."""
        return _ratio(self.right, self.predicted)


def confusion_counts(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], classes: int
) -> Int[np.ndarray, "classes classes"]:
    """How many images of class i (row) were taken for class j (column).

    Raises:
        ValueError: labels and predictions of different shapes, or outside 0 … classes − 1.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and predicted {predicted.shape}: expected two vectors of one length")
    for name, values in (("labels", labels), ("predicted", predicted)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(f"{name} go from {values.min()} to {values.max()}: expected 0 to {classes - 1}")
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_counts(labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], classes: int) -> ClassCounts:
    """Images, predictions and right answers of every class; arguments and errors as `confusion_counts`."""
    counts = confusion_counts(labels, predicted, classes)
    return ClassCounts(counts.sum(axis=1), counts.sum(axis=0), counts.diagonal())


def top_k_right(scores: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], k: int) -> int:
    """How many images have their class among the k that score highest.

    Of equal scores the class that comes first counts as the higher one, and one that is not a number as the highest, both as
    `argmax` has them: `top_k_right(scores, labels, 1)` counts the images whose `argmax` is their label.

    Args:
        scores: (N, classes), logits or probabilities.
        labels: the true classes, (N,).
        k: guesses that count, from 1 to classes.

    Raises:
        ValueError: arrays that do not fit, labels outside 0 … classes − 1, or k out of range.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"scores {scores.shape} and labels {labels.shape}: expected (N, classes) and (N,)")
    classes = scores.shape[1]
    if not 1 <= geometry.integer("k", k, 1) <= classes:
        raise ValueError(f"k={k}: expected an integer from 1 to {classes}, the classes")
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels go from {labels.min()} to {labels.max()}: expected 0 to {classes - 1}")
    # Read backwards, an ascending order has what is not a number first, and of equal scores the first class first.
    guesses = classes - 1 - np.argsort(scores[:, ::-1], axis=1, kind="stable")[:, : -k - 1 : -1]
    return int((guesses == labels[:, None]).sum())


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
