"""Local connections and shared weights: from a dense layer to a convolution.

Claim: a convolution is a dense layer twice restricted: every output sees a window only, and all windows use the same weights.
From 12×12 pixels to 16 maps of 8×8 that is 148,480 parameters dense, 26,624 locally connected, 416 shared. Sharing is what
generalises: where digits stand anywhere in the frame, 500 of them teach the convolution at least 8 points more than the dense
layer, while windows without sharing are worse than dense. Where all digits stand in the middle there is nothing to transfer
between places, and the convolution merely keeps up, with 1/357 of the parameters.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jcnn
from experiments.fitting import fit, read_right
from experiments.material import FRAME, framed
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_cells
from jcnn.figures.style import SMALL, TEXT, Theme, bare, new_figure, plain
from jcnn.layers import Context, Layer, Shape, normal_weights
from jcnn.layers.base import EVALUATION


@dataclass(frozen=True)
class Experiment:
    """What to train, and on how many images."""

    images: tuple[int, ...] = (50, 150, 500, 1438)
    """Training images; 500 and 1,438 are what the claim is about."""
    seeds: int = 3
    """Runs, each with its own images, places and first weights."""
    steps: int = 400
    """Updates."""


class Result(NamedTuple):
    """All that was found, always dense, locally connected, convolution.

    Attributes:
        matrices: the three layers from 6 pixels to 4 by a window of 3, each as the matrix that it is.
        same: the largest difference between a convolution and the locally connected or dense layer that holds its weights.
        shared: the largest difference between the convolution's gradient and the sum of all places' gradients.
        parameters: of the trained layers, counted.
        images: numbers of training images.
        anywhere: test accuracy with digits anywhere, by layer, number of images, seed.
        centred: test accuracy with digits in the middle and all training images, by layer and seed.
    """

    matrices: tuple[Float[np.ndarray, "4 6"], ...]
    same: float
    shared: float
    parameters: tuple[int, ...]
    images: tuple[int, ...]
    anywhere: Float[np.ndarray, "layers images seeds"]
    centred: Float[np.ndarray, "layers seeds"]


NAMES = ("dense", "locally connected", "convolution")
WINDOW, MAPS, PLACES = 5, 16, 8  # a window of 5 has 8×8 places in a frame


@dataclass(frozen=True, repr=False)
class ToMaps(Layer):
    """From pixels to maps, connected in one of three ways."""

    connected: str

    def output_shape(self, shape: Shape) -> Shape:
        return (PLACES, PLACES, MAPS)

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        """Whether shared or not, a filter sums up its window, and a pixel reaches as many places."""
        filters = (WINDOW, WINDOW, 1, MAPS)
        sizes, outputs = {
            "dense": ((FRAME**2, PLACES**2 * MAPS), (PLACES**2 * MAPS,)),
            "locally connected": ((PLACES, PLACES, *filters), (PLACES, PLACES, MAPS)),
            "convolution": (filters, (MAPS,)),
        }[self.connected]
        fan_in, fan_out = (FRAME**2, PLACES**2 * MAPS) if self.connected == "dense" else (WINDOW**2, WINDOW**2 * MAPS)
        w = normal_weights(key, sizes, fan_in=fan_in, fan_out=fan_out, gain=gain, dtype=dtype)
        return {"w": w, "b": jnp.zeros(outputs, dtype)}

    def forward(self, params: Any, x: Array, context: Context = EVALUATION) -> tuple[Array, None]:
        w, b = params["w"], params["b"]
        if self.connected == "dense":
            return jcnn.dense(jcnn.flatten(x), w, b).reshape(-1, PLACES, PLACES, MAPS), None
        return (jcnn.locally_connected(x, w, b) if self.connected == "locally connected" else jcnn.conv(x, w, b)), None


def run(config: Experiment) -> Result:
    """Writes the layers as matrices, compares them with one another, and trains all three."""
    networks = [(ToMaps(name), jcnn.Relu(), jcnn.MaxPool(4), jcnn.Flatten(), jcnn.Dense(10)) for name in NAMES]
    anywhere = [[train(network, n, config) for n in config.images] for network in networks]
    centred = [train(network, max(config.images), config, centred=True) for network in networks]
    parameters = tuple(jcnn.count_parameters((layer,), (FRAME, FRAME, 1)) for layer, *_ in networks)
    return Result(matrices(), *identities(), parameters, config.images, np.array(anywhere), np.array(centred))


def matrices() -> tuple[Float[np.ndarray, "4 6"], ...]:
    """Three layers from 6 pixels to 4, as what they make of each single pixel."""
    pixels, values = np.eye(6, dtype="float32"), np.random.default_rng(1).normal(size=24).astype("float32")
    dense = jcnn.dense(pixels, values.reshape(6, 4))
    local = jcnn.locally_connected(pixels[..., None], values[:12].reshape(4, 3, 1, 1))
    conv = jcnn.conv(pixels[..., None], values[:3].reshape(3, 1, 1))
    return tuple(np.asarray(layer).reshape(6, 4).T for layer in (dense, local, conv))


def identities() -> tuple[float, float]:
    """What is the same for a convolution and the layers that hold its weights: outputs, and gradients summed over places."""
    rng, (x, _) = np.random.default_rng(0), framed("test", 0)
    x, w = x[:16].astype("float64"), rng.normal(size=(WINDOW, WINDOW, 1, MAPS))
    dy = rng.normal(size=(16, PLACES, PLACES, MAPS))
    everywhere = np.broadcast_to(w, (PLACES, PLACES, *w.shape))
    with jax.enable_x64(True):
        conv = np.asarray(jcnn.conv(x, w))
        local = jcnn.locally_connected(x, everywhere)
        dense = jcnn.dense(jcnn.flatten(x), jcnn.conv_matrix(jnp.asarray(w), x.shape[1:]).T).reshape(conv.shape)
        dw = np.asarray(jcnn.conv_backward(dy, x, w)[1])
        each = np.asarray(jcnn.locally_connected_backward(dy, x, everywhere)[1])
    same = max(float(np.abs(conv - np.asarray(other)).max()) for other in (local, dense))
    return same, float(np.abs(dw - each.sum((0, 1))).max())


def train(network: tuple[Layer, ...], n: int, config: Experiment, *, centred: bool = False) -> list[float]:
    """Test accuracy after training on n images, one a seed."""
    accuracies = []
    for seed in range(config.seeds):
        (images, labels), test = (framed(split, seed, anywhere=not centred) for split in ("train", "test"))
        # As many rows whatever n, so that one compiled program serves all.
        chosen = np.resize(np.random.default_rng(seed).permutation(len(images))[:n], len(images))
        params = jcnn.init(jax.random.key(seed), network, images.shape[1:], "float32")
        fitted = fit(network, images[chosen], labels[chosen], seed=seed, steps=config.steps, rate=0.04, params=params)
        accuracies.append(read_right(network, fitted.params, *test))
    return accuracies


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    weights = [np.unique(matrix[matrix != 0]).size for matrix in result.matrices]
    few, many = (result.anywhere[:, result.images.index(n)] for n in (500, 1438))
    ahead, behind = few[2] - few[0], ((few[0] - few[1]).mean(), (many[0] - many[1]).mean())
    dense, _, conv = 100 * result.centred.mean(-1)
    return [
        Check("6 pixels to 4, window 3: 24 weights dense, 4 · 3 local, 3 shared", f"{weights}", weights == [24, 12, 3]),
        Check("the same filter at every place is the convolution, to 10⁻¹²", f"{result.same:.0e} apart", result.same < 1e-12),
        Check("its gradient is the sum of all places', to 10⁻¹¹", f"{result.shared:.0e} apart", result.shared < 1e-11),
        Check("(N² + 1)·O²K = 148,480, (F² + 1)·O²K = 26,624, (F² + 1)·K = 416 parameters, the last 1/357 of the first",
              f"{result.parameters}, 1/{result.parameters[0] / result.parameters[2]:.0f}",
              result.parameters == (148_480, 26_624, 416) == (145 * 1024, 26 * 1024, 26 * 16)
              and round(result.parameters[0] / result.parameters[2]) == 357),
        Check("500 digits anywhere: convolution ≥ 8 points ahead of dense, and ahead with every seed",
              f"{100 * ahead.mean():.0f}, {100 * ahead.min():.0f} to {100 * ahead.max():.0f}",
              bool(ahead.mean() >= 0.08 and ahead.min() > 0)),
        Check("windows without sharing: ≥ 3 points behind dense, with 500 and 1,438 digits",
              f"by {100 * behind[0]:.0f} and {100 * behind[1]:.0f}", bool(min(behind) >= 0.03)),
        Check("digits in the middle: convolution within 2 points of dense", f"{conv:.1f} % and {dense:.1f} %",
              bool(abs(conv - dense) < 2)),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The three layers as matrices, and what they learn from few and many digits."""
    drawn = new_figure(5.7, theme)
    panels = drawn.subplot_mosaic([[*NAMES], ["accuracy"] * len(NAMES)], height_ratios=[1.0, 2.9])
    for matrix, name, colour in zip(result.matrices, NAMES, _colours(theme), strict=True):
        axes = panels[name]
        draw_cells(axes, np.where(matrix != 0, matrix, np.nan), theme, scale=2.2, numbers=None)
        axes.set_title(name, color=colour, fontsize=TEXT)
        axes.set_xlabel(f"{np.unique(matrix[matrix != 0]).size} weights", color=theme.ink, fontsize=SMALL)
    _draw_accuracies(panels["accuracy"], result, theme)
    return drawn


def _colours(theme: Theme) -> tuple[str, str, str]:
    return theme.ink, theme.blue, theme.orange


def _draw_accuracies(axes: Axes, result: Result, theme: Theme) -> None:
    plain(axes, theme)
    middle = 3400  # where digits in the middle stand on the axis, right of all numbers of images
    rows = zip(NAMES, result.parameters, result.anywhere, result.centred, _colours(theme), strict=True)
    for row, (name, parameters, anywhere, centred, colour) in enumerate(rows):
        for n, seeds in zip(result.images, anywhere, strict=True):
            axes.plot([n] * len(seeds), 100 * seeds, ".", color=colour, alpha=0.6, markersize=6)
        axes.plot(result.images, 100 * anywhere.mean(-1), color=colour, linewidth=2)
        place = middle * 1.25 ** (row - 1)
        axes.plot([place] * len(centred), 100 * centred, ".", color=colour, alpha=0.6, markersize=6)
        axes.plot([place], [100 * centred.mean()], "_", color=colour, markersize=13, markeredgewidth=2)
        axes.text(0.15, 0.05 + 0.075 * row, f"{name}: {parameters:,} parameters", color=colour, fontsize=SMALL,
                  transform=axes.transAxes)  # fmt: skip
    for left, bottom, image in ((0.02, 0.74, 15), (0.19, 0.74, 44), (0.835, 0.61, 44)):
        inset = axes.inset_axes((left, bottom, 0.155, 0.2))
        bare(inset)
        inset.imshow(framed("test", 0, anywhere=left <= 0.5)[0][image], cmap="gray")
    axes.text(0.02, 0.96, "digits anywhere", color=theme.ink, fontsize=SMALL, transform=axes.transAxes)
    axes.text(0.835, 0.83, "centred", color=theme.ink, fontsize=SMALL, transform=axes.transAxes)
    axes.axvline(2150, color=theme.rule, linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([*result.images, middle], [*(f"{n:,}" for n in result.images), f"{max(result.images):,}"])
    axes.set_xticks([], minor=True)
    axes.set(xlim=(40, 5200), ylim=(0, 100), xlabel="training images", ylabel="test accuracy (%)")


def about(result: Result) -> str:
    """The figure in words."""
    lines = "; ".join(
        f"{name} with {parameters:,} parameters: {', '.join(f'{100 * value:.0f} %' for value in found.mean(-1))}"
        for name, parameters, found in zip(NAMES, result.parameters, result.anywhere, strict=True)
    )
    centred = ", ".join(f"{100 * value:.0f} %" for value in result.centred.mean(-1))
    return (
        "Three layers from 6 pixels to 4 as matrices: dense, full of different weights; locally connected, a band of different "
        "weights; convolution, a band of three weights that repeat. Below, test accuracy on digits anywhere in a frame after "
        f"{', '.join(map(str, result.images))} training images: {lines}. Digits in the middle: {centred}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment((500, 1438), seeds=1, steps=300))

if __name__ == "__main__":
    TOPIC.main()
