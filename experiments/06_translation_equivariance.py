"""Translation equivariance: shift then convolve, or convolve then shift.

Claim: to a convolution it is the same, to rounding, whether the image is shifted before or the map after. Padding breaks that
at the border only, (F − 1)/2 pixels wide; a stride of 2, of a convolution or a pooling, breaks it in more than 75 % of the
pixels unless the shift is a multiple of 2. Global pooling over a map at stride 1 turns it into invariance: it does not see the
shift at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import Float
from matplotlib.figure import Figure

import jcnn
from experiments.material import as_input, digits, photograph
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_window
from jcnn.figures.style import SMALL, TEXT, Theme, bare, diverging, new_figure, plain, sequential

W = np.zeros((5, 5, 3, 1)) + np.array([-1.0, -1, 0, 1, 1])[:, None, None] / 30  # for edges, dark on the left
SHIFT, SHIFTS, STRIDES = 12, range(9), (1, 2, 4)
SAME = 1e-9  # far above rounding, far below any difference
Image = Float[np.ndarray, "n n 3"]


@dataclass(frozen=True)
class Experiment:
    """How large the parts of the photograph are, and what is shifted before global pooling."""

    pixels: int = 64
    """Height and width of the part that is cut out of 128×128, here or some pixels further down and right."""
    digits: int = 50
    """Digits on a blank ground of 24×24."""
    seeds: int = 3
    """Layers of 16 random 3×3 filters that look at them."""


class Case(NamedTuple):
    """One operation on an image and on the shifted one.

    Attributes:
        name: the operation.
        shift: pixels, down and right.
        difference: of the maps where they overlap, in standard deviations; at the whole pixel that fits best.
    """

    name: str
    shift: int
    difference: Float[np.ndarray, "h w"]


class Result(NamedTuple):
    """All that was found.

    Attributes:
        images: the photograph, and shifted by 12 pixels.
        maps: what the convolution makes of both.
        written: the first of the maps, summed in NumPy.
        cases: every operation at every shift that was tried.
        changes: of what global maximum and average pooling say when a digit moves, relative.
    """

    images: tuple[Image, Image]
    maps: tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]
    written: Float[np.ndarray, "m m"]
    cases: tuple[Case, ...]
    changes: Float[np.ndarray, "seeds 2 strides shifts digits"]


def run(config: Experiment) -> Result:
    """Compares maps of shifted images pixel by pixel, then what global pooling says of shifted digits."""
    photo = as_input(photograph(), "float64")
    images = {shift: photo[24 + shift :, 24 + shift :][: config.pixels, : config.pixels] for shift in (0, 1, 2, 3, SHIFT)}
    written = (np.lib.stride_tricks.sliding_window_view(images[0], W.shape[:3])[:, :, 0] * W[..., 0]).sum((2, 3, 4))
    conv, strided, pool = partial(jcnn.conv, w=W), partial(jcnn.conv, w=W, stride=2), partial(jcnn.max_pool, window=2)
    with jax.enable_x64(True):
        tried = [
            ("convolution", conv, 1, 3), ("stride 2", strided, 2, 2), ("max pooling", pool, 2, 2),
            ("padding 2", partial(conv, padding=2), 1, 3), ("stride 2", strided, 2, 1), ("max pooling", pool, 2, 1),
        ]  # fmt: skip
        cases = tuple(compare(images, *case) for case in tried)
        maps = [np.asarray(conv(images[shift][None]))[0, ..., 0] for shift in (0, SHIFT)]
        changes = np.stack([change(config, seed) for seed in range(config.seeds)])
    return Result((images[0], images[SHIFT]), (maps[0], maps[1]), written, cases, changes)


def compare(images: dict[int, Image], name: str, operation: Callable[[Image], Array], stride: int, shift: int) -> Case:
    """Operates on the image and on the shifted one, and lays the maps over each other."""
    here, there = (np.asarray(operation(images[s][None]))[0, ..., 0] for s in (0, shift))
    ends = range(shift // stride, -(-shift // stride) + 1)
    found = [np.abs(here[y:, x:] - there[: len(there) - y, : len(there) - x]) / here.std() for y in ends for x in ends]
    return Case(name, shift, min(found, key=np.mean))


def change(config: Experiment, seed: int) -> Float[np.ndarray, "2 strides shifts digits"]:
    """By how much global pooling changes when digits move on a blank ground, through a layer of random filters."""
    w = np.random.default_rng(seed).normal(size=(3, 3, 1, 16))
    blank = np.pad(as_input(digits().images[: config.digits], "float64"), ((0, 0), (4, 12), (4, 12), (0, 0)))
    moved = np.concatenate([np.roll(blank, (shift, shift), (1, 2)) for shift in SHIFTS])
    maps = [jcnn.relu(jcnn.conv(moved, w, stride=stride)) for stride in STRIDES]
    pooled = np.array([[pool(y) for y in maps] for pool in (jcnn.global_max_pool, jcnn.global_avg_pool)])
    said = pooled.reshape(2, len(STRIDES), len(SHIFTS), config.digits, 16)
    return np.linalg.norm(said - said[:, :, :1], axis=-1) / np.linalg.norm(said[:, :, :1], axis=-1)


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    numpy = np.abs(result.maps[1][:-SHIFT, :-SHIFT] - result.written[SHIFT:, SHIFT:]).max()
    shifted, strided, pooled, padded, strided_odd, pooled_odd = (100 * np.mean(case.difference > SAME) for case in result.cases)
    border = result.cases[3].difference > SAME
    wide = next(k for k in range(len(border)) if not border[k : len(border) - k, k : len(border) - k].any())
    change = 100 * result.changes
    still, moved = change[:, :, 0].max(), change[:, :, 1:].mean(-1)
    even = max(change[:, :, i, ::stride].max() for i, stride in enumerate(STRIDES))
    odd = min(moved[:, :, i, shift].min() for i in (0, 1) for shift in SHIFTS if shift % STRIDES[i + 1])
    return [
        Check(f"the map of the image shifted by {SHIFT} is the map (by NumPy), shifted", f"largest difference {numpy:.0e}",
              bool(numpy < 1e-12)),
        Check("a shift by 3: no pixel of the map differs", f"{shifted:.0f} %", bool(shifted == 0)),
        Check("with padding 2, differences reach exactly 2 pixels in", f"{wide} pixels, {padded:.0f} % of the map", wide == 2),
        Check("convolution and pooling at stride 2, a shift by 2: none differs", f"{strided:.0f} %, {pooled:.0f} %",
              bool(strided == pooled == 0)),
        Check("a shift by 1: over 95 % and over 75 % differ", f"{strided_odd:.0f} %, {pooled_odd:.0f} %",
              bool(strided_odd > 95 and pooled_odd > 75)),
        Check("global pooling at stride 1 does not see any shift", f"largest change {still:.0e} %", bool(still < 1e-10)),
        Check("at strides 2 and 4 it sees all but multiples of the stride", f"over {odd:.0f} %, else {even:.0e} %",
              bool(odd > 5 and even < 1e-10)),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The photograph and its map, shifted; where maps differ; what global pooling sees of a shift."""
    drawn = new_figure(7.8, theme)
    first, second, third = np.asarray(drawn.subfigures(3, 1, height_ratios=[1.4, 3.8, 2.6])).flat
    titles = ("image", "shifted", "its map", "map of shifted")
    for i, (axes, values) in enumerate(zip(first.subplots(1, 4), (*result.images, *result.maps), strict=True)):
        bare(axes)
        start = (SHIFT, 0)[i % 2]
        axes.imshow(values, cmap=diverging(theme), vmin=-0.7, vmax=0.7, interpolation="none")
        draw_window(axes, start, start, len(values) - SHIFT, len(values) - SHIFT, theme.ink, thick=1.5)
        axes.set_title(titles[i], color=theme.ink, fontsize=SMALL)
    for axes, case in zip(second.subplots(2, 3).flat, result.cases, strict=True):
        bare(axes)
        found, colours = np.where(case.difference > SAME, case.difference, np.nan), sequential(theme, theme.orange)
        axes.imshow(found, cmap=colours.with_extremes(bad=theme.zero), vmin=0, vmax=1, interpolation="none")
        words = f"{case.name}\nshift {case.shift}: {np.isfinite(found).mean():.0%} differ".replace("%", " %")
        axes.set_title(words, color=theme.ink, fontsize=SMALL)
    panels = third.subplots(1, 2, sharey=True)
    for axes, kind, changes in zip(panels, ("maximum", "average"), 100 * result.changes.mean(-1).swapaxes(0, 1), strict=True):
        plain(axes, theme)
        for i, (stride, colour) in enumerate(zip(STRIDES, (theme.ink, theme.blue, theme.orange), strict=True)):
            axes.fill_between(SHIFTS, changes[:, i].min(0), changes[:, i].max(0), color=colour, alpha=0.2, linewidth=0)
            axes.plot(SHIFTS, changes[:, i].mean(0), color=colour, marker="o", markersize=4, clip_on=False)
            axes.text(0.37 * i, 1.03, f"stride {stride}", transform=axes.transAxes, color=colour, fontsize=SMALL)
        axes.set_title(f"global {kind}", color=theme.ink, fontsize=TEXT, pad=18)
        axes.set(xlabel="shift, pixels", xticks=SHIFTS[::2], ylim=(0, None))
    panels[0].set_ylabel("change, %")
    return drawn


def about(result: Result) -> str:
    """The figure in words."""
    cases = "; ".join(f"{c.name}, shift {c.shift}: {100 * np.mean(c.difference > SAME):.0f} %" for c in result.cases)
    moved = 100 * result.changes.mean((0, 1, -1))
    return (
        f"A photograph, the same shifted by {SHIFT} pixels, and the edge map of each, a frame around what they share. Below, "
        f"which pixels differ between shifting before and after: {cases}. At the bottom, how what global pooling says changes "
        f"when digits shift: {moved[0].max():.0e} % at stride 1, at stride 2 {moved[1, 1]:.0f} % for a shift of 1, at 4 "
        f"{moved[2, 2]:.0f} % for 2."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(pixels=48, digits=10, seeds=2))

if __name__ == "__main__":
    TOPIC.main()
