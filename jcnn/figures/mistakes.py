"""The most confident mistakes: where the network was sure, and wrong."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.figure import Figure

from jcnn.figures.images import draw_image
from jcnn.figures.style import LIGHT, SMALL, WIDTH, Theme, bare, new_figure, shorten, statement
from jcnn.percentages import probability


class Mistake(NamedTuple):
    """One image taken for another class, and the probability the network gave that class."""

    image: int
    true: int
    predicted: int
    probability: float


def find_mistakes(labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"], count: int) -> list[Mistake]:
    """The mistakes with the highest probability, at most `count`; those that are not a number last."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    sure = probabilities[wrong, predicted[wrong]]
    order = wrong[np.argsort(-sure, kind="stable")][:count]
    return [Mistake(int(i), int(labels[i]), int(predicted[i]), float(probabilities[i, predicted[i]])) for i in order]


def confident_mistakes(
    images: UInt8[np.ndarray, "n h w c"],
    labels: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n classes"],
    class_names: Sequence[str],
    count: int = 12,
    *,
    theme: Theme = LIGHT,
) -> Figure:
    """The mistakes the network was surest of: the image, true → predicted class, and the probability of the latter.

    Args:
        images: (N, H, W, C), uint8.
        labels: true class numbers, (N,).
        probabilities: (N, classes).
        class_names: one name per class.
        count: mistakes shown at most.
        theme: the colours.

    Returns:
        The figure; without mistakes, one that says so.
    """
    mistakes = find_mistakes(labels, probabilities, count)
    if not mistakes:
        total = len(labels)
        words = f"No mistakes: all {total:,} images were recognised." if total else "No images were tested."
        return statement(words, theme)
    long = max(len(class_names[index]) for mistake in mistakes for index in (mistake.true, mistake.predicted)) > 5
    columns = 3 if long else 4
    rows = -(-len(mistakes) // columns)
    _, height, width, _ = images.shape
    tile = (WIDTH / columns - 0.2) * min(height / width, 2.0)
    figure = new_figure(rows * (tile + (0.7 if long else 0.52)), theme)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.08)  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, mistake in zip(grid.flat, mistakes, strict=False):
        draw_image(axes, images[mistake.image])
        true, predicted = (shorten(class_names[index], 14) for index in (mistake.true, mistake.predicted))
        words = f"{true}{chr(10) if long else ' '}→ {predicted}"
        axes.set_title(words, parse_math=False, loc="left", color=theme.ink, fontsize=SMALL + (0 if long else 2), pad=3)
        axes.set_xlabel(probability(mistake.probability), loc="left", color=theme.muted, fontsize=SMALL, labelpad=2)
    for axes in grid.flat:
        bare(axes)
    return figure


def about_mistakes(
    labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"], class_names: Sequence[str], shown: int
) -> str:
    """How many mistakes there are, and the surest of them."""
    total = int((probabilities.argmax(axis=1) != labels).sum())
    if not total:
        return f"No mistakes: all {len(labels):,} test images were recognised."
    listed = [
        f"{class_names[mistake.true]} taken for {class_names[mistake.predicted]} with {probability(mistake.probability)}"
        for mistake in find_mistakes(labels, probabilities, shown)
    ]
    shown = min(total, shown)
    return f"{shown} of {total:,} mistakes among {len(labels):,} test images, the most confident first: {'; '.join(listed)}."
