"""Learning curves: loss, accuracy and error over the epochs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from jcnn.figures.style import LIGHT, SMALL, Theme, new_figure, plain, say
from jcnn.percentages import percent, share

SMOOTH_FROM = 30
"""Records from which a running mean is drawn over the single batches."""

Records = Sequence[Mapping[str, Any]]
"""Lines of a run's metrics; runs of earlier versions have no counts of errors and no split "unaugmented"."""


class Split(NamedTuple):
    """How the records of one split are called and drawn: the theme's colour, and a marker at every record."""

    name: str
    label: str
    colour: str
    marker: str


SPLITS = (
    Split("train", "training", "blue", "o"),
    Split("unaugmented", "unaugmented training", "deep_blue", "s"),
    Split("test", "test", "orange", "o"),
)
"""In the order in which they are drawn; the last is on top, and its end is written beside it."""

QUANTITIES = ("loss", "accuracy", "error")


def learning_curves(records: Records, *, theme: Theme = LIGHT) -> Figure:
    """Loss, accuracy, and on a logarithmic scale the error, of training and test images; the epoch on x.

    The accuracies of good networks all look like 100 %; their errors do not. Where there was none, the error is drawn at the
    lower edge, as a triangle. From 30 training records on, single batches are drawn faintly and their running mean on top. The
    loss is drawn on a logarithmic scale once it spans a factor of 30. Values that are not finite leave a gap and a note.

    Args:
        records: with `split` ("train", "unaugmented" or "test"), `epoch`, `loss` and `accuracy`, in order.
        theme: the colours.
    """
    figure = new_figure(7.6, theme)
    panels = figure.subplots(len(QUANTITIES), 1, sharex=True)
    for axes, name in zip(panels, QUANTITIES, strict=True):
        _panel(axes, records, name, theme)
    scale_loss(panels[0], [values for split in SPLITS for values in [series(records, split.name, "loss")[1]]])
    scale_accuracy(panels[1])
    scale_error(panels[2], [values for split in SPLITS for values in [series(records, split.name, "error")[1]]])
    panels[-1].set_xlabel("epoch (passes over the training images)")
    panels[0].set_xlim(0, 1.02 * max((record["epoch"] for record in records), default=1.0) or 1.0)
    for axes in panels:
        with_grid(axes, theme)
    handles, names = panels[0].get_legend_handles_labels()
    if handles:
        columns = 2 if len(names) > 3 else len(names)
        figure.legend(
            handles, names, loc="outside upper left", ncols=columns, frameon=False, labelcolor=theme.ink, fontsize=SMALL
        )
    return figure


def series(records: Records, split: str, name: str) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Epochs and values of one curve, not a number where a value is missing or not finite; "error" is 1 − accuracy."""
    chosen = [record for record in records if record["split"] == split]
    epochs = np.array([record["epoch"] for record in chosen], np.float64)
    values = np.array([np.nan if (value := _value(record, name)) is None else value for record in chosen], np.float64)
    return epochs, np.where(np.isfinite(values), values, np.nan)


def running_mean(
    values: Float[np.ndarray, " n"], width: int, weights: Float[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, " n"]:
    """The mean of the finite values at most width // 2 away; not a number stays where it is.

    Args:
        values: one after the other.
        width: how many are averaged.
        weights: how much each counts, more than 0; None: all the same.
    """
    there = np.isfinite(values)
    weights = there * (1.0 if weights is None else weights)
    ones = np.ones(width // 2 * 2 + 1)
    sums = np.convolve(np.where(there, values, 0.0) * weights, ones)
    totals = np.convolve(weights, ones)
    middle = slice(width // 2, width // 2 + len(values))
    return np.divide(sums[middle], totals[middle], out=np.full(len(values), np.nan), where=there)


def smooth(records: Records, name: str) -> Float[np.ndarray, " n"]:
    """The running mean over the training records; each counts as much as it has images, the last of an epoch often few."""
    _, values = series(records, "train", name)
    images = [record.get("images", 1) for record in records if record["split"] == "train"]
    return running_mean(values, max(3, len(values) // 20), np.array(images, np.float64))


def about_curves(records: Records) -> str:
    """Where each curve begins and ends."""
    parts = []
    for split in SPLITS:
        for name in ("loss", "accuracy"):
            epochs, values = series(records, split.name, name)
            there = np.flatnonzero(np.isfinite(values))
            if there.size:
                chosen = [record for record in records if record["split"] == split.name]
                first, last = (in_words(chosen[place], name) for place in there[[0, -1]])
                parts.append(f"{split.label} {name} from {first} to {last} at epoch {epochs[there[-1]]:.3g}")
    broken = first_broken(records, "loss")
    if broken is not None:
        parts.append(f"the loss is not finite at epoch {broken:.3g}")
    return "Learning curves: " + ("; ".join(parts) if parts else "nothing was recorded") + "."


def in_words(record: Mapping[str, Any], name: str) -> str:
    """Loss, accuracy or error of one record: exact where it says of how many images, rounded otherwise."""
    value = _value(record, name)
    if name == "loss":
        return f"{value:.3g}"
    errors = record.get("errors")
    if errors is None:
        return percent(float("nan") if value is None else value)
    return share(errors if name == "error" else record["images"] - errors, record["images"])


def first_broken(records: Records, name: str) -> float | None:
    """The first epoch whose value is missing or not finite."""
    found = [epochs[~np.isfinite(values)] for epochs, values in (series(records, split.name, name) for split in SPLITS)]
    broken = np.concatenate(found)
    return float(broken.min()) if broken.size else None


def scale_loss(axes: Axes, curves: Sequence[Float[np.ndarray, " n"]]) -> None:
    """The axis of losses, logarithmic once they span a factor of 30."""
    values = np.concatenate([np.zeros(0), *curves])
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() / values.min() > 30:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylabel("loss, log scale (nats)")
    else:
        axes.set_ylabel("loss (nats)")
        axes.set_ylim(bottom=0)


def scale_accuracy(axes: Axes) -> None:
    """The axis of accuracies, up to all of them."""
    axes.set_ylabel("accuracy (%)")
    axes.set_ylim(top=101.5)


def scale_error(axes: Axes, curves: Sequence[Float[np.ndarray, " n"]]) -> None:
    """The axis of errors, logarithmic, in per cent."""
    axes.set_yscale("log")
    axes.set_ylim(
        100 * lowest(curves), min(130.0, 130 * max((np.nanmax(c) for c in curves if np.isfinite(c).any()), default=1.0))
    )
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("error, log scale (%)")


def lowest(curves: Sequence[Float[np.ndarray, " n"]]) -> float:
    """Where the axis of errors begins, and where those stand that are 0: half of the smallest other."""
    values = np.concatenate([np.zeros(0), *curves])
    positive = values[np.isfinite(values) & (values > 0)]
    return float(positive.min()) / 2 if positive.size else 1e-3


def with_grid(axes: Axes, theme: Theme) -> None:
    """Quiet axes with lines across."""
    plain(axes, theme)
    axes.grid(axis="y", color=theme.rule, linewidth=0.6)
    axes.set_axisbelow(True)


def _value(record: Mapping[str, Any], name: str) -> float | None:
    """One quantity of a record; the error from the counts where they are there, since 1 − accuracy is rounded."""
    if name != "error":
        return record.get(name)
    if "errors" in record:
        return record["errors"] / record["images"]
    accuracy = record.get("accuracy")
    return None if accuracy is None else 1 - accuracy


def _panel(axes: Axes, records: Records, name: str, theme: Theme) -> None:
    factor = 1.0 if name == "loss" else 100.0
    floor = factor * lowest([series(records, split.name, name)[1] for split in SPLITS]) if name == "error" else None
    end = None
    for split in SPLITS:
        epochs, values = series(records, split.name, name)
        values = factor * values
        if not np.isfinite(values).any():
            continue
        colour = getattr(theme, split.colour)
        marked = split.name != "train" or len(values) <= 20
        marker = {"marker": split.marker, "markersize": 4.5, "clip_on": False} if marked else {}
        label = split.label
        if split.name == "train" and len(values) >= SMOOTH_FROM:
            axes.plot(epochs, _above(values, floor), color=colour, alpha=0.3, linewidth=0.8, label="training batch")
            values, label = factor * smooth(records, name), "running mean"
        axes.plot(epochs, _above(values, floor), color=colour, linewidth=1.8, label=label, zorder=3, **marker)
        if floor is not None and (none := values == 0).any():
            style = {"marker": "v", "markersize": 7, "linestyle": "", "clip_on": False, "zorder": 4}
            axes.plot(epochs[none], np.full(none.sum(), floor), color=colour, label="_none", **style)
        last = np.flatnonzero(np.isfinite(values))[-1]
        exact = in_words([record for record in records if record["split"] == split.name][last], name)
        smoothed = percent(float(values[last]) / factor) if name != "loss" else f"{values[last]:.3g}"
        end = float(_above(values, floor)[last]), exact if marked else smoothed, colour
    if end is None:
        say(axes, f"no {name} was recorded", theme)
        return
    y, words, colour = end
    axes.annotate(
        words, (1, y), (3, 0), ("axes fraction", "data"), "offset points", va="center", color=colour, fontsize=SMALL
    )  # fmt: skip
    broken = first_broken(records, name)
    if broken is not None:
        axes.set_title(f"{name} not finite at epoch {broken:.3g}", loc="right", color=theme.muted, fontsize=SMALL)


def _above(values: Float[np.ndarray, " n"], floor: float | None) -> Float[np.ndarray, " n"]:
    """Values as they can be drawn: those of 0 at the lower edge of a logarithmic axis."""
    return values if floor is None else np.where(values == 0, floor, values)
