"""Spatial dimensions: which windows fit.

Claim: a window of size F that moves over N pixels by S at a time stands at (N − F)/S + 1 places. On 7 pixels a 3 fits at
strides 1 and 2 (5 and 3 places), and at stride 3 it does not: 2.33. What a network does then is a choice: refuse, leave
the last pixels unseen, or let the window hang over the edge.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jcnn
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_cells, draw_window
from jcnn.figures.style import SMALL, TEXT, Theme, new_figure, to_gif


@dataclass(frozen=True)
class Experiment:
    """How many pixels, and which windows."""

    pixels: int = 7
    """N."""
    window: int = 3
    """F of the lecture's example."""
    largest: int = 40
    """Every N, F, S, P up to about this is tried against the formula."""


class Walk(NamedTuple):
    """One stride.

    Attributes:
        stride: S.
        exact: (N − F)/S + 1.
        outputs: places by "floor" and by "ceil".
        seen: which pixels some window of the "floor" walk saw, as its gradient says.
    """

    stride: int
    exact: float
    outputs: tuple[int, int]
    seen: Bool[np.ndarray, " n"]


class Result(NamedTuple):
    """All that was found.

    Attributes:
        window: F.
        walks: the lecture's strides 1, 2 and 3.
        refused: strides that "exact" refused.
        fits: for P = 0 and P = 1, the outputs of window F by stride (rows) and pixels (columns); NaN where it does not fit.
        agree: sizes at which the formula was the shape of a real convolution.
        tried: sizes tried.
    """

    window: int
    walks: tuple[Walk, ...]
    refused: tuple[int, ...]
    fits: tuple[Float[np.ndarray, "strides pixels"], ...]
    agree: int
    tried: int


STRIDES, PIXELS = range(1, 6), range(5, 17)


def run(config: Experiment) -> Result:
    """Walks by every stride, maps what fits, and compares the formula with the shapes of real convolutions."""
    n, f = config.pixels, config.window
    walks = tuple(walk(n, f, stride) for stride in (1, 2, 3))
    refused = tuple(stride for stride in (1, 2, 3) if exactly(n, f, stride, 0) is None)
    fits = tuple(np.array([[exactly(n, f, s, p) or np.nan for n in PIXELS] for s in STRIDES]) for p in (0, 1))
    sizes = [(n, f, s, p) for n in range(1, config.largest, 3) for f in range(1, n + 1, 4) for s, p in ((1, 0), (2, 1), (3, 2))]
    agree = sum(convolved(*size) == (size[0] + 2 * size[3] - size[1]) // size[2] + 1 for size in sizes)
    return Result(f, walks, refused, fits, agree, len(sizes))


def walk(n: int, f: int, stride: int) -> Walk:
    """Where a window stands, and which pixels it sees: those that the sum of all outputs depends on."""
    floor, ceil = (jcnn.output_size(n, f, stride=stride, rounding=rounding) for rounding in ("floor", "ceil"))
    x, w = jnp.ones((1, n, 1)), jnp.ones((f, 1, 1))
    dx, _, _ = jcnn.conv_backward(jnp.ones_like(jcnn.conv(x, w, stride=stride)), x, w, stride=stride)
    return Walk(stride, (n - f) / stride + 1, (floor, ceil), np.asarray(dx)[0, :, 0] > 0)


def exactly(n: int, f: int, stride: int, padding: int) -> int | None:
    """The outputs where they come out even, else None."""
    try:
        return jcnn.output_size(n, f, stride=stride, padding=padding, rounding="exact")
    except jcnn.GeometryError:
        return None


def convolved(n: int, f: int, stride: int, padding: int) -> int:
    """The outputs of a real convolution."""
    conv = partial(jcnn.conv, stride=stride, padding=padding)
    return jax.eval_shape(conv, jnp.ones((1, n, 1)), jnp.ones((f, 1, 1))).shape[1]


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    places = [walk.outputs[0] for walk in result.walks]
    unseen = (np.flatnonzero(~result.walks[2].seen) + 1).tolist()
    exact = [round(walk.exact, 2) for walk in result.walks]
    return [
        Check("(7 − 3)/S + 1 = 5, 3, 2.33 at strides 1, 2, 3", ", ".join(map(str, exact)), exact == [5, 3, 2.33]),
        Check('"exact" refuses stride 3 alone', f"refused: {result.refused}", result.refused == (3,)),
        Check('"floor" takes 5, 3, 2 places, "ceil" one more at stride 3', f"{places}, {result.walks[2].outputs[1]}",
              places == [5, 3, 2] and result.walks[2].outputs[1] == 3),
        Check('"floor" at stride 3 never sees pixel 7', f"unseen: {unseen}", unseen == [7]),
        Check("⌊(N + 2P − F)/S⌋ + 1 is what a convolution makes", f"{result.agree} of {result.tried} sizes",
              result.agree == result.tried),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The three walks over seven pixels, and the map of what fits."""
    drawn = new_figure(6.6, theme)
    rows = drawn.subplots(5, 1, height_ratios=[1.1, 1.1, 1.1, 2.0, 2.0])
    for axes, walk in zip(rows, result.walks, strict=False):
        _draw_walk(axes, walk, result.window, theme)
    for padding, (axes, fits) in enumerate(zip(rows[3:], result.fits, strict=True)):
        draw_cells(axes, np.where(np.isnan(fits), 0, -1.0), theme, scale=6.0, numbers=None)
        for (row, column), outputs in np.ndenumerate(fits):
            text, colour = ("–", theme.muted) if np.isnan(outputs) else (f"{outputs:.0f}", theme.ink)
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=SMALL)
        axes.set_xticks(range(len(PIXELS)), PIXELS, color=theme.muted, fontsize=SMALL)
        axes.set_yticks(range(len(STRIDES)), STRIDES, color=theme.muted, fontsize=SMALL)
        axes.tick_params(length=0)
        axes.set_ylabel("stride S", color=theme.ink, fontsize=SMALL)
        axes.set_title(
            f"outputs of a window of {result.window} that fits, padding {padding}", loc="left", color=theme.ink, fontsize=TEXT
        )
    rows[-1].set_xlabel("pixels N", color=theme.ink, fontsize=SMALL)
    return drawn


def _draw_walk(axes: Axes, walk: Walk, f: int, theme: Theme) -> None:
    n = len(walk.seen)
    draw_cells(axes, np.where(walk.seen, 0.0, np.nan)[None], theme, numbers=None)
    for pixel in range(n):
        axes.text(pixel, 0, str(pixel + 1), ha="center", va="center", fontsize=SMALL,
                  color=theme.ink if walk.seen[pixel] else theme.orange)  # fmt: skip
    for place in range(walk.outputs[0]):
        left = place * walk.stride - 0.4
        axes.plot([left, left + f - 0.2], [0.75 + 0.28 * (place % 3)] * 2, color=theme.blue, linewidth=3, solid_capstyle="butt")
    if not walk.seen.all():
        draw_window(axes, 0, n - 1, 1, 1, theme.orange, dashed=True)
    axes.set(xlim=(-0.6, n + 3.4), ylim=(1.6, -0.6))
    words = f"S = {walk.stride}: {walk.exact:.3g} places"
    axes.text(n, 0, words if walk.seen.all() else f"{words}\npixel {n} unseen", va="center", color=theme.ink, fontsize=SMALL)


def movie(result: Result, theme: Theme) -> bytes:
    """The window at every place of 7×7 pixels, at strides 2 and 3, then on a border of zeros; outputs fill up as it goes."""
    n, f = len(result.walks[0].seen), result.window
    frames = []
    for stride, padding in ((2, 0), (3, 0), (2, 1)):
        outputs = jcnn.output_size(n, f, stride=stride, padding=padding)
        pixels = np.pad(np.full((n, n), 0.4), padding)
        for place in range(outputs**2):
            drawn = new_figure(2.9, theme)
            image, made = drawn.subplots(1, 2, width_ratios=[n + 2, 5])
            draw_cells(image, pixels, theme, scale=2.0, numbers=None)
            row, column = divmod(place, outputs)
            draw_window(image, row * stride, column * stride, f, f, theme.blue)
            image.set(xlim=(padding - 1.6, n + padding + 0.6), ylim=(n + padding + 0.6, padding - 1.6))
            image.set_title(f"stride {stride}, padding {padding}", color=theme.ink, fontsize=TEXT)
            filled = np.where(np.arange(outputs**2) <= place, -0.6, 0.0).reshape(outputs, outputs)
            draw_cells(made, filled, theme, scale=2.0, numbers=None)
            made.set(xlim=(-0.6, 4.4), ylim=(4.4, -0.6))
            made.set_title(f"{outputs}×{outputs} outputs", color=theme.ink, fontsize=TEXT)
            frames.append(drawn)
    return to_gif(frames, 0.35, 90)


def about(result: Result) -> str:
    """The figure in words."""
    walks = "; ".join(f"stride {walk.stride}: {walk.exact:.3g} places" for walk in result.walks)
    unseen = "; ".join(
        f"at stride {walk.stride} no window sees pixel {', '.join(map(str, np.flatnonzero(~walk.seen) + 1))}"
        for walk in result.walks
        if not walk.seen.all()
    )
    fitting = ", ".join(f"{np.isfinite(fits).sum()} of {fits.size} with padding {p}" for p, fits in enumerate(result.fits))
    return (
        f"A window of {result.window} on {len(result.walks[0].seen)} pixels, its places drawn below them. {walks}. {unseen}. "
        f"Below, a map of the strides {STRIDES[0]} to {STRIDES[-1]} and {PIXELS[0]} to {PIXELS[-1]} pixels at which a window "
        f"of {result.window} fits: {fitting}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(largest=12), movie=movie)

if __name__ == "__main__":
    TOPIC.main()
