"""How fast a run went: the learning rate of its steps, and the images it did in a second."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from jcnn.figures.curves import SMOOTH_FROM, Records, series, smooth, with_grid
from jcnn.figures.style import LIGHT, Theme, new_figure, say


def rates(records: Records, *, theme: Theme = LIGHT) -> Figure:
    """The learning rate above the throughput, the epoch on x.

    An optimiser of one's own has a learning rate that nobody knows: then there is the throughput alone.

    Args:
        records: with `split`, `epoch`, `images_per_second` and perhaps `learning_rate`, in order.
        theme: the colours.
    """
    learning = np.isfinite(series(records, "train", "learning_rate")[1]).any()
    figure = new_figure(3.8 if learning else 2.2, theme)
    panels = np.atleast_1d(figure.subplots(2 if learning else 1, 1, sharex=True))
    if learning:
        epochs, values = series(records, "train", "learning_rate")
        panels[0].plot(epochs, values, color=theme.blue, linewidth=1.8, **_marker(len(values)))
        panels[0].set_ylabel("learning rate")
        panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    epochs, speed = series(records, "train", "images_per_second")
    if np.isfinite(speed).any():
        many = len(speed) >= SMOOTH_FROM
        panels[-1].plot(
            epochs, speed, color=theme.blue, linewidth=0.8 if many else 1.8, alpha=0.3 if many else 1, **_marker(len(speed))
        )
        if many:
            panels[-1].plot(epochs, smooth(records, "images_per_second"), color=theme.blue, linewidth=1.8)
    else:
        say(panels[-1], "no speed was recorded", theme)
    panels[-1].set_ylabel("images/s")
    panels[-1].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    panels[-1].set_xlabel("epoch (passes over the training images)")
    panels[-1].set_xlim(0, 1.02 * max((record["epoch"] for record in records), default=1.0) or 1.0)
    for axes in panels:
        axes.set_ylim(bottom=0)
        with_grid(axes, theme)
    return figure


def about_rates(records: Records) -> str:
    """The learning rate at its start, its top and its end, and how the speed varied."""
    parts = []
    _, learning = series(records, "train", "learning_rate")
    learning = learning[np.isfinite(learning)]
    if learning.size:
        first, top, last = (f"{value:.3g}" for value in (learning[0], learning.max(), learning[-1]))
        parts.append(f"learning rate {first} at first, {top} at most, {last} at the end")
    _, speed = series(records, "train", "images_per_second")
    speed = speed[np.isfinite(speed)]
    if speed.size:
        parts.append(
            f"{speed.min():,.0f} to {speed.max():,.0f} images a second, half of the time above {np.median(speed):,.0f}"
        )
    return "Learning rate and speed: " + ("; ".join(parts) or "nothing was recorded") + "."


def _marker(count: int) -> dict[str, Any]:
    return {"marker": "o", "markersize": 4.5, "clip_on": False} if count <= 20 else {}
