"""Pooling: smaller maps that a small shift changes less.

Claim: max pooling keeps the largest number of each window, average pooling the mean: the lecture's 4 × 4 matrix becomes 6, 8,
3, 4 by maxima of 2 × 2 at stride 2. When a handwritten digit moves by one pixel, hardly an active output of a convolution keeps
its value; of the maxima of 2 × 2 about a quarter do, of 4 × 4 more than a third, of the averages less than half as many. Yet
as a whole both kinds change less than the map they pool, and about equally.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jcnn
from experiments.material import as_input, digits
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_cells, draw_window
from jcnn.figures.style import SMALL, TEXT, Theme, new_figure, plain


@dataclass(frozen=True)
class Experiment:
    """How many digits, and how many random filters."""

    images: int = 150
    """Test digits of 8 × 8 pixels, each with 2 empty pixels around."""
    seeds: int = 5
    """Sets of eight 3 × 3 filters, drawn from a normal distribution."""


KINDS, WINDOWS = ("max", "average"), ((1, 1), (2, 2), (3, 1), (3, 2), (4, 4))
POOLS = [(kind, *window) for kind in KINDS for window in WINDOWS]
SHOWN = (("max", 2, 2), ("average", 2, 2), ("max", 3, 1))
MATRIX = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]], np.float32)


class Result(NamedTuple):
    """All that was found.

    Attributes:
        matrix: the lecture's matrix, pooled by each of `SHOWN`.
        agree: how many of `POOLS` make of all maps what windows cut out one by one do.
        same: the part of the active outputs that a shift by one pixel leaves as they are.
        change: how far a map changes, as a part of its length.
        maps: the digit shown, its filtered map, the maxima and the averages of 2 × 2, each before and after a shift.
    """

    matrix: list[Float[np.ndarray, "h w"]]
    agree: int
    same: Float[np.ndarray, "kinds windows seeds"]
    change: Float[np.ndarray, "kinds windows seeds"]
    maps: list[tuple[np.ndarray, np.ndarray]]


def run(config: Experiment) -> Result:
    """Pools the matrix and filtered digits, moves the digits, and compares."""
    filters = [np.random.default_rng(seed).normal(0, 1 / 3, (3, 3, 1, 8)).astype(np.float32) for seed in range(config.seeds)]

    @jax.jit
    def see(x: Array) -> list[Array]:
        y = jax.nn.relu(jcnn.conv(x, jnp.concatenate(filters, -1), padding=1))
        return [_pool(y, *how) for how in POOLS]

    images = np.pad(as_input(digits("test").images[: config.images]), ((0, 0), (2, 2), (2, 2), (0, 0)))
    moves = (0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)
    before, *after = (jax.device_get(see(np.roll(images, move, (1, 2)))) for move in moves)
    compared = [_compare(now[None], np.stack(then), config.seeds) for now, *then in zip(before, *after, strict=True)]
    same, change = np.reshape(compared, (len(KINDS), len(WINDOWS), 2, config.seeds)).transpose(2, 0, 1, 3)
    truths = [_written_out(before[0], *how) for how in POOLS]
    agree = sum(y.shape == truth.shape and np.allclose(y, truth, 0, 1e-5) for y, truth in zip(before, truths, strict=True))
    pairs = [(images, np.roll(images, 1, 2)), *((before[k], after[0][k]) for k in (0, *map(POOLS.index, SHOWN[:2])))]
    matrix = [np.asarray(_pool(jnp.asarray(MATRIX)[None, ..., None], *how))[0, ..., 0] for how in SHOWN]
    return Result(matrix, agree, same, change, [(now[3, ..., 0], then[3, ..., 0]) for now, then in pairs])


def _pool(x: Array, kind: str, window: int, stride: int) -> Array:
    return (jcnn.max_pool if kind == "max" else jcnn.avg_pool)(x, window, stride=stride)


def _written_out(x: Float[np.ndarray, "n h w c"], kind: str, f: int, stride: int) -> Float[np.ndarray, "n oh ow c"]:
    places, reduce = range(0, x.shape[1] - f + 1, stride), np.max if kind == "max" else np.mean
    return np.stack([np.stack([reduce(x[:, i : i + f, j : j + f], (1, 2)) for j in places], 1) for i in places], 1)


def _compare(before: np.ndarray, after: np.ndarray, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """For every seed, the part of the active outputs that stay the same, and the length of the change over that of the map."""
    measures = (*_unchanged(before, after), (after - before) ** 2, np.broadcast_to(before**2, after.shape))
    kept, active, gone, whole = (values.reshape(-1, seeds, 8).sum((0, 2), dtype=np.float64) for values in measures)
    return kept / active, np.sqrt(gone / whole)


def _unchanged(before: np.ndarray, after: np.ndarray) -> tuple[Bool[np.ndarray, "..."], Bool[np.ndarray, "..."]]:
    """Which outputs stay the same of those that are active before or after, and which are active."""
    active = (before > 0) | (after > 0)
    return active & (np.abs(after - before) < 1e-5), active


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    lecture, (most, some) = [values.tolist() for values in result.matrix], result.same
    less, ratio = result.change[:, 1:] / result.change[:, :1], result.change[0, 1:] / result.change[1, 1:]
    return [
        Check("maxima 6, 8, 3, 4; means 3.25, 5.25, 2, 2; maxima of 3 × 3 at stride 1: 7, 8, 7, 8",
              f"{lecture}", lecture == [[[6, 8], [3, 4]], [[3.25, 5.25], [2, 2]], [[7, 8], [7, 8]]]),
        Check("every pool = windows cut out one by one", f"{result.agree} of {len(POOLS)} agree", result.agree == len(POOLS)),
        Check("kept at a shift by one: not pooled < 2 %, max 2 × 2 18–32 %, max 4 × 4 > 34 %",
              ", ".join(_percent(most[row]) for row in (0, 1, 4)),
              bool(most[0].max() < 0.02 and most[1].min() > 0.18 and most[1].max() < 0.32 and most[4].min() > 0.34)),
        Check("max keeps at least twice as many as average in every window, for every seed",
              f"at least {(most[1:] / some[1:]).min():.1f} times", bool((most[1:] > 2 * some[1:]).all())),
        Check("both lessen the change, to 30–85 % of it, max to 0.7–1.4 times that of average",
              f"{_percent(less)}, {ratio.min():.2f}–{ratio.max():.2f} times",
              bool(less.min() > 0.3 and less.max() < 0.85 and ratio.min() > 0.7 and ratio.max() < 1.4)),
    ]  # fmt: skip


def _percent(parts: np.ndarray) -> str:
    return "–".join(dict.fromkeys(f"{100 * part:.0f}" for part in (parts.min(), parts.max()))) + " %"


def figure(result: Result, theme: Theme) -> Figure:
    """The lecture's matrix; a digit that moves by a pixel; what stays the same, by window."""
    drawn = new_figure(8.3, theme)
    (top,), (bottom,) = drawn.subfigures(2, 1, height_ratios=[5, 3.3], squeeze=False)
    panels = top.subplots(3, 4)
    titles = ["the lecture’s\nmatrix", *(f"{kind} {f} × {f}\nstride {stride}" for kind, f, stride in SHOWN)]
    titles += ["a digit", "filtered", "max 2 × 2", "average 2 × 2", "one pixel on", "", "framed: kept", ""]
    for axes, title in zip(panels.flat, titles, strict=True):
        axes.set_title(title, color=theme.ink, fontsize=SMALL)
    for axes, values in zip(panels[0], [MATRIX, *result.matrix], strict=True):
        draw_cells(axes, values, theme, scale=14)
    for i, j in np.ndindex(2, 2):
        draw_window(panels[0, 0], 2 * i, 2 * j, 2, 2, theme.blue)
    for k, pair in enumerate(result.maps):
        for axes, values in zip(panels[1:, k], pair, strict=True):
            draw_cells(axes, values, theme, numbers=None, scale=result.maps[1][0].max())
            for i, j in np.argwhere(_unchanged(*pair)[0]) if k else ():
                draw_window(axes, i, j, 1, 1, theme.blue)
    panels[1, 0].imshow(result.maps[0][0], cmap="gray", zorder=4)
    panels[2, 0].imshow(result.maps[0][1], cmap="gray", zorder=4)
    left, right = bottom.subplots(1, 2, sharey=True)
    _draw_parts(left, 100 * result.same, "active outputs that\nkeep their value, %", theme)
    _draw_parts(right, 100 * result.change, "change of the map,\n% of its length", theme)
    left.set_yticks(range(len(WINDOWS)), ["no pooling", *(f"{f} × {f}, stride {s}" for f, s in WINDOWS[1:])])
    for kind, colour, at in zip(KINDS, (theme.orange, theme.blue), 100 * result.same[:, 4].mean(1), strict=True):
        left.text(at, 4.5, kind, ha="center", va="center", color=colour, fontsize=TEXT)
    return drawn


def _draw_parts(axes: Axes, parts: Float[np.ndarray, "kinds windows seeds"], label: str, theme: Theme) -> None:
    plain(axes, theme)
    for kind, row in np.ndindex(parts.shape[:2]):
        colour, offset = ((theme.orange, theme.blue)[kind], (-0.13, 0.13)[kind]) if row else (theme.muted, 0.0)
        axes.scatter(parts[kind, row], np.full(parts.shape[2], row + offset), s=26, color=colour, clip_on=False, zorder=3)
    axes.set(xlim=(0, None), ylim=(len(WINDOWS) - 0.3, -0.4), xlabel=label)
    axes.tick_params(axis="y", length=0, pad=8)
    axes.grid(axis="x", color=theme.rule, linewidth=0.8)


def about(result: Result) -> str:
    """The figure in words."""
    kept, active = (flags.sum() for flags in _unchanged(*result.maps[2]))
    return (
        f"The lecture's matrix, pooled three ways. A digit, filtered and pooled, before and after a shift by one pixel: {kept} "
        f"of {active} active maxima stay. Below, by window, the active outputs that stay, {_percent(result.same[0, 1])} of "
        f"maxima of 2 × 2, {_percent(result.same[1, 1])} of averages; and how far the map changes, "
        f"{_percent(result.change[0, 0])} without pooling, {_percent(result.change[:, 4])} with 4 × 4."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(images=40, seeds=3))

if __name__ == "__main__":
    TOPIC.main()
