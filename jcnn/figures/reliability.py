"""The reliability diagram: how often answers of one confidence are right."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from jcnn.calibration import BINS, brier_score, expected_calibration_error, reliability
from jcnn.figures.style import LIGHT, SMALL, Theme, new_figure, plain, statement
from jcnn.percentages import percent

NOT_FINITE = "Not every probability is a finite number: there is no calibration to show."


def reliability_diagram(
    probabilities: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], *, theme: Theme = LIGHT
) -> Figure:
    """Accuracy against confidence in 15 bins, on the diagonal where a network is calibrated, above how many images are in each.

    Below the diagonal a network is too sure of itself, above it not sure enough: the gap is drawn in orange.

    Args:
        probabilities: of every class, (N, classes).
        labels: the true classes, (N,).
        theme: the colours.

    Returns:
        The figure; where probabilities are not finite, one that says so.
    """
    if not np.isfinite(probabilities).all():
        return statement(NOT_FINITE, theme)
    found = reliability(probabilities, labels)
    there = found.counts > 0
    places, width = 100 * (found.edges[:-1] + found.edges[1:]) / 2, 100 / BINS
    accuracy, confidence = 100 * found.accuracy[there], 100 * found.confidence[there]
    figure = new_figure(5.2, theme)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(places[there], accuracy, 0.9 * width, color=theme.blue, label="accuracy")
    bottoms, gaps = np.minimum(accuracy, confidence), np.abs(accuracy - confidence)
    style = {"facecolor": "none", "edgecolor": theme.orange, "hatch": "////", "linewidth": 1.2}
    upper.bar(places[there], gaps, 0.9 * width, bottoms, label="gap to the mean confidence", **style)
    upper.plot([0, 100], [0, 100], color=theme.muted, linewidth=1, linestyle="--", label="calibrated")
    upper.set_ylim(0, 100)
    upper.set_ylabel("accuracy (%)")
    lower.bar(places[there], found.counts[there], 0.9 * width, color=theme.muted)
    lower.set_yscale("log")
    lower.set_ylim(bottom=0.7)
    lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    lower.yaxis.set_minor_locator(NullLocator())
    lower.set_ylabel("images")
    lower.set_xlabel("confidence: probability of the predicted class (%)")
    lower.set_xlim(0, 100)
    for axes in (upper, lower):
        plain(axes, theme)
        axes.grid(axis="y", color=theme.rule, linewidth=0.6)
        axes.set_axisbelow(True)
    figure.legend(loc="outside upper left", ncols=3, frameon=False, labelcolor=theme.ink, fontsize=SMALL - 1, handlelength=1.2)
    return figure


def about_reliability(probabilities: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"]) -> str:
    """The expected calibration error, on which side of the diagonal, and the Brier score."""
    if not np.isfinite(probabilities).all():
        return NOT_FINITE
    confidence = float(probabilities.max(axis=1).mean())
    right = float((probabilities.argmax(axis=1) == labels).mean())
    return (
        f"Reliability diagram of {len(labels):,} images in {BINS} bins: expected calibration error "
        f"{percent(expected_calibration_error(probabilities, labels), 2)}, "
        f"Brier score {brier_score(probabilities, labels):.3g}; "
        f"mean confidence {percent(confidence)}, accuracy {percent(right)}, {_side(confidence - right)}."
    )


def _side(excess: float) -> str:
    """Whether the network is too sure, beyond what the rounding of percentages hides."""
    if abs(excess) < 5e-4:
        return "in the mean as sure as it is right"
    return f"in the mean {'more' if excess > 0 else 'less'} sure than right"
