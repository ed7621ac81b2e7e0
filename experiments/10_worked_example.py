"""A worked example: ten filters on a small image.

Claim: ten 5×5 filters at stride 1 with padding 2 make 32×32×10 numbers of 32×32×3. They learn 10·(5·5·3 + 1) = 760 numbers and
cost 32·32·10·75 = 768,000 multiply-adds, of which 711,480 meet a pixel and the others a zero of the padding. In single
precision that is 12,288 bytes of input, 3,040 of parameters and 40,960 of output. On an image twice as wide and high
everything grows fourfold, except the parameters: they stay 760.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jcnn
from experiments.material import as_input, photograph
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_window
from jcnn.figures.style import SMALL, TEXT, Theme, bare, diverging, new_figure, plain
from jcnn.summary import Row

LAYER = (jcnn.Conv(10, 5, padding=2),)


@dataclass(frozen=True)
class Experiment:
    """The images whose cost is compared."""

    sizes: tuple[int, ...] = (8, 16, 32, 64, 128, 256)
    """N of N×N×3, each twice the one before, 32 among them."""


class Result(NamedTuple):
    """All that was found.

    Attributes:
        image: 32×32×3.
        filters: ten of them.
        maps: what they make of the image, by `conv`.
        error: the largest difference of a map to the sums written out in float64.
        learned: how many numbers the gradients by filters and biases have.
        met: multiply-adds that meet a pixel, as a convolution of ones by ones counts them; and those on the padding.
        costs: of N×N×3, for every N, by `summary`.
    """

    image: UInt8[np.ndarray, "32 32 3"]
    filters: Float[np.ndarray, "5 5 3 10"]
    maps: Float[np.ndarray, "32 32 10"]
    error: float
    learned: int
    met: tuple[int, int]
    costs: dict[int, Row]


def run(config: Experiment) -> Result:
    """Convolves a photograph, and counts: by the library's formulas, by the gradients, by a convolution of ones."""
    image, filters = photograph(32, 32), derivatives()
    x, w = jnp.asarray(as_input(image)[None]), jnp.asarray(filters)
    y = jcnn.conv(x, w, jnp.zeros(10, jnp.float32), padding=2)
    _, dw, db = jcnn.conv_backward(y, x, w, padding=2)
    padded = np.pad(as_input(image, "float64"), ((2, 2), (2, 2), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (0, 1))
    written_out = np.einsum("hwcij,ijcf->hwf", patches, filters.astype(float))
    ones, inside = jnp.ones((5, 5, 3, 10), jnp.int32), np.ones((1, 32, 32, 3), np.int32)
    frame = 1 - np.pad(inside, ((0, 0), (2, 2), (2, 2), (0, 0)))
    met = int(np.sum(jcnn.conv(inside, ones, padding=2))), int(np.sum(jcnn.conv(frame, ones)))
    maps, learned = np.asarray(y)[0], dw.size + db.size
    costs = {n: jcnn.summary(LAYER, (n, n, 3)).rows[0] for n in config.sizes}
    return Result(image, filters, maps, float(np.abs(maps - written_out).max()), learned, met, costs)


def derivatives() -> Float[np.ndarray, "5 5 3 10"]:
    """First and second derivatives of brightness along four directions, then red − green and blue − yellow, blurred."""
    down, right = np.mgrid[-2:3, -2:3].astype(float)
    blur = np.exp(-(down**2 + right**2) / 2)
    along = [np.cos(angle) * right + np.sin(angle) * down for angle in np.pi / 4 * np.arange(4)]
    shapes = [blur * u for u in along] + [blur * (np.average(u**2, weights=blur) - u**2) for u in along] + [blur, blur]
    colours = [np.ones(3)] * 8 + [np.array([1, -1, 0]), np.array([-0.5, -0.5, 1])]
    filters = np.stack([np.multiply.outer(shape, colour) for shape, colour in zip(shapes, colours, strict=True)], axis=-1)
    return (filters / np.abs(filters).sum((0, 1, 2))).astype(np.float32)


def bytes_of(result: Result) -> dict[str, int]:
    """What input, parameters and output take at 4 bytes a number."""
    return {"input": 4 * result.image.size, "parameters": 4 * result.learned, "output": 4 * result.maps.size}


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    row, shape, (pixels, zeros) = result.costs[32], result.maps.shape, result.met
    counts = np.array([(each.parameters, np.prod(each.output_shape), each.multiply_adds) for each in result.costs.values()])
    growth, taken = counts[1:] / counts[:-1], bytes_of(result)
    return [
        Check("32×32×3 becomes 32×32×10", f"{shape}", shape == row.output_shape == (32, 32, 10)),
        Check("every number is the sum over its window", f"off by {result.error:.0e}", result.error < 1e-5),
        Check("10·(5·5·3 + 1) = 760 learned", f"{row.parameters}, {result.learned}", row.parameters == result.learned == 760),
        Check("32·32·10·75 = 768,000 multiply-adds", f"{row.multiply_adds:,}, counted {pixels + zeros:,}",
              row.multiply_adds == pixels + zeros == 768_000),
        Check("10·3·(5·32 − 6)² = 711,480 of them meet a pixel", f"{pixels:,}", pixels == 30 * (5 * 32 - 6) ** 2),
        Check("12,288, 3,040 and 40,960 bytes", ", ".join(f"{count:,}" for count in taken.values()),
              list(taken.values()) == [12_288, 3_040, 40_960]),
        Check("twice the size: parameters × 1, outputs and multiply-adds × 4",
              ", ".join(f"× {factor:.3g}" for factor in growth.mean(0)), bool(np.all(growth == [1, 4, 4]))),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The volumes, the filters with their maps, and the cost."""
    drawn, largest = new_figure(6.7, theme), np.abs(result.maps[2:-2, 2:-2]).max()
    layout = drawn.add_gridspec(3, 1, height_ratios=[2.35, 1.15, 2.1])
    _draw_volumes(drawn.add_subplot(layout[0]), result, theme)
    panels = layout[1].subgridspec(2, 10, hspace=0.05)
    weights = 0.5 + 0.5 * result.filters / np.abs(result.filters).max((0, 1, 2))
    for row, number in np.ndindex(2, 10):
        axes = drawn.add_subplot(panels[row, number])
        bare(axes)
        axes.imshow((weights, result.maps)[row][..., number], cmap=diverging(theme), clim=(-largest, largest))
    _draw_cost([drawn.add_subplot(part) for part in layout[2].subgridspec(1, 2)], result, theme)
    return drawn


def _draw_volumes(axes: Axes, result: Result, theme: Theme) -> None:
    """The image and its maps as stacks of sheets, to scale, and one window with the column of outputs it makes."""
    bare(axes)
    image, largest, row, column, right = as_input(result.image), np.abs(result.maps[2:-2, 2:-2]).max(), 20, 11, 58
    sheets = [(0, sheet, image[..., sheet], "gray", (0, 1)) for sheet in (2, 1)] + [(0, 0, image, None, (0, 1))]
    sheets += [(right, sheet, result.maps[..., sheet], diverging(theme), (-largest, largest)) for sheet in range(9, -1, -1)]
    for left, sheet, values, colours, (low, high) in sheets:
        at = 1.2 * sheet
        axes.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="none", zorder=4 - 0.1 * sheet,
                    extent=(left + at, left + at + 32, 32 - at, -at))  # fmt: skip
        draw_window(axes, 0.5 - at, left + at + 0.5, 32, 32, theme.paper, thick=0.6)
        axes.patches[-1].set_zorder(4.05 - 0.1 * sheet)
    draw_window(axes, row - 1.5, column - 1.5, 5, 5, theme.orange)
    draw_window(axes, row + 0.5, right + column + 0.5, 1, 1, theme.orange)
    for edge in (0, 1):
        axes.plot([column + 3, right + column], [row - 2 + 5 * edge, row + edge], color=theme.orange, linewidth=1, zorder=6)
    for x, text in (16, "32×32×3"), (46.5, f"10 filters 5×5×3\n{result.learned} parameters"), (right + 16, "32×32×10"):
        axes.text(x, 33.5, text, ha="center", va="top", color=theme.ink, fontsize=TEXT)
    axes.set(xlim=(-1, right + 44), ylim=(41, -11.5), aspect="equal")


def _draw_cost(panels: list[Axes], result: Result, theme: Theme) -> None:
    taken, growth = panels
    sizes, costs = zip(*result.costs.items(), strict=True)
    for axes, title in zip(panels, ("bytes at 32×32", "against image size"), strict=True):
        plain(axes, theme)
        axes.set_title(title, loc="left", color=theme.ink, fontsize=TEXT)
    taken.set(ylim=(2.4, -0.75), xticks=[], yticks=[])
    taken.spines[:].set_visible(False)
    for place, (name, count) in enumerate(bytes_of(result).items()):
        taken.barh(place, count, 0.35, color=theme.blue)
        taken.text(0, place - 0.26, f"{name} {count:,}", va="bottom", color=theme.ink, fontsize=SMALL)
    for name, colour, place in ("multiply_adds", theme.orange, (16, 18)), ("parameters", theme.blue, (0, 8)):
        values = [getattr(row, name) for row in costs]
        growth.loglog(sizes, values, "o-", color=colour)
        at, text = (32, values[sizes.index(32)]), f"{name.replace('_', '-')}\n{values[sizes.index(32)]:,}"
        growth.annotate(text, at, place, textcoords="offset points", ha="right", color=colour, fontsize=SMALL)
    growth.minorticks_off()
    growth.set(xlabel="N of N×N×3", ylim=(200, 1e8), xticks=sizes, xticklabels=sizes)


def about(result: Result) -> str:
    """The figure in words."""
    taken = ", ".join(f"{name} {count:,}" for name, count in bytes_of(result).items())
    return (
        f"A photograph of 32×32×3 and the stack of 32×32×10 maps that ten 5×5×3 filters make of it; one window and its output "
        f"are framed. Below, each filter above its map: derivatives of brightness, differences of colours. At the bottom, the "
        f"bytes: {taken}; and, as the image grows, {result.learned} parameters that stay and multiply-adds that grow with the "
        f"square of its size, {result.costs[32].multiply_adds:,} at 32×32."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(sizes=(16, 32, 64)))

if __name__ == "__main__":
    TOPIC.main()
