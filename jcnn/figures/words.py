"""What each figure shows, said in numbers: the text for those who do not see it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jcnn.figures.confusion import count, largest_confusions
from jcnn.figures.curves import first_broken, series
from jcnn.figures.feature_maps import Journey
from jcnn.figures.filters import MOST, FirstFilters
from jcnn.figures.mistakes import find_mistakes, percent


def about_curves(records: Sequence[Mapping[str, Any]]) -> str:
    """Where each curve begins and ends."""
    parts = []
    for split, name in (("train", "training"), ("test", "test")):
        for value in ("loss", "accuracy"):
            epochs, values = series(records, split, value)
            there = np.isfinite(values)
            if there.any():
                first, last = (_value(value, number) for number in values[there][[0, -1]])
                parts.append(f"{name} {value} from {first} to {last} at epoch {epochs[there][-1]:.3g}")
    broken = first_broken(records, "loss")
    if broken is not None:
        parts.append(f"the loss is not finite at epoch {broken:.3g}")
    return "Learning curves: " + ("; ".join(parts) if parts else "nothing was recorded") + "."


def about_confusion(labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], class_names: Sequence[str]) -> str:
    """Right answers, and the most frequent confusions."""
    counts = count(labels, predicted, len(class_names))
    text = f"Confusion matrix of {len(counts)} classes: {counts.trace():,} of {counts.sum():,} images on the diagonal"
    pairs = confusions(counts, class_names)
    return f"{text}; most often confused: {', '.join(pairs)}." if pairs else f"{text}."


def confusions(counts: Int[np.ndarray, "classes classes"], class_names: Sequence[str]) -> list[str]:
    """The most frequent confusions, each as words."""
    return [f"{class_names[true]} taken for {class_names[taken]} ({n:,}×)" for true, taken, n in largest_confusions(counts)]


def about_mistakes(
    labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"], class_names: Sequence[str], shown: int
) -> str:
    """How many mistakes there are, and the surest of them."""
    total = int((probabilities.argmax(axis=1) != labels).sum())
    if not total:
        return f"No mistakes: all {len(labels):,} test images were recognised."
    listed = [
        f"{class_names[mistake.true]} taken for {class_names[mistake.predicted]} with {percent(mistake.probability)}"
        for mistake in find_mistakes(labels, probabilities, shown)
    ]
    shown = min(total, shown)
    return f"{shown} of {total:,} mistakes among {len(labels):,} test images, the most confident first: {'; '.join(listed)}."


def about_filters(found: FirstFilters) -> str:
    """How many filters of what size, and the range of their weights."""
    _, height, width = found.tiles.shape[:3]
    kind = "in colour" if found.tiles.ndim == 4 else "blue for negative, orange for positive weights"
    tiles = f", {MOST} tiles of {len(found.tiles)} shown" if len(found.tiles) > MOST else ""
    size = f"{found.filters} filters of {height}×{width} pixels"
    return f"{size} of layer {found.layer}{tiles}, {kind}; weights between −{found.scale:.2g} and +{found.scale:.2g}."


def about_journey(journey: Journey, true_class: str, class_names: Sequence[str]) -> str:
    """The image's class, how many layers are shown, and what the network thinks it is."""
    text = f"One test image of class {true_class} and what the layers make of it, {len(journey.stages)} of them shown"
    if journey.probabilities is None:
        return f"{text}."
    best = int(journey.probabilities.argmax())
    return f"{text}; the likeliest class is {class_names[best]} with {percent(float(journey.probabilities[best]))}."


def _value(name: str, number: float) -> str:
    return f"{100 * number:.1f} %" if name == "accuracy" else f"{number:.3g}"
