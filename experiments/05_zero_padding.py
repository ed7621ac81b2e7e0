"""Zero padding: what keeps the size, and what it costs at the border.

Claim: zeros of width (F − 1)/2 around an image keep its size at stride 1. Without them a stack of 5×5 convolutions shrinks
32 pixels by 4 a layer, to 28, 24, …, 4, and the eighth has no place left. But the zeros are not the world beyond the border:
after L layers what differs from the map of a larger image reaches exactly L · (F − 1)/2 pixels in.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from matplotlib.figure import Figure

import jcnn
from experiments.material import as_input, photograph
from experiments.topic import Check, Topic
from jcnn.figures.style import SMALL, Theme, bare, new_figure, plain, sequential

LAYERS, SHOWN = 8, (2, 4, 8)
SAME = 1e-12  # rounding makes less, padding more


@dataclass(frozen=True)
class Experiment:
    """How large the part of the photograph is, and how many networks look at it."""

    pixels: int = 64
    """Height and width, cut out of 128×128, so that the true surroundings are known."""
    seeds: int = 3
    """Stacks of random 3×3 and of random 5×5 filters, 8 a layer, each layer followed by a ReLU."""


class Result(NamedTuple):
    """All that was found.

    Attributes:
        kept: how many of 8 combinations of N and F a padding of (F − 1)/2 kept at size N.
        zeros: largest difference of a padded 5×5 convolution to its sums written out, over an image in a frame of zeros.
        sizes: per F, the sizes of 32 pixels layer by layer, until `jcnn.GeometryError`.
        padded: the sizes of 32 pixels through as many padded 5×5 layers.
        differences: per F, mean absolute difference over the channels, in standard deviations of the true map.
    """

    kept: int
    zeros: float
    sizes: dict[int, list[int]]
    padded: list[int]
    differences: dict[int, Float[np.ndarray, "seeds layers n n"]]


def run(config: Experiment) -> Result:
    """Measures sizes, and what padded stacks make of a part of the photograph against what they make of more of it."""
    kept = sum(sizes(n, f, (f - 1) // 2, 1)[1:] == [n] for n in (7, 32) for f in (1, 3, 5, 7))
    shrinking = {f: sizes(32, f, 0, 99) for f in (3, 5, 7)}
    with jax.enable_x64(True):
        differences = {f: compare(config, f) for f in (3, 5)}
        image, w = as_input(photograph(32, 32), "float64"), np.random.default_rng(0).normal(size=(5, 5, 3, 1))
        found = np.asarray(jcnn.conv(image[None], w, padding=2))[0, ..., 0]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, ((2, 2), (2, 2), (0, 0))), (5, 5, 3))[:, :, 0]
    zeros = float(np.abs(found - (windows * w[..., 0]).sum((2, 3, 4))).max())
    return Result(kept, zeros, shrinking, sizes(32, 5, 2, 8), differences)


def sizes(n: int, f: int, padding: int, layers: int) -> list[int]:
    """N, then the size after each convolution, until one is refused."""
    found = [n]
    for _ in range(layers):
        try:
            y = jax.eval_shape(lambda x, w: jcnn.conv(x, w, padding=padding), jnp.ones((1, found[-1], 1)), jnp.ones((f, 1, 1)))
        except jcnn.GeometryError:
            break
        found.append(y.shape[1])
    return found


def compare(config: Experiment, f: int) -> Float[np.ndarray, "seeds layers n n"]:
    """Padded layers on the middle of the photograph against layers without padding on all of it, after every layer."""

    @jax.jit
    def through(true: Array, stack: list[Array]) -> Array:
        x, found = middle(true), []
        for w in stack:
            x, true = jcnn.relu(jcnn.conv(x, w, padding=(f - 1) // 2)), jcnn.relu(jcnn.conv(true, w))
            found.append(jnp.abs(x - middle(true)).mean((0, 3)) / middle(true).std())
        return jnp.stack(found)

    def middle(image: Array) -> Array:
        start = (image.shape[1] - config.pixels) // 2
        return image[:, start : start + config.pixels, start : start + config.pixels]

    photo, layers = as_input(photograph(), "float64"), (jcnn.Conv(8, f, bias=False), jcnn.Relu()) * LAYERS
    drawn = [jcnn.init(jax.random.key(seed), layers, photo.shape, "float64") for seed in range(config.seeds)]
    return np.stack([through(photo[None], [layer["w"] for layer in params if layer]) for params in drawn])


def reach(difference: Float[np.ndarray, "n n"]) -> int:
    """How many pixels from the border the innermost that differs is."""
    n = len(difference)
    return next(k for k in range(n) if not (difference[k : n - k, k : n - k] > SAME).any())


def profile(differences: Float[np.ndarray, "seeds n n"], width: int) -> Float[np.ndarray, "seeds width"]:
    """The mean difference at each distance from the border, 0 for the outermost pixels."""
    along = np.minimum(np.arange(differences.shape[-1]), np.arange(differences.shape[-1])[::-1])
    return np.stack([differences[:, np.minimum.outer(along, along) == d].mean(1) for d in range(width)], axis=1)


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    layers = [(f, found[:, i], i + 1) for f, found in result.differences.items() for i in range(LAYERS)]
    right = [reach(map_) == count * (f - 1) // 2 for f, maps, count in layers for map_ in maps]
    ends = [profile(found[:, -1], LAYERS * (f - 1) // 2) for f, found in result.differences.items()]
    outer = min(float((p[:, : p.shape[1] // 2].sum(1) / p.sum(1)).min()) for p in ends)
    return [
        Check("a padding of (F − 1)/2 keeps the size, F odd", f"{result.kept} of 8 sizes", result.kept == 8),
        Check("it is a frame of zeros: sums written out", f"largest difference {result.zeros:.0e}", result.zeros < 1e-12),
        Check("5×5 without padding: 32, 28, 24, …, 4, then an error; with it 32 throughout",
              f"{', '.join(map(str, result.sizes[5]))}; {', '.join(map(str, set(result.padded)))}",
              result.sizes[5] == [*range(32, 0, -4)] and set(result.padded) == {32}),
        Check("⌊31/(F − 1)⌋ layers fit: 15, 7, 5 for F = 3, 5, 7", ", ".join(str(len(s) - 1) for s in result.sizes.values()),
              [len(s) - 1 for s in result.sizes.values()] == [15, 7, 5]),
        Check("after L layers padding reaches exactly L(F − 1)/2 pixels in", f"{sum(right)} of {len(right)} maps",
              all(right)),
        Check("the outer half of the band has over 2/3 of the difference", f"{100 * outer:.0f} % at least", outer > 2 / 3),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """Sizes layer by layer; where padding changed a map, and how much."""
    drawn = new_figure(7.6, theme)
    grid = drawn.add_gridspec(3, 3, height_ratios=[2.4, 1.7, 2.8])
    top, bottom = (drawn.add_subplot(grid[row, :]) for row in (0, 2))
    plain(top, theme)
    for f, found in result.sizes.items():
        top.plot(found, color=theme.blue, marker="o", markersize=4)
        top.plot(len(found), 0, color=theme.blue, marker="x", markersize=8, markeredgewidth=2)
        top.text(len(found), 2.5, f"{f}×{f}", ha="center", color=theme.blue, fontsize=SMALL)
    top.plot(result.padded, color=theme.orange, marker="o", markersize=4)
    top.text(8.4, 32, "5×5, padding 2", va="center", color=theme.orange, fontsize=SMALL)
    top.text(8.4, 24, "without padding, until\nno place is left (×)", va="center", color=theme.blue, fontsize=SMALL)
    top.set(xlabel="convolutions", ylabel="height, pixels", xticks=range(0, 17, 2), yticks=range(0, 33, 8))
    for column, layers in enumerate(SHOWN):
        axes = drawn.add_subplot(grid[1, column])
        bare(axes)
        found, colours = result.differences[3][0, layers - 1], sequential(theme, theme.orange).with_extremes(bad=theme.zero)
        axes.imshow(np.where(found > SAME, found, np.nan), cmap=colours, vmin=0, vmax=1, interpolation="none")
        axes.set_title(f"{layers} layers of 3×3", color=theme.ink, fontsize=SMALL)
        axes.set_xlabel(f"{reach(found)} pixels wide", color=theme.ink, fontsize=SMALL)
    plain(bottom, theme)
    for f, colour, place in ((5, theme.orange, (8.2, 22)), (3, theme.blue, (0.2, 4))):
        found = 100 * profile(result.differences[f][:, -1], LAYERS * (f - 1) // 2 + 1)
        bottom.fill_between(range(found.shape[1]), found.min(0), found.max(0), color=colour, alpha=0.2, linewidth=0)
        bottom.plot(found.mean(0), color=colour, marker="o", markersize=4, clip_on=False)
        bottom.text(*place, f"{LAYERS} layers\nof {f}×{f}", color=colour, fontsize=SMALL)
    bottom.set(xlabel="pixels from the border", ylabel="difference, % of\nstandard deviation", ylim=(0, None))
    return drawn


def about(result: Result) -> str:
    """The figure in words."""
    found = {f: 100 * profile(d[:, -1], LAYERS * (f - 1) // 2).mean(0) for f, d in result.differences.items()}
    ends = "; ".join(f"{f}×{f}: from {p[0]:.0f} % at the border to {p[-1]:.1f} % at pixel {len(p)}" for f, p in found.items())
    kept = " and ".join(map(str, sorted(set(result.padded))))
    wide = ", ".join(str(reach(result.differences[3][0, layers - 1])) for layers in SHOWN)
    lost = ", ".join(f"{len(sizes) - 1} layers of {f}×{f}" for f, sizes in result.sizes.items())
    return (
        f"The height of {result.padded[0]} pixels layer by layer: {kept} with padding; without, no place is left after {lost}. "
        f"Below, where padding changed the map after {', '.join(map(str, SHOWN))} layers of 3×3: in a frame {wide} pixels "
        "wide. At the bottom how much, against the distance from the border, mean and range of random stacks. "
        f"{LAYERS} layers of {ends}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(pixels=48, seeds=2))

if __name__ == "__main__":
    TOPIC.main()
