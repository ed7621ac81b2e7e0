"""Speed compared: how many times as fast as others at every shape, and how near to what the machine can do."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from jcnn.figures.style import LIGHT, SMALL, TEXT, Theme, new_figure, plain, say

WIDE = 7.2
"""Inches; shown at about 800 pixels."""
MARKERS = ("o", "D", "s")


class Span(NamedTuple):
    """A ratio, with the range over the rounds."""

    median: float
    lowest: float
    highest: float


class Point(NamedTuple):
    """One computation.

    Attributes:
        group: what it is one of: gives it its colour and marker.
        intensity: operations per byte that must be moved at least.
        speed: operations per second.
    """

    group: str
    intensity: float
    speed: float


def speedups(rows: Sequence[tuple[str, Mapping[str, Span]]], title: str = "", *, theme: Theme = LIGHT) -> Figure:
    """A line for every shape, a dot for everyone compared with: right of 1 we are the faster, left of it they are.

    Args:
        rows: names of shapes, and by the name of whom we compare with, how many times as fast we are.
        title: what was measured.
        theme: the colours.
    """
    figure = new_figure(1.3 + 0.27 * max(len(rows), 2), theme, WIDE)
    axes = figure.add_subplot()
    peers = list(dict.fromkeys(peer for _, spans in rows for peer in spans))
    if not peers:
        say(axes, "nothing was compared", theme)
        plain(axes, theme)
        return figure
    # Sorted by the last one compared with: the eye follows one curve, and sees where the other leaves it.
    ordered = sorted(rows, key=lambda row: row[1][peers[-1]].median if peers[-1] in row[1] else 0.0)
    for place, (peer, colour) in enumerate(zip(peers, _colours(theme), strict=False)):
        shown = [(y, spans[peer]) for y, (_, spans) in enumerate(ordered) if peer in spans]
        heights = np.array([y for y, _ in shown]) + 0.12 * (1 if place else -1)
        axes.hlines(heights, [one.lowest for _, one in shown], [one.highest for _, one in shown], color=colour, linewidth=1.4)
        medians = [one.median for _, one in shown]
        axes.plot(medians, heights, MARKERS[place], color=colour, markersize=6, label=f"as {peer}", zorder=3)
    plain(axes, theme)
    axes.axvline(1, color=theme.ink, linewidth=1.1, zorder=1)
    axes.set_yticks(range(len(ordered)), [name for name, _ in ordered])
    axes.set_ylim(-0.7, len(ordered) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    every = [value for _, spans in rows for span in spans.values() for value in span]
    _logarithmic(axes, min([*every, 0.9]), max([*every, 1.1]))
    axes.grid(color=theme.rule, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("ours is … times as fast, log scale")
    figure.legend(loc="outside upper right", ncols=len(peers), frameon=False, labelcolor=theme.ink, fontsize=SMALL)
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=theme.ink, fontsize=TEXT)
    return figure


def roofline(points: Sequence[Point], peak: float, bandwidth: float, *, theme: Theme = LIGHT) -> Figure:
    """Operations per second against operations per byte, below what arithmetic and memory allow.

    Args:
        points: what was measured.
        peak: operations per second of a large matrix product.
        bandwidth: bytes per second from and to memory.
        theme: the colours.

    Source: Williams, Waterman & Patterson 2009, "Roofline: an insightful visual performance model".
    """
    figure = new_figure(4.4, theme, WIDE)
    axes = figure.add_subplot()
    ridge = peak / bandwidth
    intensities = [point.intensity for point in points]
    left, right = min([*intensities, ridge / 2]) / 1.6, max([*intensities, 2 * ridge]) * 1.6
    axes.plot([left, ridge, right], [left * bandwidth, peak, peak], color=theme.muted, linewidth=1.6, zorder=2)
    for group, marker, colour in zip(dict.fromkeys(point.group for point in points), MARKERS, _colours(theme), strict=False):
        own = [point for point in points if point.group == group]
        axes.plot(
            [point.intensity for point in own],
            [point.speed for point in own],
            marker,
            color=colour,
            markersize=6,
            markeredgecolor=theme.paper,
            markeredgewidth=0.6,
            label=group,
            zorder=3,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    lowest = min([*(point.speed for point in points), left * bandwidth])
    highest = max([*(point.speed for point in points), peak])
    axes.set_xlim(left, right)
    axes.set_ylim(lowest / 1.5, highest * 2)
    plain(axes, theme)
    words = {"color": theme.muted, "fontsize": SMALL, "textcoords": "offset points"}
    # Beside the knee: what uses fewer products than the plain sum lies above the line, but far to the right.
    axes.annotate(f"matrix product: {peak / 1e9:.0f} GFLOP/s", (ridge, peak), (2, 5), ha="left", va="bottom", **words)
    axes.annotate(f"memory: {bandwidth / 1e9:.0f} GB/s", (ridge, peak), (-14, -4), ha="right", va="bottom", **words)
    axes.grid(color=theme.rule, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e9:g}"))
    axes.set_xlabel("arithmetic intensity (FLOP per byte that must move)")
    axes.set_ylabel("GFLOP/s")
    if points:
        figure.legend(loc="outside upper right", ncols=3, frameon=False, labelcolor=theme.ink, fontsize=SMALL)
    return figure


def _colours(theme: Theme) -> tuple[str, str, str]:
    return theme.blue, theme.orange, theme.ink


def _logarithmic(axes: Axes, lowest: float, highest: float) -> None:
    """A logarithmic x axis whose ticks are 1, 2, 5 and their like."""
    axes.set_xscale("log")
    axes.set_xlim(lowest / 1.15, highest * 1.15)
    ticks = [factor * 10.0**power for power in range(-3, 5) for factor in (1, 2, 5)]
    if highest / lowest < 4:
        ticks = [*ticks, 0.6, 0.8, 1.5]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if lowest / 1.15 <= tick <= highest * 1.15]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
