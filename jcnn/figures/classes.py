"""Class by class: how many images were recognised, and how often the right class is among the likeliest, as HTML tables."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from jcnn.classification import class_counts, confusion_counts, top_k_right
from jcnn.figures.page import table
from jcnn.percentages import share

LISTED = 20
"""Classes up to which all are listed in their order; of more the weakest come first, the rest on demand."""

GUESSES = (1, 2, 3, 5, 10)

HEADS = ("class", "images", "right", "accuracy", "taken for it", "precision", "mostly taken for")


def top_k(scores: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"]) -> dict[int, str]:
    """How often the right class is among the k likeliest, exact, by k; for fewer guesses than classes."""
    guesses = [k for k in GUESSES if k == 1 or k < scores.shape[1]]
    return {k: share(top_k_right(scores, labels, k), len(labels), least=2) for k in guesses}


def class_rows(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], class_names: Sequence[str]
) -> list[tuple[str, ...]]:
    """A row of texts for every class, under `HEADS`; of more than 20 classes the weakest come first."""
    found = class_counts(labels, predicted, len(class_names))
    wrong = confusion_counts(labels, predicted, len(class_names))
    np.fill_diagonal(wrong, 0)
    rows = [
        (
            class_names[index],
            f"{images:,}",
            f"{right:,}",
            share(right, images),
            f"{taken:,}",
            share(right, taken),
            f"{class_names[wrong[index].argmax()]} ({wrong[index].max():,}×)" if wrong[index].any() else "",
        )
        for index, (images, taken, right) in enumerate(zip(*(counts.tolist() for counts in found), strict=True))
    ]
    if len(rows) <= LISTED:
        return rows
    order = np.argsort(found.recall, kind="stable")  # classes without images come last
    return [rows[index] for index in order]


def classes_table(labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], class_names: Sequence[str]) -> str:
    """The rows as HTML, those beyond the twentieth folded away."""
    rows = class_rows(labels, predicted, class_names)
    first = _table(rows[:LISTED])
    if len(rows) <= LISTED:
        return first
    return f"{first}\n<details>\n<summary>The other {len(rows) - LISTED} classes</summary>\n{_table(rows[LISTED:])}\n</details>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    return table(HEADS, rows, "Classes", numbers=range(1, len(HEADS) - 1))
