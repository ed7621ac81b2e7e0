"""The loss over ever larger learning rates, and the one that it suggests."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from jcnn.figures.style import LIGHT, SMALL, Theme, new_figure, plain


def learning_rates(
    rates: Float[np.ndarray, " n"],
    losses: Float[np.ndarray, " n"],
    smoothed: Float[np.ndarray, " n"],
    suggested: float,
    *,
    theme: Theme = LIGHT,
) -> Figure:
    """The losses of single batches drawn faintly, their means on top, a line at the suggested rate.

    Args:
        rates: of the steps, rising.
        losses: of their batches, finite.
        smoothed: the means of each and its neighbours.
        suggested: the rate that is suggested.
        theme: the colours.
    """
    figure = new_figure(3.2, theme)
    axes = figure.add_subplot()
    axes.plot(rates, losses, color=theme.blue, alpha=0.3, linewidth=0.8, label="batch")
    axes.plot(rates, smoothed, color=theme.blue, linewidth=1.8, label="mean of seven")
    axes.axvline(suggested, color=theme.orange, linewidth=1.5, label=f"suggested: {suggested:.2g}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    # The last losses lead away, and would press all others flat.
    lowest, highest = float(smoothed.min()), float(smoothed[: int(smoothed.argmin()) + 1].max())
    room = 0.15 * (highest - lowest) or 1.0
    axes.set_ylim(lowest - room, highest + 2 * room)
    axes.set_xlabel("learning rate, log scale")
    axes.set_ylabel("loss (nats)")
    plain(axes, theme)
    axes.grid(axis="y", color=theme.rule, linewidth=0.6)
    axes.set_axisbelow(True)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper left", ncols=len(names), frameon=False, labelcolor=theme.ink, fontsize=SMALL
    )
    return figure
