"""Learning curves: loss and accuracy over the epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from jcnn.figures.style import LIGHT, SMALL, Theme, new_figure, plain, say

SMOOTH_FROM = 60
"""Records from which a running mean is drawn over the single batches."""


def learning_curves(records: Sequence[Mapping[str, Any]], *, theme: Theme = LIGHT) -> Figure:
    """Loss above accuracy, training and test, the epoch on x.

    From 60 training records on, single batches are drawn faintly and their running mean on top. The loss is drawn on a
    logarithmic scale once it spans a factor of 30. Values that are not finite leave a gap and a note.

    Args:
        records: with `split` ("train" or "test"), `epoch`, `loss` and `accuracy`, in order.
        theme: the colours.
    """
    figure = new_figure(5.4, theme)
    upper, lower = figure.subplots(2, 1, sharex=True)
    _panel(upper, records, "loss", 1.0, theme)
    _panel(lower, records, "accuracy", 100.0, theme)
    if _spread(records) > 30:
        upper.set_yscale("log")
        upper.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        upper.yaxis.set_minor_formatter(NullFormatter())
        upper.set_ylabel("loss, log scale (nats)")
    else:
        upper.set_ylabel("loss (nats)")
        upper.set_ylim(bottom=0)
    lower.set_ylabel("accuracy (%)")
    lower.set_ylim(top=101.5)
    lower.set_xlabel("epoch (passes over the training images)")
    for axes in (upper, lower):
        plain(axes, theme)
        axes.grid(axis="y", color=theme.rule, linewidth=0.6)
        axes.set_axisbelow(True)
    upper.set_xlim(0, 1.02 * max((record["epoch"] for record in records), default=1.0) or 1.0)
    handles, names = upper.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, names, loc="outside upper left", ncols=len(names), frameon=False, labelcolor=theme.ink, fontsize=SMALL
        )
    return figure


def series(
    records: Sequence[Mapping[str, Any]], split: str, name: str
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Epochs and values of one curve, not a number where a value is missing or not finite."""
    chosen = [record for record in records if record["split"] == split]
    epochs = np.array([record["epoch"] for record in chosen], np.float64)
    values = np.array([np.nan if record.get(name) is None else record[name] for record in chosen], np.float64)
    return epochs, np.where(np.isfinite(values), values, np.nan)


def running_mean(values: Float[np.ndarray, " n"], width: int) -> Float[np.ndarray, " n"]:
    """The mean of the finite values at most width // 2 away; not a number stays where it is."""
    there = np.isfinite(values)
    ones = np.ones(width // 2 * 2 + 1)
    sums = np.convolve(np.where(there, values, 0.0), ones)
    counts = np.convolve(there.astype(np.float64), ones)
    middle = slice(width // 2, width // 2 + len(values))
    return np.where(there, sums[middle] / np.maximum(counts[middle], 1.0), np.nan)


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


def _value(name: str, number: float) -> str:
    return f"{100 * number:.1f} %" if name == "accuracy" else f"{number:.3g}"


def _panel(axes: Axes, records: Sequence[Mapping[str, Any]], name: str, factor: float, theme: Theme) -> None:
    end = None
    for split, colour in (("train", theme.blue), ("test", theme.orange)):
        epochs, values = series(records, split, name)
        values = factor * values
        if not np.isfinite(values).any():
            continue
        marker = {"marker": "o", "markersize": 4.5, "clip_on": False} if split == "test" or len(values) <= 20 else {}
        label = {"train": "training", "test": "test"}[split]
        if split == "train" and len(values) >= SMOOTH_FROM:
            axes.plot(epochs, values, color=colour, alpha=0.3, linewidth=0.8, label="training batch")
            values, label = running_mean(values, len(values) // 20), "running mean"
        axes.plot(epochs, values, color=colour, linewidth=1.8, label=label, zorder=3, **marker)
        last = np.flatnonzero(np.isfinite(values))[-1]
        end = float(values[last]), colour
    if end is None:
        say(axes, f"no {name} was recorded", theme)
        return
    y, colour = end
    words = f"{y:.1f} %" if name == "accuracy" else f"{y:.3g}"
    axes.annotate(
        words, (1, y), (3, 0), ("axes fraction", "data"), "offset points", va="center", color=colour, fontsize=SMALL
    )  # fmt: skip
    broken = first_broken(records, name)
    if broken is not None:
        axes.set_title(f"{name} not finite at epoch {broken:.3g}", loc="right", color=theme.muted, fontsize=SMALL)


def first_broken(records: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The first epoch whose value is missing or not finite."""
    found = [epochs[~np.isfinite(values)] for epochs, values in (series(records, split, name) for split in ("train", "test"))]
    broken = np.concatenate(found)
    return float(broken.min()) if broken.size else None


def _spread(records: Sequence[Mapping[str, Any]]) -> float:
    values = np.concatenate([series(records, split, "loss")[1] for split in ("train", "test")])
    values = values[np.isfinite(values)]
    return float(values.max() / values.min()) if values.size and values.min() > 0 else 0.0
