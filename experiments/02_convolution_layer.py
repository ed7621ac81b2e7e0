"""Convolution layer: a filter slides over an image.

Claim: a 5×5×3 filter stands at 28×28 places of a 32×32×3 image, and at each it makes one number: the dot product of the 75
pixel values below it with its 75 weights, plus its bias. So one filter makes a map of 28×28×1 and six make 28×28×6 out of
6 · (75 + 1) = 456 parameters. What a filter looks for is in its weights: edges, a blur, a colour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

import jcnn
from experiments.material import as_input, photograph
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_cells, draw_window
from jcnn.figures.style import SMALL, TEXT, Theme, bare, diverging, new_figure, to_gif

NAMES = ("edge, left to right", "edge, top to bottom", "red, not blue", "blur", "sharpen", "emboss")


@dataclass(frozen=True)
class Experiment:
    """How many pixels, beside the lecture's 32×32."""

    large: int = 128
    """Height and width of the photograph that shows what each filter looks for."""


class Result(NamedTuple):
    """All that was found.

    Attributes:
        image: the photograph, small.
        one: the map of the first filter alone.
        maps: the maps of all six.
        sums: the same numbers, each a dot product written out in NumPy.
        seen: pixel values that the number in the middle of a map depends on, as its gradient says.
        parameters: of the layer of six.
        photograph: the maps of the large photograph.
        flat: what each filter makes of an image that is 1 everywhere, without bias.
        strongest: row and column of the largest number in the first map.
    """

    image: Float[np.ndarray, "32 32 3"]
    one: Float[np.ndarray, "28 28 1"]
    maps: Float[np.ndarray, "28 28 6"]
    sums: Float[np.ndarray, "28 28 6"]
    seen: int
    parameters: int
    photograph: Float[np.ndarray, "h w 6"]
    flat: Float[np.ndarray, "6"]
    strongest: tuple[int, int]


def filters() -> tuple[Float[np.ndarray, "5 5 3 6"], Float[np.ndarray, "6"]]:
    """Six filters made by hand, and their biases."""
    step = np.zeros((5, 5, 3)) + np.array([-1.0, -1, 0, 1, 1])[:, None]  # dark on the left, bright on the right
    blur, centre, colour, emboss = np.full((5, 5, 3), 1 / 75), *np.zeros((3, 5, 5, 3))
    centre[2, 2], colour[..., 0], colour[..., 2] = 1 / 3, 1 / 25, -1 / 25
    emboss[1, 1], emboss[3, 3] = 1 / 3, -1 / 3  # light from the upper left
    weights = np.stack([step, step.swapaxes(0, 1), colour, blur, 3 * centre - 2 * blur, emboss], axis=-1)
    return weights, np.array([0, 0, 0, 0, 0, 0.5])


def run(config: Experiment) -> Result:
    """Convolves by one filter and by six, writes every sum out, and asks a gradient what one number saw."""
    image, large = (as_input(photograph(n, n), "float64") for n in (32, config.large))
    w, b = filters()
    sums = np.empty((28, 28, 6))
    for row, column, k in np.ndindex(sums.shape):
        sums[row, column, k] = np.dot(image[row : row + 5, column : column + 5].ravel(), w[..., k].ravel()) + b[k]
    with jax.enable_x64(True):
        one = np.asarray(jcnn.conv(image[None], w[..., :1], b[:1]))[0]
        maps, wide = (np.asarray(jcnn.conv(x[None], w, b))[0] for x in (image, large))
        seen = jax.jit(jax.grad(lambda x: jcnn.conv(x, np.ones_like(w), b)[0, 14, 14, 0]))(image[None])
        flat = np.asarray(jcnn.conv(np.ones((1, 5, 5, 3)), w))[0, 0, 0]
    parameters = jcnn.count_parameters((jcnn.Conv(6, 5),), image.shape)
    return Result(
        image, one, maps, sums, int(np.count_nonzero(seen)), parameters, wide, flat, divmod(int(np.abs(one).argmax()), 28)
    )


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    one, six = (np.abs(maps - result.sums[..., : maps.shape[-1]]).max() for maps in (result.one, result.maps))
    shapes = ["×".join(map(str, maps.shape)) for maps in (result.one, result.maps)]
    return [
        Check("of 32×32×3 a map of 28×28×1, each number a dot product of 75 numbers plus bias",
              f"{shapes[0]}, off by {one:.0e}",
              result.image.shape == (32, 32, 3) and result.one.shape == (28, 28, 1) and bool(one < 1e-12)),
        Check("it depends on 5 · 5 · 3 = 75 pixel values", f"{result.seen} of {result.image.size:,}", result.seen == 75),
        Check("six filters: 28×28×6 by the same rule", f"{shapes[1]}, off by {six:.0e}",
              result.maps.shape == (28, 28, 6) and bool(six < 1e-12)),
        Check("six filters have 6 · (75 + 1) = 456 parameters", f"{result.parameters}", result.parameters == 456),
        Check("edges, colour, emboss say 0 of a flat white image, blur and sharpen 1", f"{np.abs(result.flat).round(3)}",
              np.allclose(result.flat, [0, 0, 0, 1, 1, 0], atol=1e-12)),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """One number and its 75 products, the map it belongs to, and six maps of a photograph."""
    drawn = new_figure(9.3, theme)
    above, between, below = np.asarray(drawn.subfigures(3, 1, height_ratios=[2.15, 3.2, 3.95]))
    _draw_step(above, result, *result.strongest, 28 * 28, theme)
    _draw_products(between, result, *result.strongest, theme)
    for k, axes in enumerate(below.subplots(2, 3).flat):
        values = result.photograph[..., k]
        limit = np.quantile(np.abs(values), 0.995)
        look = {"cmap": diverging(theme), "vmin": -limit, "vmax": limit} if k < 3 else {"cmap": "gray", "vmin": 0, "vmax": 1}
        bare(axes)
        axes.imshow(values, interpolation="none", **look)
        axes.set_title(NAMES[k], loc="left", color=theme.ink, fontsize=SMALL)
    return drawn


def _draw_step(where: Any, result: Result, row: int, column: int, done: int, theme: Theme) -> None:
    """The image with the window, and the first `done` numbers of the map."""
    left, right = where.subplots(1, 2)
    for axes, title in ((left, "image, 32×32×3"), (right, "map, 28×28×1")):
        bare(axes)
        axes.set_title(title, color=theme.ink, fontsize=TEXT)
    left.imshow(result.image, interpolation="none")
    values = np.where(np.arange(28 * 28).reshape(28, 28) < done, result.one[..., 0], np.nan)
    right.imshow(values / np.abs(result.one).max(), cmap=diverging(theme), vmin=-1, vmax=1, interpolation="none")
    right.set(xlim=(-2.5, 29.5), ylim=(29.5, -2.5))  # a map pixel as large as an image pixel
    draw_window(right, 0, 0, 28, 28, theme.rule, thick=1)
    draw_window(left, row, column, 5, 5, theme.orange)
    draw_window(right, row, column, 1, 1, theme.ink)
    ends = {"xyA": (column + 4.5, row + 2), "xyB": (column - 0.7, row), "coordsA": "data", "coordsB": "data"}
    where.add_artist(ConnectionPatch(axesA=left, axesB=right, arrowstyle="-|>", color=theme.orange, linewidth=1.5, **ends))


def _draw_products(where: Any, result: Result, row: int, column: int, theme: Theme) -> None:
    """The pixel values below the window over the weights, channel by channel, and their sum."""
    panels = where.subplots(2, 3)
    patch, weights = result.image[row : row + 5, column : column + 5], filters()[0][..., 0]
    for channel, (top, bottom) in enumerate(panels.T):
        draw_cells(top, patch[..., channel], theme, scale=2.5, numbers="{:.1f}".format, size=9)
        draw_cells(bottom, weights[..., channel], theme, scale=2.5, numbers=lambda w: f"{w:+.0f}" if w else "0", size=9)
        top.set_title(("red", "green", "blue")[channel], color=theme.ink, fontsize=SMALL)
    panels[0, 0].set_ylabel("pixels", color=theme.ink, fontsize=SMALL)
    panels[1, 0].set_ylabel("weights", color=theme.ink, fontsize=SMALL)
    sums = " + ".join(f"{value:.2f}" for value in (patch * weights).sum((0, 1)))
    total = f"{sums} + bias 0 = {result.one[row, column, 0]:.2f}".replace("+ -", "− ").replace("-", "−")
    where.supxlabel(f"75 products: {total}", color=theme.ink, fontsize=SMALL)


def movie(result: Result, theme: Theme) -> bytes:
    """The window slides, the map fills in: the first row in small steps, then every fourth row in three."""
    places = [(0, column) for column in range(0, 27, 4)] + [(y, x) for y in range(3, 28, 4) for x in (4, 13, 27)]

    def frames() -> Iterator[Figure]:
        for row, column in places:
            drawn = new_figure(2.75, theme)
            _draw_step(drawn, result, row, column, 28 * row + column + 1, theme)
            said = f"75 products, added: {result.one[row, column, 0]:+.2f}".replace("-", "−")
            drawn.supxlabel(said, color=theme.ink, fontsize=TEXT)
            yield drawn

    return to_gif(frames(), seconds=0.35)


def about(result: Result) -> str:
    """The figure in words."""
    return (
        "A photograph of 32×32 pixels with a frame of 5×5 around one place, and an arrow to the one number "
        f"{result.one[result.strongest][0]:.2f} it makes in a map of 28×28. Below, the 75 values in the frame over the 75 "
        f"weights of an edge filter. At the bottom what six filters make of the photograph: {'; '.join(NAMES)}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(large=64), movie=movie)

if __name__ == "__main__":
    TOPIC.main()
