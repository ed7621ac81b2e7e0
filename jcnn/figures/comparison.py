"""Runs on one page: their results, what their recipes differ in, and their curves over each other."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from jcnn.figures.curves import (
    SMOOTH_FROM,
    Records,
    in_words,
    lowest,
    scale_accuracy,
    scale_error,
    scale_loss,
    series,
    smooth,
    with_grid,
)
from jcnn.figures.page import figure, page, pairs, section, table
from jcnn.figures.style import LIGHT, SMALL, Theme, by_defaults, new_figure, say, shorten
from jcnn.printing import visible

COLOURS = {
    "light": ("#0072b2", "#c24e00", "#00795a", "#9c4a80", "#7a6400", "#1d1f24"),
    "dark": ("#56b4e9", "#e69f00", "#2fc99b", "#e39ac7", "#f0e442", "#e9e6e0"),
}
"""Okabe and Ito's, those that are too light or too dark for the paper changed in lightness; by the theme's name."""

DASHES = ("-", "--", ":", "-.")

MOST = len(DASHES) * len(COLOURS["light"])
"""Runs that can be told apart."""

NAMED = 44
"""Letters of a name in the legend at most."""


class Compared(NamedTuple):
    """One of the runs.

    Attributes:
        name: by which it is called on the page.
        choices: of its recipe, as texts by name.
        results: what came out, as texts by name.
        records: its metrics.
    """

    name: str
    choices: Mapping[str, str]
    results: Mapping[str, str]
    records: Records


def compared_curves(runs: Sequence[Compared], *, theme: Theme = LIGHT) -> Figure:
    """Loss, accuracy, error and learning rate of all runs over the epoch.

    Thick lines are those of the test images, thin ones those of training, their running mean where they are many. The error is
    logarithmic. Where a run had none it stands at the lower edge.

    Args:
        runs: at most 24.
        theme: the colours.
    """
    quantities = ["loss", "accuracy", "error"]
    if any(np.isfinite(series(run.records, "train", "learning_rate")[1]).any() for run in runs):
        quantities.append("learning_rate")
    drawn = new_figure(2.3 * len(quantities) + _legend_height(len(runs)), theme)
    panels = dict(zip(quantities, drawn.subplots(len(quantities), 1, sharex=True), strict=True))
    curves = {name: [series(run.records, split, name)[1] for run in runs for split in ("train", "test")] for name in quantities}
    scale_loss(panels["loss"], curves["loss"])
    scale_accuracy(panels["accuracy"])
    scale_error(panels["error"], curves["error"])
    floor = lowest(curves["error"])
    for name, axes in panels.items():
        for run, style in zip(runs, _styles(theme, len(runs)), strict=True):
            epochs, values = series(run.records, "train", name)
            alone = name == "learning_rate"  # there is none of the test images, and nothing to smooth
            if len(values) >= SMOOTH_FROM and not alone:
                values = smooth(run.records, name)
            thin = style if alone else {**style, "linewidth": 0.8, "alpha": 0.55}
            axes.plot(epochs, _drawable(values, name, floor), **thin, label="_training")
            if not alone:
                epochs, values = series(run.records, "test", name)
                axes.plot(epochs, _drawable(values, name, floor), **style, label="_test")
        if not any(np.isfinite(values).any() for values in curves[name]):
            say(axes, f"no {name} was recorded", theme)
        with_grid(axes, theme)
    if "learning_rate" in panels:
        panels["learning_rate"].set_ylabel("learning rate")
        panels["learning_rate"].set_ylim(bottom=0)
    last = panels[quantities[-1]]
    last.set_xlabel("epoch (passes over the training images)")
    last.set_xlim(0, 1.02 * max((record["epoch"] for run in runs for record in run.records), default=1.0) or 1.0)
    _legend(drawn, last, runs, theme)
    return drawn


def error_over_time(runs: Sequence[Compared], *, theme: Theme = LIGHT) -> Figure | None:
    """The error on the test images over the time that a run had taken by then, both as they were recorded.

    Args:
        runs: at most 24.
        theme: the colours.

    Returns:
        The figure; None: no run was tested.
    """
    found = [_over_time(run.records) for run in runs]
    if not any(np.isfinite(errors).any() for _, errors in found):
        return None
    drawn = new_figure(3.0 + _legend_height(len(runs)), theme)
    axes = drawn.add_subplot()
    errors = [values for _, values in found]
    scale_error(axes, errors)
    floor = lowest(errors)
    for (seconds, values), style in zip(found, _styles(theme, len(runs)), strict=True):
        axes.plot(seconds, _drawable(values, "error", floor), **style, marker="o", markersize=3)
    with_grid(axes, theme)
    ends = [float(np.nanmax(seconds)) for seconds, _ in found if np.isfinite(seconds).any()]
    if ends and max(ends) > 10 * min(ends) > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel("training time, compiling left out (s)")
    axes.set_ylabel("test error, log scale (%)")
    _legend(drawn, axes, runs, theme)
    return drawn


def render_comparison(runs: Sequence[Compared]) -> str:
    """The whole page as HTML.

    Args:
        runs: two to 24 of them.

    Raises:
        ValueError: another number of runs.
    """
    if not 2 <= len(runs) <= MOST:
        raise ValueError(f"runs: {len(runs)}, expected 2 to {MOST} of them")
    runs = [_legible(run) for run in runs]
    names = ", ".join(run.name for run in runs)
    with by_defaults():
        sections = [
            section("Results", _columns(runs, [run.results for run in runs], list(runs[0].results), "Results")),
            section("Recipes", _recipes(runs)),
            section("Curves", figure(lambda theme: compared_curves(runs, theme=theme), about_comparison(runs), CURVES)),
            _timed(runs),
        ]
    return page(f"{len(runs)} runs compared", names, sections)


CURVES = (
    "Thick lines: test images, which no network learns from; thin lines: training images, augmented and seen before each "
    "update. The error is on a logarithmic scale, where good networks still differ; a run without errors stands at its lower "
    "edge."
)


def about_comparison(runs: Sequence[Compared]) -> str:
    """Where the test accuracy of each run ends."""
    ends = []
    for run in runs:
        tested = [record for record in run.records if record["split"] == "test"]
        end = f"{in_words(tested[-1], 'accuracy')} at epoch {tested[-1]['epoch']:.3g}" if tested else "not tested"
        ends.append(f"{run.name}: {end}")
    return f"Curves of {len(runs)} runs over each other; test accuracy of {'; '.join(ends)}."


def differing(choices: Sequence[Mapping[str, str]]) -> list[str]:
    """The names of choices that are not the same in all, in their order."""
    names = list(dict.fromkeys(name for one in choices for name in one))
    return [name for name in names if len({one.get(name) for one in choices}) > 1]


def _recipes(runs: Sequence[Compared]) -> str:
    choices = [run.choices for run in runs]
    different = differing(choices)
    same = {name: value for name, value in choices[0].items() if name not in different}
    parts = [_columns(runs, choices, different, "What the recipes differ in")] if different else ["<p>All are the same.</p>"]
    if same:
        parts.append(f"<details>\n<summary>The same in all</summary>\n{pairs(same)}\n</details>")
    return "\n".join(parts)


def _columns(runs: Sequence[Compared], values: Sequence[Mapping[str, str]], names: Sequence[str], label: str) -> str:
    """A table with a column for each run."""
    rows = [(name, *(one.get(name, "–") for one in values)) for name in names]
    return table(("", *(run.name for run in runs)), rows, label, kind="compared")


def _timed(runs: Sequence[Compared]) -> str:
    caption = (
        "The same errors by the time that training had taken, evaluations and checkpoints included, compiling not. Times of "
        "different machines, or of one that had other work, cannot be compared."
    )
    alt = f"Test error of {len(runs)} runs over the time of training, from {_longest(runs)}."
    shown = figure(lambda theme: error_over_time(runs, theme=theme), alt, caption)
    return section("Error over time", shown) if shown else ""


def _longest(runs: Sequence[Compared]) -> str:
    times = [seconds[-1] for run in runs if len(seconds := _over_time(run.records)[0])]
    return f"{min(times, default=0.0):.1f} to {max(times, default=0.0):.1f} seconds in all"


def _over_time(records: Records) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Seconds and errors of every evaluation of the test images."""
    tested = [record for record in records if record["split"] == "test"]
    return np.array([record.get("seconds", np.nan) for record in tested], np.float64), series(records, "test", "error")[1]


def _drawable(values: Float[np.ndarray, " n"], name: str, floor: float) -> Float[np.ndarray, " n"]:
    """In per cent where it is a part; of errors those of 0 at the lower edge."""
    if name == "error":
        return 100 * np.where(values == 0, floor, values)
    return 100 * values if name == "accuracy" else values


def _styles(theme: Theme, count: int) -> list[dict[str, Any]]:
    """How each run is drawn: colours first, then dashes."""
    colours = COLOURS[theme.name]
    return [
        {"color": colours[place % len(colours)], "linestyle": DASHES[place // len(colours) % len(DASHES)], "linewidth": 1.8}
        for place in range(count)
    ]


def _legend_height(count: int) -> float:
    return 0.22 * count + 0.1


def _legend(drawn: Figure, axes: Axes, runs: Sequence[Compared], theme: Theme) -> None:
    """One line a run, above all panels."""
    handles = [axes.plot([], [], **style)[0] for style in _styles(theme, len(runs))]
    names = [shorten(run.name, NAMED).replace("$", r"\$") for run in runs]
    drawn.legend(
        handles, names, loc="outside upper left", ncols=1, frameon=False, labelcolor=theme.ink, fontsize=SMALL, handlelength=2.6
    )


def _legible(run: Compared) -> Compared:
    """Names of others without characters that steer the page."""
    return Compared(
        visible(run.name),
        {name: visible(value) for name, value in run.choices.items()},
        {name: visible(value) for name, value in run.results.items()},
        run.records,
    )
