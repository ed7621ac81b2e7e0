"""Gradient checking: how small a step, and why training is no check.

Claim: a central difference is best at a step of the order of ε^(1/3), a one-sided one of ε^(1/2) (both within a factor of 32),
ε the spacing of numbers at 1: larger steps cut off the series (error ∝ h² and ∝ h), smaller ones cancel digits. Where the
pixels of a window tie for the maximum, differences say ½ for each of them: of two that is another valid gradient, of four
twice what was sent, and none at all. And wrong gradients still train: with filters not flipped in dx, or dw averaged over
positions, a network reads the digits within 8 points of the right one. Comparing finds it at once.
"""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax import Array
from jax import numpy as jnp
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jcnn
import jcnn.check
from experiments.fitting import descend
from experiments.material import as_input, digits
from experiments.topic import Check, Topic
from jcnn.compilation import compiler_options
from jcnn.figures.cells import draw_cells, draw_window
from jcnn.figures.style import SMALL, TEXT, Theme, new_figure, plain
from jcnn.layers import Network
from jcnn.percentages import percent
from jcnn.training.evaluation import accuracy


@dataclass(frozen=True)
class Experiment:
    """How much to train."""

    seeds: int = 3
    """First weights, and batches."""
    steps: int = 500
    """Updates of SGD."""
    rate: float = 0.2
    """The learning rate."""


class Result(NamedTuple):
    """All that was found.

    Attributes:
        errors: by precision (float64, float32), formula (central, one-sided) and step size: the difference less the gradient,
            relative to the largest gradient, the median over weights.
        pools: pixels of digits, their gradient through max-pooling by the rule, the same by central differences.
        tied: verdicts on the differences as max-pooling's backward pass: of windows of two pixels alike, and of the digits.
        losses: of the training, mean over seeds, for each of `WAYS`.
        accuracy: on the test images, likewise.
        reports: verdict and named mistakes, likewise.
    """

    errors: Float[np.ndarray, "2 2 sizes"]
    pools: Float[np.ndarray, "3 n 8 8 1"]
    tied: tuple[str, str]
    losses: Float[np.ndarray, "3 steps"]
    accuracy: Float[np.ndarray, " 3"]
    reports: tuple[tuple[str, tuple[str, ...]], ...]


SIZES = 2.0 ** -np.arange(1, 44)
PREDICTED = np.array([[np.finfo(precision).eps ** power for power in (1 / 3, 1 / 2)] for precision in ("float64", "float32")])
WAYS = "right gradient", "dx: filter not flipped", "dw: averaged, not summed"


def conv_backward(dy: Array, x: Array, w: Array, way: Any = 0) -> tuple[Array, Array, Array]:
    """The gradients of a convolution with padding 1, in one of the `WAYS`."""
    turned = jnp.where(way == 1, jnp.flip(w, (0, 1)), w)  # turned round twice is not turned round
    dx, dw, db = jcnn.conv_backward(dy, x, turned, padding=1)
    return dx, jnp.where(way == 2, dw / (dy.shape[1] * dy.shape[2]), dw), db


@dataclass(frozen=True, repr=False)
class Conv(jcnn.Conv):
    """A convolutional layer with padding 1 that goes back in one of the `WAYS`."""

    way: Any = 0

    def backward(self, params: Any, saved: Any, dy: Array) -> tuple[Array, dict[str, Array]]:
        """The gradients by input and parameters."""
        dx, *gradients = conv_backward(dy, saved.x, params["w"], self.way)
        return dx, dict(zip("wb", gradients, strict=True))


def network(way: Any = 0) -> Network:
    """What is trained; `SMOOTH` is what is moved step by step, for kinks are looked at apart."""
    stages = [(Conv(filters, 3, padding=1, way=way), jcnn.Relu(), jcnn.MaxPool(2)) for filters in (8, 16)]
    return (*stages[0], *stages[1], jcnn.Flatten(), jcnn.Dense(10))


SMOOTH = (jcnn.Conv(8, 3), jcnn.Tanh(), jcnn.AvgPool(2), jcnn.Flatten(), jcnn.Dense(10))


@cache
def drawn(network: Network, seed: int) -> Any:
    """First weights."""
    return jax.tree.map(np.asarray, jcnn.init(jax.random.key(seed), network, digits().input_shape))


def run(config: Experiment) -> Result:
    """Differences of a network's loss against its gradient, a tie, and training by wrong gradients."""
    with jax.enable_x64(True):
        errors = np.array([differences(precision, config.seeds) for precision in ("float64", "float32")])
        pixels, dy = digits().images[:16].astype("float64"), np.ones((16, 4, 4, 1))
        pools = np.array([pixels, jcnn.max_pool_backward(dy, pixels, 2), pooled_difference(dy, pixels)])
        pool, pair = partial(jcnn.max_pool, window=2), np.array([[[[1.0], [1.0]], [[0.0], [0.0]]]])
        of_two, of_digits = (jcnn.check.compare(pool, pooled_difference, each).verdict for each in (pair, pixels))
    losses, accuracy, reports = train(config)
    return Result(errors, pools, (of_two, of_digits), np.array(losses), np.array(accuracy), reports)


def differences(precision: str, seeds: int) -> Float[np.ndarray, "2 sizes"]:
    """Moves weights of the first filters, one at a time, both ways; the gradient is by hand, in float64."""
    x, labels, errors = as_input(digits().images[:4], precision), digits().labels[:4], []
    backprop = jax.jit(partial(jcnn.backprop, SMOOTH))

    def loss(w: Array, params: Any, x: Array) -> Array:
        return jcnn.softmax_cross_entropy(jcnn.apply(SMOOTH, ({**params[0], "w": w}, *params[1:]), x), labels).mean()

    losses = jax.jit(lambda moved, params, x: jax.lax.map(lambda w: loss(w, params, x), moved))
    moves = np.concatenate([np.zeros((1, 72)), *(h * side * np.eye(72)[::6] for h in SIZES for side in (1, -1))])
    for seed in range(seeds):
        params = jax.tree.map(lambda leaf: leaf.astype("float64"), drawn(SMOOTH, seed))
        gradient = np.asarray(backprop(params, x.astype("float64"), labels)[1][0]["w"]).reshape(-1)[::6]
        moved = (params[0]["w"] + moves.reshape(-1, 3, 3, 1, 8)).astype(precision)
        found = np.asarray(losses(moved, jax.tree.map(lambda leaf: leaf.astype(precision), params), x), "float64")
        here, (up, down) = found[0], found[1:].reshape(len(SIZES), 2, -1).swapaxes(0, 1)
        both = np.stack([(up - down) / 2, up - here]) / SIZES[:, None]
        errors.append(np.abs(both - gradient) / np.abs(gradient).max())
    return np.median(np.concatenate(errors, -1), -1)


def pooled_difference(dy: Any, x: Any) -> Float[np.ndarray, "n h w 1"]:
    """The gradient of 2×2 max-pooling by central differences; exact, since pixels and step have few digits."""
    pool, dx = jax.jit(partial(jcnn.max_pool, window=2)), np.zeros(x.shape)
    for row, column in np.ndindex(*x.shape[1:3]):
        move = np.zeros(x.shape)
        move[:, row, column] = 2.0**-10
        dx[:, row, column] = (dy * np.asarray(pool(x + move) - pool(x - move))).sum((1, 2)) / 2.0**-9
    return dx


def train(config: Experiment) -> tuple[Any, ...]:
    """SGD on the digits in each of the `WAYS`: losses, accuracy on the test images, and what the check says."""
    data, test, found = digits(), digits("test"), []
    x, labels = jnp.asarray(as_input(data.images)), jnp.asarray(data.labels)

    @partial(jax.jit, compiler_options=compiler_options())
    def trained(params: Any, batches: Array, way: Array) -> tuple[Any, Array]:
        def gradient(params: Any, chosen: Array) -> tuple[Array, Any]:
            return jcnn.backprop(network(way), params, x[chosen], labels[chosen])

        params, losses = descend(gradient, params, batches, optax.sgd(config.rate))
        return jcnn.apply(network(), params, as_input(test.images)), losses

    for way in range(len(WAYS)):
        draws = [np.random.default_rng(seed).integers(0, len(x), (config.steps, 32)) for seed in range(config.seeds)]
        runs = [trained(drawn(network(), seed), draw, np.int32(way)) for seed, draw in enumerate(draws)]
        scores, losses = (np.array(part) for part in zip(*runs, strict=True))
        candidate, w = jax.jit(partial(conv_backward, way=way)), drawn(network(), 0)[0]["w"]
        report = jcnn.check.compare(partial(jcnn.conv, padding=1), candidate, np.asarray(x[:4]), w)
        read = np.mean([accuracy(each, test.labels) for each in scores])
        found.append((losses.mean(0), read, (report.verdict, report.mistakes)))
    return tuple(zip(*found, strict=True))


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    large = (SIZES > 1e-4) & (SIZES < 0.3)
    slopes = [np.polyfit(np.log(SIZES[large]), np.log(errors[large]), 1)[0] for errors in result.errors[0]]
    best = SIZES[result.errors.argmin(-1)] / PREDICTED
    least = result.errors[:, 0].min(-1).tolist()
    sent = result.pools[1].size / 4
    ties = int((result.pools[1] != result.pools[2]).sum())
    fallen, behind = result.losses[1:, -50:].mean(-1), 100 * (result.accuracy[0] - result.accuracy[1:])
    said = [("agrees", ()), ("bug", ("filter not flipped",)), ("bug", ("mean over positions in dw",))]
    return [
        Check("large steps: error ∝ h² (central) and ∝ h (one-sided), ± 0.1", "h^{:.2f}, h^{:.2f}".format(*slopes),
              bool(np.all(np.abs(np.subtract(slopes, [2, 1])) < 0.1))),
        Check("best steps within a factor of 32 of ε^(1/3) and ε^(1/2), float64 and float32",
              ", ".join(f"{one:.2g}" for one in best.flat) + " times", bool(np.all((best > 1 / 32) & (best < 32)))),
        Check("the central difference is off by less than 10⁻⁸ at best, in float32 by more than 10⁻⁶",
              "{:.0e}, {:.0e}".format(*least), least[0] < 1e-8 and least[1] > 1e-6),
        Check('ties: the rule sends on what each window was sent, differences ½ to each pixel: of two "kink", of four "bug"',
              f'{ties} pixels differ, "{result.tied[0]}", "{result.tied[1]}"; {result.pools[2].sum() / sent:.2f} times as much',
              bool(ties > 50 and result.tied == ("kink", "bug") and result.pools[1].sum() == sent < result.pools[2].sum())),
        Check("by wrong gradients the loss falls below 0.6 (guessing: 2.3), at most 8 points of accuracy behind",
              "{:.2f}, {:.2f}; {:.1f}, {:.1f} points".format(*fallen, *behind), bool(fallen.max() < 0.6 and behind.max() < 8)),
        Check("comparing calls them bugs, names them, and lets the right one pass",
              "; ".join(" ".join((verdict, *names)) for verdict, names in result.reports), list(result.reports) == said),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The errors by step size, a tie in numbers, and training by right and wrong gradients."""
    drawn = new_figure(8.4, theme)
    above, between, below = drawn.add_gridspec(3, 1, height_ratios=[3.3, 1.9, 2.7])
    _draw_errors(drawn.add_subplot(above), result.errors, theme)
    grid, titles = between.subgridspec(1, 3), ("pixels", "gradient by rule", "difference")
    for number, (values, title) in enumerate(zip(result.pools, titles, strict=True)):
        axes, part = drawn.add_subplot(grid[number]), values[0, :4, 4:, 0]
        draw_cells(axes, part, theme, scale=1.5 if number else 255.0)
        for row, column in np.ndindex(2, 2):
            draw_window(axes, 2 * row, 2 * column, 2, 2, theme.muted, thick=1.0)
        for row, column in np.argwhere(result.pools[1, 0, :4, 4:, 0] != result.pools[2, 0, :4, 4:, 0]):
            draw_window(axes, row, column, 1, 1, theme.ink)
        axes.set_title(title, loc="left", color=theme.ink, fontsize=TEXT)
    axes = drawn.add_subplot(below)
    plain(axes, theme)
    for way, (losses, colour) in enumerate(zip(result.losses, (theme.muted, theme.blue, theme.orange), strict=True)):
        axes.plot(np.convolve(losses, np.ones(20) / 20, "valid"), color=colour)
        words = f"{WAYS[way]}: {percent(result.accuracy[way], 0)} read, “{result.reports[way][0]}”"
        axes.text(1, 0.97 - 0.14 * way, words, color=colour, fontsize=SMALL, ha="right", va="top", transform=axes.transAxes)
    axes.set(xlabel="step", ylabel="training loss", ylim=(0, 2.5), xlim=(0, None))
    return drawn


def _draw_errors(axes: Axes, errors: Float[np.ndarray, "2 2 sizes"], theme: Theme) -> None:
    plain(axes, theme)
    for (precision, formula), curve in zip(np.ndindex(2, 2), errors.reshape(4, -1), strict=True):
        colour = (theme.blue, theme.orange)[formula]
        axes.loglog(SIZES, curve, color=colour, linestyle=("-", (0, (1, 1.2)))[precision])
        axes.plot(SIZES[curve.argmin()], curve.min(), "o", color=colour, markersize=5)
    words = (4e-3, 2e-8, "central\n∝ h²", theme.blue), (2e-8, 3e-5, "one-sided\n∝ h", theme.orange)
    for x, y, text, colour in (*words, (1e-13, 2, "float32", theme.muted), (1e-13, 0.05, "float64", theme.muted)):
        axes.text(x, y, text, color=colour, fontsize=SMALL, va="center", linespacing=1.4)
    axes.set(xlabel="step size h", ylabel="relative error", ylim=(1e-11, 10))


def about(result: Result) -> str:
    """The figure in words."""
    least = ", ".join(f"{h:.0e}" for h in SIZES[result.errors.argmin(-1)].flat)
    trained = "; ".join(f"{way}, {percent(accuracy)}" for way, accuracy in zip(WAYS, result.accuracy, strict=True))
    return (
        "Above, the error of differences by step size, V-shaped on logarithmic axes, least at h = "
        f"{least} (float64 central and one-sided, float32 likewise). In the middle, a digit's pixels under 2×2 max-pooling: "
        f"of equal maxima the first gets all by the rule, each gets ½ by differences, {result.pools[2].sum():g} in all of the "
        f"{result.pools[1].sum():g} that were sent. Below, the training loss falls, right "
        f"gradient or wrong; test digits read: {trained}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(seeds=1, steps=400))

if __name__ == "__main__":
    TOPIC.main()
