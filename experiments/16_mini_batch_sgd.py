"""Mini-batch SGD, and its learning rate.

Claim: sample a batch, go forward, backward, update. The batch's gradient is right on average and off by σ/√B, B the images
of the batch. Too small a learning rate crawls. One above 2/λ, λ the loss's sharpest curvature, is thrown from side to side of a
valley or out of it for good. Between them, training ends lower than with either.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jcnn
from experiments.fitting import descend
from experiments.material import as_input, digits
from experiments.topic import Check, Topic
from jcnn.compilation import compiler_options
from jcnn.figures.style import SMALL, TEXT, Theme, new_figure, plain, to_gif
from jcnn.network import Params


@dataclass(frozen=True)
class Experiment:
    """How long to train and how often to draw."""

    seeds: int = 3
    """First weights, and batches."""
    steps: int = 400
    """Updates of all weights."""
    draws: int = 100
    """Batches of each size."""


class Result(NamedTuple):
    """All that was found. Rates are in the order too small, right, too large.

    Attributes:
        surface: the loss over the plane of two directions: across the valley (rows) and along it (columns).
        paths: by rate, the places (along, across) of SGD in this plane.
        ends: by rate, the loss of all images, mean over the last places.
        limit: 2/λ at the bottom of the valley.
        slopes: at the start, along and across: the gradient's, and by differences of the surface.
        noise: by seed and batch size, the standard deviation of the batch's gradient.
        bias: by seed and batch size, how far the mean of all draws is off, where 1 is expected of chance.
        losses: of training all weights, by rate, seed and step.
    """

    surface: Float[np.ndarray, "across along"]
    paths: Float[np.ndarray, "3 places 2"]
    ends: Float[np.ndarray, " 3"]
    limit: float
    slopes: Float[np.ndarray, "2 2"]
    noise: Float[np.ndarray, "seeds sizes"]
    bias: Float[np.ndarray, "seeds sizes"]
    losses: Float[np.ndarray, "3 seeds steps"]


NETWORK = (jcnn.Conv(8, 3, padding=1), jcnn.Relu(), jcnn.MaxPool(2), jcnn.Flatten(), jcnn.Dense(10))
RATES = 0.003, 0.2, 3.0
RATES_IN_PLANE = 0.02, 0.3, 1.0
SIZES = 1, 8, 64, 512
ALONG, ACROSS = np.linspace(-4, 8, 31, dtype="float32"), np.linspace(-5, 9, 36, dtype="float32")
EVERYTHING = np.arange(len(digits().labels))[None]
START = np.array([0, 3.5], "float32")


@partial(jax.jit, compiler_options=compiler_options())
def trained(params: Params, batches: Int[Array, "steps b"], rate: Float[Array, ""]) -> tuple[Params, Float[Array, " steps"]]:
    """Mini-batch SGD: sample, forward, backward, update."""
    images, labels = jnp.asarray(as_input(digits().images)), jnp.asarray(digits().labels)

    def gradient(params: Params, batch: Array) -> tuple[Array, Params]:
        return jcnn.backprop(NETWORK, params, images[batch], labels[batch])

    return descend(gradient, params, batches, optax.sgd(rate))


def run(config: Experiment) -> Result:
    """Trains all weights, draws batches, and trains along two directions only."""
    batches = [sampled(seed, config.steps, 32) for seed in range(config.seeds)]
    runs = [[trained(drawn(seed), batch, np.float32(rate)) for seed, batch in enumerate(batches)] for rate in RATES]
    losses = np.array([[fallen for _, fallen in row] for row in runs])
    measured = [[deviation(drawn(seed), sampled(seed, config.draws, size)) for size in SIZES] for seed in range(config.seeds)]
    noise, bias = np.moveaxis(np.array(measured), -1, 0)
    start = ravel(drawn(0))
    directions, limit = valley(start, ravel(runs[1][0][0]))
    surface, paths, ends, slopes = plane(start, directions)
    return Result(surface, paths, ends, limit, slopes, noise, bias, losses)


def drawn(seed: int) -> Params:
    """First weights."""
    return jcnn.init(jax.random.key(seed), NETWORK, digits().input_shape)


def sampled(seed: int, batches: int, size: int, among: int = len(digits().labels)) -> Int[np.ndarray, "batches size"]:
    """Numbers of training images, with replacement."""
    return np.random.default_rng([seed, size]).integers(0, among, (batches, size))


def ravel(params: Params) -> Float[np.ndarray, " weights"]:
    """All weights in a row."""
    return np.concatenate([np.asarray(leaf).reshape(-1) for leaf in jax.tree.leaves(params)])


@jax.jit
def gradients(params: Params, batches: Int[Array, "n b"]) -> Float[Array, "n weights"]:
    """The gradient of every batch's loss, all weights in a row."""
    images, labels = jnp.asarray(as_input(digits().images)), jnp.asarray(digits().labels)

    def one(batch: Array) -> Array:
        _, gradient = jcnn.backprop(NETWORK, params, images[batch], labels[batch])
        return jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(gradient)])

    return jax.lax.map(one, batches)


def deviation(params: Params, batches: Int[np.ndarray, "n b"]) -> tuple[float, float]:
    """The root mean square of |batch's gradient − gradient|, and |mean − gradient| in units of what chance makes of it."""
    exact, found = np.asarray(gradients(params, EVERYTHING))[0], np.asarray(gradients(params, batches))
    spread = float(np.sqrt(np.square(found - exact).sum(-1).mean()))
    return spread, float(np.linalg.norm(found.mean(0) - exact)) / (spread / np.sqrt(len(found)))


def valley(start: Float[np.ndarray, " weights"], end: Float[np.ndarray, " weights"]) -> tuple[Any, float]:
    """Two directions, the way that training went and the sharpest curvature at its end, found by powers of the Hessian; 2/λ."""
    _, unravel = ravel_pytree(drawn(0))
    across, sharpest = np.random.default_rng(0).normal(size=end.shape).astype("float32"), 0.0
    for _ in range(12):
        across = (across / np.linalg.norm(across)).astype("float32")
        ahead, behind = (np.asarray(gradients(unravel(end + h * across), EVERYTHING))[0] for h in (0.01, -0.01))
        bent = (ahead - behind) / 0.02
        sharpest, across = float(bent @ across), bent
    along = (end - start) / np.linalg.norm(end - start)
    across = across - (across @ along) * along
    return np.stack([along, across / np.linalg.norm(across)]).astype("float32"), 2 / sharpest


def plane(start: Float[np.ndarray, " weights"], directions: Float[np.ndarray, "2 weights"]) -> tuple[Any, ...]:
    """The loss of 512 images over the plane through the start, and SGD that may only move in it."""
    _, unravel = ravel_pytree(drawn(0))
    images, labels = jnp.asarray(as_input(digits().images[:512])), jnp.asarray(digits().labels[:512])

    def loss(place: Any) -> Array:
        return jcnn.softmax_cross_entropy(jcnn.apply(NETWORK, unravel(start + place @ directions), images), labels).mean()

    def slope(place: Any, batch: Any) -> Any:
        _, gradient = jcnn.backprop(NETWORK, unravel(start + place @ directions), images[batch], labels[batch])
        return directions @ ravel_pytree(gradient)[0]

    def walk(place: Any, batches: Any, rate: Any) -> Any:
        return descend(lambda place, batch: (place, slope(place, batch)), place, batches, optax.sgd(rate))[1]

    walked, batches = jax.jit(walk), sampled(0, 60, 32, among=512)
    paths = np.array([walked(START, batches, np.float32(rate)) for rate in RATES_IN_PLANE])
    near = START + np.array([[[h, 0], [0, h]] for h in (0.02, -0.02)], "float32")
    grid = np.stack(np.meshgrid(ALONG, ACROSS), -1)
    asked = np.concatenate([part.reshape(-1, 2) for part in (near, paths[:, -20:], grid)])
    losses = np.asarray(jax.jit(partial(jax.lax.map, loss))(asked))
    ahead, behind, ends, surface = np.split(losses, [2, 4, 64])
    slopes = np.stack([jax.jit(slope)(START, np.arange(512)), (ahead - behind) / 0.04])
    return surface.reshape(grid.shape[:2]), paths, ends.reshape(3, 20).mean(-1), slopes


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    powers = [float(np.polyfit(np.log(SIZES), np.log(row), 1)[0]) for row in result.noise]
    last = result.losses[..., -50:].mean(-1)
    slow, good, fast = result.ends.tolist()
    off = float(np.abs(result.slopes[0] / result.slopes[1] - 1).max())
    return [
        Check("the gradient is the slope of the surface, within 1 %", f"off by {off:.2%}", off < 0.01),
        Check("batches are right on average: their mean is off as chance has it (1), by less than 3",
              f"{result.bias.min():.2g} to {result.bias.max():.2g}", bool(result.bias.max() < 3)),
        Check("the deviation falls as B^−½: exponents −0.5 ± 0.05", ", ".join(f"{power:.3f}" for power in powers),
              max(abs(power + 0.5) for power in powers) < 0.05),
        Check("in the valley, 2/λ lies between the right rate and the too large one",
              f"{RATES_IN_PLANE[1]} < {result.limit:.2g} < {RATES_IN_PLANE[2]}",
              RATES_IN_PLANE[1] < result.limit < RATES_IN_PLANE[2]),
        Check("there, the right rate ends at less than a third of the loss of the others",
              f"{good:.2f} against {slow:.2f} and {fast:.2f}", 3 * good < min(slow, fast)),
        Check("of all weights too, for every seed", f"at most {last[1].max():.2f} against {last[[0, 2]].min():.2f}",
              bool((3 * last[1] < last[[0, 2]]).all())),
        Check("too large a rate ends as guessing does, ln 10 = 2.30, ± 0.3", f"{last[2].min():.2f} to {last[2].max():.2f}",
              bool((np.abs(last[2] - np.log(10)) < 0.3).all())),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The valley and the three ways through it; the noise by batch size; the training of all weights."""
    drawn = new_figure(7.0, theme)
    grid = drawn.add_gridspec(2, 2, height_ratios=[3.9, 2.6])
    draw_valley(drawn.add_subplot(grid[0, :]), result, theme, result.paths.shape[1])
    axes = drawn.add_subplot(grid[1, 0])
    plain(axes, theme)
    axes.loglog(SIZES, result.noise.T, "o", color=theme.blue, markersize=3.5)
    axes.loglog(SIZES, result.noise[:, :1].mean() / np.sqrt(SIZES), color=theme.muted, linewidth=1, zorder=0)
    axes.text(12, 4, "∝ 1/√B", color=theme.muted, fontsize=SMALL)
    axes.set(xlabel="images in a batch B", xticks=SIZES, xticklabels=SIZES, ylim=(0.1, 20))
    axes.minorticks_off()
    axes.set_title("gradient’s deviation", loc="left", color=theme.ink, fontsize=TEXT)
    axes = drawn.add_subplot(grid[1, 1])
    plain(axes, theme)
    for rate, losses, colour, up in zip(RATES, result.losses, colours(theme), (1.35, 0.32, 2.5), strict=True):
        for one in losses:
            axes.plot(np.convolve(one, np.ones(20) / 20, "valid"), color=colour, linewidth=1)
        axes.text(result.losses.shape[-1], up, f"{rate:g}", color=colour, fontsize=SMALL, ha="right")
    axes.set(xlabel="step", ylim=(0, 3.5), xlim=(0, result.losses.shape[-1]))
    axes.set_title("loss by learning rate", loc="left", color=theme.ink, fontsize=TEXT)
    return drawn


def draw_valley(axes: Axes, result: Result, theme: Theme, places: int) -> None:
    """The loss over the plane, and the first places of every path."""
    plain(axes, theme)
    levels = np.geomspace(result.surface.min() * 1.05, result.surface.max(), 16)
    axes.contour(ALONG, ACROSS, result.surface, levels, colors=theme.muted, linewidths=0.6, alpha=0.6)
    words = (0.4, 2.6, "too small"), (4.2, 2.7, "right"), (2.0, 7.6, "too large")
    ways = list(zip(RATES_IN_PLANE, result.paths, colours(theme), words, strict=True))
    for rate, path, colour, (x, y, text) in reversed(ways):
        axes.plot(*path[:places].T, "o-", color=colour, linewidth=1, markersize=2.5)
        axes.text(x, y, f"{rate:g}, {text}", color=colour, fontsize=SMALL, bbox={"color": theme.paper, "pad": 1})
    axes.set(xlim=ALONG[[0, -1]], ylim=ACROSS[[0, -1]], xlabel="along the valley", ylabel="across")
    axes.set_title("loss over two directions, and SGD in them", loc="left", color=theme.ink, fontsize=TEXT)


def colours(theme: Theme) -> tuple[str, str, str]:
    """Of the rates."""
    return theme.ink, theme.blue, theme.orange


def movie(result: Result, theme: Theme) -> bytes:
    """The three ways, place by place."""

    def frame(places: int) -> Figure:
        drawn = new_figure(3.8, theme)
        draw_valley(drawn.add_subplot(), result, theme, places)
        return drawn

    return to_gif(map(frame, (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 31, 43, 60)))


def about(result: Result) -> str:
    """The figure in words."""
    low, high = (f"{row.mean():.2g}" for row in result.noise.T[[-1, 0]])
    slow, good, fast = (f"{loss:.2f}" for loss in result.losses[..., -50:].mean((1, 2)))
    return (
        "Above, contours of the loss over two directions, a long narrow valley, with three paths from its side: at rate "
        f"{RATES_IN_PLANE[0]} it hardly gets down, at {RATES_IN_PLANE[1]} it goes down and along, at {RATES_IN_PLANE[2]} "
        f"it is thrown about. Below, the deviation of a batch's gradient falls from {high} for single images to {low} "
        f"for {SIZES[-1]} as one over the root; and training losses at {RATES[0]}, {RATES[1]} and {RATES[2]} end at {slow}, "
        f"{good} and {fast}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(seeds=1, draws=40), movie=movie)

if __name__ == "__main__":
    TOPIC.main()
