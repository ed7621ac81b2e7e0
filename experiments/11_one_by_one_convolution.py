"""The 1×1 convolution: mixing channels.

Claim: a 1×1 convolution is a dense layer at every pixel, forward and backward. It mixes channels and never looks sideways; an
invertible one is undone by another. It makes room for a bottleneck: 256 channels to 64 by 1×1, 3×3 among the 64, back to 256
by 1×1 takes 69,632 weights where 3×3 on all 256 takes 589,824, 8.5 times as many, and multiply-adds in the same proportion.
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
from jcnn.figures.style import SMALL, TEXT, Theme, bare, diverging, new_figure, plain

MIXING = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]], np.float32).T
"""From red, green, blue to luminance (ITU-R BT.601), red − green, yellow − blue; (C_in, C_out)."""
NAMES = "luminance", "red − green", "yellow − blue"
WIDE, NARROW, MAP = 256, 64, 56


@dataclass(frozen=True)
class Experiment:
    """The photograph's size."""

    pixels: int = 128
    """Height and width."""


class Result(NamedTuple):
    """All that was found.

    Attributes:
        image: the photograph.
        mixed: what the 1×1 convolution makes of it.
        errors: the largest difference of the convolution to `dense`, to sums in float64, of the undone to the photograph.
        gradients: the largest relative difference between the gradients by input, weights and bias of both operations.
        shuffled: values that change when pixels are shuffled before the 1×1 convolution and put back after it; by 3×3.
        parts: weights and multiply-adds of the bottleneck's three layers on 56×56 pixels.
        direct: those of the 3×3 convolution on all channels.
        sizes: weights of a bottleneck by its middle width.
    """

    image: UInt8[np.ndarray, "h w 3"]
    mixed: Float[np.ndarray, "h w 3"]
    errors: tuple[float, ...]
    gradients: tuple[float, ...]
    shuffled: tuple[int, int]
    parts: tuple[tuple[int, int], ...]
    direct: tuple[int, int]
    sizes: dict[int, int]


def run(config: Experiment) -> Result:
    """Mixes the channels of a photograph in both ways and undoes it, shuffles its pixels, and counts bottlenecks."""
    image = photograph(config.pixels, config.pixels)
    x, w, b = jnp.asarray(as_input(image)[None]), jnp.asarray(MIXING), jnp.zeros(3, jnp.float32)
    y = jcnn.conv(x, w[None, None], b)
    rows = x.reshape(-1, 3)
    undone = jcnn.conv(y, jnp.asarray(np.linalg.inv(MIXING.astype(float)).astype(np.float32)[None, None]))
    pairs = (y, jcnn.dense(rows, w, b)), (y, as_input(image, "float64") @ MIXING.astype(float)), (undone, x)
    by_conv, by_dense = jcnn.conv_backward(y, x, w[None, None]), jcnn.dense_backward(y.reshape(-1, 3), rows, w)
    gradients = tuple(_apart(*pair) / float(jnp.abs(pair[1]).max()) for pair in zip(by_conv, by_dense, strict=True))
    wide = jnp.ones((3, 3, 1, 3), jnp.int32) * jnp.arange(1, 10, dtype=jnp.int32).reshape(3, 3, 1, 1)
    shuffled = moved(image, wide[1:2, 1:2]), moved(image, wide)
    parts = tuple((row.parameters, row.multiply_adds or 0) for row in jcnn.summary(bottleneck(NARROW), (MAP, MAP, WIDE)).rows)
    direct = jcnn.summary((jcnn.Conv(WIDE, 3, padding=1, bias=False),), (MAP, MAP, WIDE))
    sizes = {m: jcnn.count_parameters(bottleneck(m), (MAP, MAP, WIDE)) for m in (*range(16, 257, 16), 229, 230)}
    return Result(image, np.asarray(y)[0], tuple(_apart(*pair) for pair in pairs), gradients, shuffled, parts,
                  (direct.parameters, direct.multiply_adds), sizes)  # fmt: skip


def _apart(first: object, second: object) -> float:
    return float(np.abs(np.ravel(np.asarray(first)) - np.ravel(np.asarray(second))).max())


def moved(image: UInt8[np.ndarray, "h w 3"], w: jnp.ndarray) -> int:
    """Values that come out otherwise where pixels are shuffled before the convolution and put back after it."""
    h, width, _ = image.shape
    order = np.random.default_rng(0).permutation(h * width)
    whole = image.astype(np.int32)[..., :1]
    straight, mixed = (
        np.asarray(jcnn.conv(jnp.asarray(pixels[None]), w, padding="same")).reshape(h * width, -1)
        for pixels in (whole, whole.reshape(-1, 1)[order].reshape(h, width, 1))
    )
    return int(np.count_nonzero(mixed[np.argsort(order)] != straight))


def bottleneck(middle: int) -> tuple[jcnn.Conv, ...]:
    """1×1 to the middle width, 3×3, 1×1 back; without biases."""
    return jcnn.Conv(middle, 1, bias=False), jcnn.Conv(middle, 3, padding=1, bias=False), jcnn.Conv(WIDE, 1, bias=False)


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    dense, sums, undone = result.errors
    weights, products = np.sum(result.parts, axis=0).tolist()
    ratios = result.direct[0] / weights, result.direct[1] / products
    return [
        Check("1×1 conv = dense at every pixel = sums in float64, to rounding", f"off by {dense:.0e}, {sums:.0e}",
              max(dense, sums) < 1e-5),
        Check("so are the gradients by input, weights and bias",
              "off by " + ", ".join(f"{error:.0e}" for error in result.gradients), max(result.gradients) < 1e-3),
        Check("the inverse matrix undoes the mixing", f"off by {undone:.0e} of pixels up to 1", undone < 1e-5),
        Check("shuffled pixels are mixed alike by 1×1, not by 3×3", "{} and {:,} values changed".format(*result.shuffled),
              result.shuffled[0] == 0 < result.shuffled[1]),
        Check("256 → 64 → 64 → 256: 69,632 weights for 589,824", f"{weights:,} for {result.direct[0]:,}",
              weights == 69_632 and result.direct[0] == 589_824),
        Check("8.5 times fewer weights, and multiply-adds", "{:.2f} and {:.2f}".format(*ratios),
              bool(np.allclose(ratios, 589_824 / 69_632, rtol=1e-9) and round(ratios[0], 1) == 8.5)),
        Check("cheaper up to a middle of 229 channels: 512 m + 9 m²", f"{result.sizes[229]:,}, {result.sizes[230]:,}",
              result.sizes[229] < result.direct[0] < result.sizes[230]),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The photograph and its mixed channels; the bottleneck's weights; what its middle width costs."""
    drawn = new_figure(5.9, theme)
    layout = drawn.add_gridspec(3, 1, height_ratios=[1.5, 1.5, 2.3])
    panels = [drawn.add_subplot(part) for part in layout[0].subgridspec(1, 4)]
    for axes, name, shown in zip(panels, ("photograph", *NAMES), (result.image, *np.moveaxis(result.mixed, 2, 0)), strict=True):
        bare(axes)
        colours, limit = ("gray", (0, 1)) if name == "luminance" else (diverging(theme), (-0.4, 0.4))
        axes.imshow(shown, cmap=colours, clim=limit)
        axes.set_title(name, color=theme.ink, fontsize=SMALL)
    _draw_weights(drawn.add_subplot(layout[1]), result, theme)
    _draw_middle(drawn.add_subplot(layout[2]), result, theme)
    return drawn


def _draw_weights(axes: Axes, result: Result, theme: Theme) -> None:
    """Two bars to scale."""
    bare(axes)
    axes.barh(0, result.direct[0], 0.4, color=theme.blue)
    axes.text(0, -0.28, f"3×3 on 256 channels: {result.direct[0]:,} weights", va="bottom", color=theme.ink, fontsize=SMALL)
    left = 0
    for weights, _ in result.parts:
        axes.barh(1, weights, 0.4, left=left, color=theme.orange, edgecolor=theme.paper, linewidth=1)
        left += weights
    axes.text(0, 0.72, f"1×1, 3×3, 1×1 through 64 channels: {left:,}", va="bottom", color=theme.ink, fontsize=SMALL)
    words = " + ".join(f"{weights:,}" for weights, _ in result.parts)
    axes.text(left + 10_000, 1, words, va="center", color=theme.orange, fontsize=SMALL)
    axes.set(ylim=(1.3, -0.7), xlim=(0, result.direct[0]))


def _draw_middle(axes: Axes, result: Result, theme: Theme) -> None:
    plain(axes, theme)
    middles = sorted(result.sizes)
    axes.plot(middles, [result.sizes[m] / 1000 for m in middles], color=theme.orange)
    axes.axhline(result.direct[0] / 1000, color=theme.blue)
    axes.plot([64], [result.sizes[64] / 1000], "o", color=theme.orange)
    axes.text(64, result.sizes[64] / 1000 + 60, f"64: {result.sizes[64]:,}", ha="right", color=theme.orange, fontsize=SMALL)
    axes.text(16, result.direct[0] / 1000 + 20, "3×3 on 256 channels", color=theme.blue, fontsize=SMALL)
    axes.text(172, 400, "bottleneck", ha="right", color=theme.orange, fontsize=SMALL)
    axes.set_title("thousands of weights", loc="left", color=theme.ink, fontsize=TEXT)
    axes.set(xlabel="channels in the middle", xlim=(0, 262), ylim=(0, 760), xticks=[0, 64, 128, 192, 256])


def about(result: Result) -> str:
    """The figure in words."""
    weights = [part[0] for part in result.parts]
    last = max(middle for middle, size in result.sizes.items() if size <= result.direct[0])
    return (
        f"A photograph and what a 1×1 convolution makes of its red, green and blue: luminance, red minus green, yellow minus "
        f"blue. Below, two bars to scale: {result.direct[0]:,} weights of a 3×3 one on 256 channels, {sum(weights):,} of "
        f"a bottleneck through 64, in parts of {weights}. At the bottom, the bottleneck's weights by its middle width; they "
        f"reach those of the direct convolution between {last} and {last + 1} channels."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(pixels=32))

if __name__ == "__main__":
    TOPIC.main()
