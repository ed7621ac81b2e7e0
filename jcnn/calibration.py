"""Calibration: whether what a network calls 90 % sure is right in nine cases of ten."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jcnn import geometry

BINS = 15
"""As in Guo et al. 2017."""


class Reliability(NamedTuple):
    """Images sorted into bins by their confidence, the probability of the class that was predicted.

    Attributes:
        edges: of the bins, (bins + 1,): bin m holds confidences above edges[m], up to edges[m + 1]; the first also 0.
        counts: images in each bin, (bins,).
        confidence: their mean confidence; not a number where there are none.
        accuracy: the part of them that was right; not a number where there are none.
    """

    edges: Float[np.ndarray, " edges"]
    counts: Int[np.ndarray, " bins"]
    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]

    @property
    def gaps(self) -> Float[np.ndarray, " bins"]:
        """|accuracy − confidence|, 0 in empty bins."""
        return np.where(self.counts > 0, np.abs(np.nan_to_num(self.accuracy) - np.nan_to_num(self.confidence)), 0.0)


def reliability(
    probabilities: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], *, bins: int = BINS
) -> Reliability:
    """Accuracy against confidence, in bins of equal width: the reliability diagram as numbers.

    Args:
        probabilities: of every class, (N, classes).
        labels: the true classes, (N,).
        bins: how many.

    Raises:
        ValueError: no images, arrays that do not fit, probabilities outside 0 … 1 or labels outside 0 … classes − 1.

    Source: DeGroot & Fienberg 1983, "The comparison and evaluation of forecasters"; Niculescu-Mizil & Caruana 2005, "Predicting
    good probabilities with supervised learning".
    """
    probabilities, labels = _checked(probabilities, labels)
    geometry.integer("bins", bins, 1)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    chosen = np.clip(np.searchsorted(edges, confidence) - 1, 0, bins - 1)
    counts = np.bincount(chosen, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            edges,
            counts,
            np.bincount(chosen, confidence, bins) / counts,
            np.bincount(chosen, right, bins) / counts,
        )


def expected_calibration_error(
    probabilities: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], *, bins: int = BINS
) -> float:
    """ECE = Σ_m |B_m| / n · |acc(B_m) − conf(B_m)| over bins B_m of equal width; from 0 to 1, 0 is calibrated.

    acc is the part of a bin's images that was right, conf the mean probability of the predicted class. It is what holds for
    these images: of few, even a perfectly calibrated network has more than 0. Arguments and errors as `reliability`.

    Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3; Naeini et al. 2015, "Obtaining well
    calibrated probabilities using Bayesian binning".
    """
    found = reliability(probabilities, labels, bins=bins)
    return float(found.counts @ found.gaps / found.counts.sum())


def brier_score(probabilities: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"]) -> float:
    """The mean over images of Σ_c (p_c − [c is the true class])²; from 0 to 2. Arguments and errors as `reliability`.

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    probabilities, labels = _checked(probabilities, labels)
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def _checked(probabilities: object, labels: object) -> tuple[np.ndarray, np.ndarray]:
    given, classes = np.asarray(probabilities, np.float64), np.asarray(labels)
    if given.ndim != 2 or classes.shape != given.shape[:1] or not given.size:
        raise ValueError(
            f"probabilities {given.shape} and labels {classes.shape}: expected (N, classes) and (N,), of at least one image"
        )
    if not np.issubdtype(classes.dtype, np.integer):
        raise ValueError(f"labels have dtype {classes.dtype}: expected integers, the class number of every image")
    if not ((given >= 0) & (given <= 1 + 1e-6)).all():
        raise ValueError(f"probabilities go from {given.min()} to {given.max()}: expected 0 to 1, as a softmax makes them")
    if not 0 <= classes.min() <= classes.max() < given.shape[1]:
        raise ValueError(f"labels go from {classes.min()} to {classes.max()}: expected 0 to {given.shape[1] - 1}")
    return given, classes
