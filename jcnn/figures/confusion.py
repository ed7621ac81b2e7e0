"""The confusion matrix: what each class was taken for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from jcnn.classification import confusion_counts
from jcnn.figures.style import LIGHT, SMALL, TEXT, WIDTH, Theme, new_figure, plain, readable_on, sequential, shorten
from jcnn.percentages import share

COUNTED = 20
"""Classes up to which every cell carries its number."""

NAMED = 40
"""Classes up to which every row carries its name."""


def largest_confusions(counts: Int[np.ndarray, "classes classes"], most: int = 5) -> list[tuple[int, int, int]]:
    """(true class, predicted class, how often), most frequent first, only what happened."""
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(index), len(counts)) for index in order]
    return [(true, taken, int(wrong[true, taken])) for true, taken in pairs if wrong[true, taken]]


def confusion_matrix(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], class_names: Sequence[str], *, theme: Theme = LIGHT
) -> Figure:
    """True classes as rows, predicted ones as columns; right answers in blue, mistakes in orange, empty cells left empty.

    Each of the two colours has a scale of its own, so that a few mistakes do not drown in many right answers. Up to 20 classes
    every cell carries its number and every row its share of right answers; up to 40 every class its name; above, every tenth.

    Args:
        labels: true class numbers, (N,).
        predicted: predicted class numbers, (N,).
        class_names: one name per class.
        theme: the colours.

    Raises:
        ValueError: labels and predictions of different shapes, or without a class name.
    """
    counts = confusion_counts(labels, predicted, len(class_names))
    counted = len(counts) <= COUNTED
    figure = new_figure(_height(class_names), theme)
    axes = figure.add_subplot()
    diagonal = np.eye(len(counts), dtype=bool)
    right = _layer(axes, counts, ~diagonal | (counts == 0), theme, theme.blue)
    wrong = _layer(axes, counts, diagonal | (counts == 0), theme, theme.orange)
    plain(axes, theme)
    _names(axes, class_names)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(theme.rule)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if counted:
        axes.set_xticks(np.arange(0.5, len(counts) - 1), minor=True)
        axes.set_yticks(np.arange(0.5, len(counts) - 1), minor=True)
        axes.grid(which="minor", color=theme.rule, linewidth=0.5)
        axes.tick_params(which="minor", length=0)
        _numbers(axes, counts, right, wrong, theme)
        _shares(axes, counts, theme)
    elif counts[~diagonal].any():
        bar = figure.colorbar(
            wrong, ax=axes, orientation="horizontal", shrink=0.5, aspect=30, ticks=MaxNLocator(4, integer=True)
        )
        bar.set_label("mistakes in a cell (images)", color=theme.ink, fontsize=SMALL)
        bar.ax.tick_params(labelcolor=theme.muted, color=theme.muted, labelsize=SMALL)
        bar.ax.spines[:].set_visible(False)
    return figure


def about_confusion(labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], class_names: Sequence[str]) -> str:
    """Right answers, and the most frequent confusions."""
    counts = confusion_counts(labels, predicted, len(class_names))
    text = f"Confusion matrix of {len(counts)} classes: {counts.trace():,} of {counts.sum():,} images on the diagonal"
    pairs = confusions(counts, class_names)
    return f"{text}; most often confused: {', '.join(pairs)}." if pairs else f"{text}."


def confusions(counts: Int[np.ndarray, "classes classes"], class_names: Sequence[str]) -> list[str]:
    """The most frequent confusions, each as words."""
    return [f"{class_names[true]} taken for {class_names[taken]} ({n:,}×)" for true, taken, n in largest_confusions(counts)]


def _layer(axes: Axes, counts: np.ndarray, hidden: np.ndarray, theme: Theme, colour: str) -> AxesImage:
    shown = np.ma.masked_array(counts, hidden)
    top = int((counts * ~hidden).max(initial=1))
    return axes.imshow(shown, cmap=sequential(theme, colour), vmin=0, vmax=top, interpolation="none")


def _names(axes: Axes, class_names: Sequence[str]) -> None:
    names = _shown(class_names)
    axes.set_yticks(list(names), list(names.values()), parse_math=False)
    if len(class_names) <= NAMED:
        axes.set_xticks(list(names), list(names.values()), parse_math=False, rotation=90 if _longest(class_names) > 3 else 0)
        axes.tick_params(labelsize=SMALL if len(class_names) <= COUNTED else 6.5, length=0)
    else:
        axes.set_xticks(list(names))


def _shown(class_names: Sequence[str]) -> dict[int, str]:
    """The names at the rows: all of them, or every tenth with its number."""
    if len(class_names) <= NAMED:
        return {index: shorten(name, 14) for index, name in enumerate(class_names)}
    return {index: shorten(f"{index} {class_names[index]}", 18) for index in range(0, len(class_names), 10)}


def _longest(class_names: Sequence[str]) -> int:
    return max(map(len, _shown(class_names).values()))


def _height(class_names: Sequence[str]) -> float:
    """Inches for a square matrix that is as wide as the names and shares beside it let it be."""
    letter = (0.008 if len(class_names) <= COUNTED or len(class_names) > NAMED else 0.0055) * SMALL
    names = letter * _longest(class_names)
    matrix = WIDTH - 0.45 - names - (0.6 if len(class_names) <= COUNTED else 0.1)
    upright = names if _longest(class_names) > 3 and len(class_names) <= NAMED else 0.2
    return matrix + upright + (0.6 if len(class_names) <= COUNTED else 1.05)


def _numbers(axes: Axes, counts: np.ndarray, right: AxesImage, wrong: AxesImage, theme: Theme) -> None:
    cell = 0.72 * WIDTH * 72 / len(counts)
    size = min(TEXT, cell * 0.6, cell / (0.65 * len(str(counts.max()))))
    for row, column in zip(*np.nonzero(counts), strict=True):
        image = right if row == column else wrong
        colour = readable_on(image.to_rgba(counts[row, column]), theme)
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=size, gid="count")


def _shares(axes: Axes, counts: np.ndarray, theme: Theme) -> None:
    edge = len(counts) - 0.5 + 0.03 * len(counts)
    style = {"color": theme.muted, "fontsize": SMALL, "va": "center", "gid": "share"}
    for row, (total, hits) in enumerate(zip(counts.sum(axis=1).tolist(), counts.diagonal().tolist(), strict=True)):
        axes.text(edge, row, share(hits, total, least=0), **style)
    axes.text(edge, -0.5, "right", **{**style, "va": "bottom"})
