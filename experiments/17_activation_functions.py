"""Activation functions, and what the course advises.

Claim: seven activations have the derivatives that differences say. Through 20 layers the sigmoid, whose slope is ¼ at most,
leaves less than 10⁻¹⁰ of the gradient, every other one between 1/1000 and 1000 times. The advice, tried on digits: "no
sigmoid" holds: at its best rate it is 20 points or more behind relu at its own, and behind relu at every rate at which relu
learns; "mind relu's learning rate" holds, for at a large one its units die. Leaky relu, elu and maxout are worth a try, but
end within 4 points of relu. So does tanh: in two stages there is no reason to expect less of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float
from matplotlib.figure import Figure

import jcnn
from experiments.fitting import descend
from experiments.material import as_input, digits
from experiments.topic import Check, Topic
from jcnn.compilation import compiler_options
from jcnn.figures.cells import draw_cells
from jcnn.figures.style import SMALL, TEXT, Theme, new_figure, plain, sequential
from jcnn.layers import Network
from jcnn.layers.initial import normal_weights
from jcnn.training.evaluation import accuracy


@dataclass(frozen=True)
class Experiment:
    """How much to train, and how deep to look."""

    seeds: int = 3
    """First weights and batches."""
    steps: int = 250
    """Updates of SGD."""
    layers: int = 20
    """Through so many the gradient flows."""


class Result(NamedTuple):
    """All that was found, by activation in the order of `NAMES`.

    Attributes:
        values: f(x) over `GRID`.
        slopes: f′(x) by hand.
        differences: f′(x) by central differences.
        flow: |gradient| at every layer's input over that at the last output, by seed; the first layer first.
        accuracy: on the test images, by learning rate and seed.
        dead: for relu and leaky relu, by learning rate and seed: the part of the second stage's units whose slope is 0 for
            every pixel of every training image.
        losses: of every step at the learning rate `SHOWN`, by seed.
    """

    values: Float[np.ndarray, "7 x"]
    slopes: Float[np.ndarray, "7 x"]
    differences: Float[np.ndarray, "7 x"]
    flow: Float[np.ndarray, "7 seeds layers"]
    accuracy: Float[np.ndarray, "7 rates seeds"]
    dead: Float[np.ndarray, "2 rates seeds"]
    losses: Float[np.ndarray, "7 seeds steps"]


NAMES = "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "maxout"
LAYERS = jcnn.Sigmoid(), jcnn.Tanh(), jcnn.Relu(), jcnn.LeakyRelu(), jcnn.Elu(), jcnn.Gelu()
GAINS = np.sqrt([1, 1, 2, 2, 2, 2, 1])  # weights of variance gain² / fan-in: twice where half of the signal is cut off
RATES = 0.02, 0.1, 0.5, 2.0
SHOWN = RATES.index(0.1)
GRID = np.linspace(-6, 6, 240)  # without 0, where relu, leaky relu and maxout have a kink


@dataclass(frozen=True, repr=False)
class Chosen(jcnn.Layer):
    """One of `LAYERS` by its number, which may be known only when the program runs: one program trains all."""

    number: Any

    @property
    def gain(self) -> float:
        """Of the weights before it."""
        return float(GAINS[self.number])

    def forward(self, params: Any, x: Array, context: Any = None) -> tuple[Array, Array]:
        """The forward pass."""
        return jax.lax.switch(self.number, [lambda x, f=layer: f.forward({}, x)[0] for layer in LAYERS], x), x

    def backward(self, params: Any, saved: Array, dy: Array) -> tuple[Array, dict[str, Array]]:
        """The gradient by the input."""
        return jax.lax.switch(self.number, [lambda x, dy, f=layer: f.backward({}, x, dy)[0] for layer in LAYERS], saved, dy), {}


def run(config: Experiment) -> Result:
    """Takes derivatives, follows gradients back through the layers, and trains."""
    values, slopes, differences = derivatives()
    flow = [[flowed(number, config.layers, seed) for seed in range(5)] for number in range(len(NAMES))]
    trained = [[[trained_by(number, rate, seed, config.steps) for seed in range(config.seeds)] for rate in RATES]
               for number in range(len(NAMES))]  # fmt: skip
    accuracy, dead = (np.array([[[run[part] for run in runs] for runs in row] for row in trained]) for part in (0, 1))
    losses = np.array([[run[2] for run in row[SHOWN]] for row in trained])
    return Result(values, slopes, differences, np.array(flow), accuracy, dead[2:4], losses)


def functions(number: int) -> tuple[Callable[..., Array], Callable[..., Array]]:
    """The activation and its backward; maxout of two pieces."""
    more = {"pieces": 2} if NAMES[number] == "maxout" else {}
    return partial(getattr(jcnn, NAMES[number]), **more), partial(getattr(jcnn, f"{NAMES[number]}_backward"), **more)


def derivatives() -> Float[np.ndarray, "3 7 x"]:
    """Values, slopes by hand, slopes by differences, in float64; maxout is shown as max(−x/2, x)."""

    def curves(x: Array) -> Array:
        found = []
        for number, name in enumerate(NAMES):
            f, back = functions(number)
            weights = jnp.array([-0.5, 1.0]) if name == "maxout" else jnp.array([1.0])
            here, up, down = (f((x + h)[:, None] * weights[None])[:, 0] for h in (0.0, 2.0**-17, -(2.0**-17)))
            slope = (back(jnp.ones((x.size, 1)), x[:, None] * weights[None]) * weights[None]).sum(-1)
            found.append((here, slope, (up - down) * 2.0**16))
        return jnp.stack([jnp.stack(row) for row in zip(*found, strict=True)])

    with jax.enable_x64(True):
        return np.asarray(jax.jit(curves)(jnp.asarray(GRID, "float64")))


@partial(jax.jit, static_argnames="maxout")
def _flow(number: Array, x: Array, w: Array, dy: Array, maxout: bool) -> Array:
    pairs = [functions(6)] if maxout else [functions(place) for place in range(6)]

    def forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
        z = jcnn.dense(x, w)
        return jax.lax.switch(number, [f for f, _ in pairs], z), (x, z)

    def backward(dy: Array, kept: tuple[Array, ...]) -> tuple[Array, Array]:
        x, z, w = kept
        dx, _, _ = jcnn.dense_backward(jax.lax.switch(number, [back for _, back in pairs], dy, z), x, w)
        return dx, jnp.linalg.norm(dx)

    _, kept = jax.lax.scan(forward, x, w)
    return jax.lax.scan(backward, dy, (*kept, w), reverse=True)[1] / jnp.linalg.norm(dy)


def flowed(number: int, layers: int, seed: int) -> Float[np.ndarray, " layers"]:
    """|gradient| at the input of every one of many fully connected layers of 100 units, over that at the end."""
    rng, pieces = np.random.default_rng(seed), 2 if NAMES[number] == "maxout" else 1
    x = as_input(digits().images[:64]).reshape(64, 64) @ rng.normal(size=(64, 100)) / 4
    shape = (layers, 100, 100 * pieces)
    w = normal_weights(jax.random.key(seed), shape, fan_in=100, fan_out=100, gain=GAINS[number], dtype="float32")
    dy = rng.normal(size=x.shape)
    return np.asarray(_flow(np.int32(number % 6), x.astype("float32"), w, dy.astype("float32"), maxout=pieces == 2))


def network(number: Any, pieces: int) -> Network:
    """Two stages of convolution, activation and pooling, then the scores; maxout takes twice the filters."""
    active = jcnn.Maxout(2) if pieces == 2 else Chosen(number)
    stages = [(jcnn.Conv(filters * pieces, 3, padding=1), active, jcnn.MaxPool(2)) for filters in (8, 16)]
    return (*stages[0], *stages[1], jcnn.Flatten(), jcnn.Dense(10))


@cache
def drawn(number: int, seed: int) -> Any:
    """First weights for an activation."""
    pieces = 2 if NAMES[number] == "maxout" else 1
    return jcnn.init(jax.random.key(seed), network(number, pieces), digits().input_shape)


@partial(jax.jit, static_argnames="pieces", compiler_options=compiler_options())
def _trained(number: Array, params: Any, batches: Array, rate: Array, pieces: int) -> tuple[Array, Array, Array]:
    images, labels = jnp.asarray(as_input(digits().images)), jnp.asarray(digits().labels)

    def gradient(params: Any, batch: Array) -> tuple[Array, Any]:
        return jcnn.backprop(network(number, pieces), params, images[batch], labels[batch])

    params, losses = descend(gradient, params, batches, optax.sgd(rate))
    scores = jcnn.apply(network(number, pieces), params, as_input(digits("test").images))
    return scores, jcnn.apply(network(number, pieces)[:4], params[:4], images), losses


def trained_by(number: int, rate: float, seed: int, steps: int) -> tuple[float, float, np.ndarray]:
    """SGD on the digits: the accuracy on the test images, the part of the second stage's units that are dead, the losses."""
    rng, pieces = np.random.default_rng(seed), 2 if NAMES[number] == "maxout" else 1
    batches = rng.integers(0, len(digits().labels), (steps, 32))
    scores, z, losses = _trained(np.int32(number % 6), drawn(number, seed), batches, np.float32(rate), pieces=pieces)
    read = accuracy(np.asarray(scores), digits("test").labels)
    if NAMES[number] not in {"relu", "leaky_relu"}:
        return read, np.nan, np.asarray(losses)
    slopes = np.asarray(functions(number)[1](jnp.ones_like(z), z))
    return read, float(np.mean((slopes == 0).all((0, 1, 2)))), np.asarray(losses)


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    off = float(np.abs(result.slopes - result.differences).max())
    steepest, end = float(result.slopes[0].max()), result.slopes[:, -1].tolist()
    left = result.flow[..., 0]
    best = 100 * result.accuracy.mean(-1).max(-1)
    behind = best[2] - best
    large = 100 * result.accuracy[2, -1].max()
    sigmoid, relu = (100 * result.accuracy[number].mean(-1) for number in (0, 2))
    apart = (relu - sigmoid)[relu > 50]
    return [
        Check("derivatives by hand are those of differences, within 10⁻⁸", f"off by {off:.0e}", off < 1e-8),
        Check("the sigmoid’s slope is ¼ at most; at x = 6 it and tanh’s are below 0.01, the others’ 1",
              f"{steepest:.3f}; {end[0]:.4f}, {end[1]:.5f}", steepest <= 0.25 and max(end[:2]) < 0.01
              and bool(np.allclose(end[2:], 1, atol=1e-6))),
        Check("20 layers leave of the gradient: less than 10⁻¹⁰ (sigmoid), 1/1000 to 1000 (every other)",
              f"{left[0].max():.0e}; {left[1:].min():.2g} to {left[1:].max():.2g}",
              bool(left[0].max() < 1e-10 and ((left[1:] > 1e-3) & (left[1:] < 1e3)).all())),
        Check("no sigmoid: at its best rate 20 points or more behind relu at its own", f"{behind[0]:.0f} points behind",
              bool(behind[0] > 20)),
        Check("and behind it at every rate at which relu reads more than half", f"at least {apart.min():.0f} points behind",
              bool(apart.size and apart.min() > 0)),
        Check("leaky relu, elu, gelu and maxout end within 4 points of relu, each at its best rate",
              ", ".join(f"{-points:+.1f}" for points in behind[3:]), bool((np.abs(behind[3:]) < 4).all())),
        Check("and so does tanh: in two stages, the advice against it does not hold", f"{-behind[1]:+.1f} points",
              bool(abs(behind[1]) < 4)),
        Check("mind relu’s rate: at 2.0 over 90 % of its units are dead and it guesses; leaky relu has none",
              f"{result.dead[0, -1].min():.0%} dead, {large:.0f} % read; {result.dead[1].max():.0%}",
              bool(result.dead[0, -1].min() > 0.9 and large < 30 and result.dead[1].max() == 0)),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """The curves with their slopes, the gradient's way through the layers, and the accuracy by learning rate."""
    drawn = new_figure(10.6, theme)
    grid = drawn.add_gridspec(5, 4, height_ratios=[1.4, 1.4, 2.1, 2.1, 2.9])
    titles = [name.replace("_", " ") for name in NAMES]
    for number, title in enumerate(titles):
        axes = drawn.add_subplot(grid[number // 4, number % 4])
        plain(axes, theme)
        axes.plot(GRID, result.values[number], color=theme.blue)
        axes.plot(GRID, result.slopes[number], color=theme.orange, linewidth=1.2)
        axes.set(xlim=(-4, 4), ylim=(-1.2, 2.2), xticks=[-3, 0, 3], yticks=[-1, 0, 1, 2])
        axes.set_title(title, loc="left", color=theme.ink, fontsize=SMALL)
        axes.set_yticklabels(["−1", "0", "1", "2"] if number % 4 == 0 else [])
    axes = drawn.add_subplot(grid[1, 3])
    axes.axis("off")
    axes.text(0.1, 0.6, "f(x)", color=theme.blue, fontsize=TEXT)
    axes.text(0.1, 0.3, "f′(x)", color=theme.orange, fontsize=TEXT)
    axes = drawn.add_subplot(grid[2, :])
    plain(axes, theme)
    layers = np.arange(1, result.flow.shape[-1] + 1)
    for number, rows in enumerate(result.flow):
        axes.semilogy(layers, rows.T, color=theme.orange if number == 0 else theme.blue, linewidth=1)
    axes.text(layers[-1] / 2, 1e-9, "sigmoid", color=theme.orange, fontsize=SMALL, ha="left")
    axes.text(1, 1e2, "the other six", color=theme.blue, fontsize=SMALL)
    axes.set(xlabel="layer", xticks=[1, 5, 10, 15, 20], ylim=(1e-14, 1e4), yticks=[1e-12, 1e-8, 1e-4, 1])
    axes.set_title("gradient that arrives, of what left the end", loc="left", color=theme.ink, fontsize=TEXT)
    axes = drawn.add_subplot(grid[3, :])
    plain(axes, theme)
    smooth = np.apply_along_axis(lambda row: np.convolve(row, np.ones(15) / 15, "valid"), -1, result.losses)
    for number, rows in enumerate(smooth):
        axes.plot(rows.T, color={0: theme.orange, 1: theme.ink}.get(number, theme.blue), linewidth=1)
    axes.text(smooth.shape[-1], smooth[0].min() - 0.25, "sigmoid", color=theme.orange, fontsize=SMALL, ha="right")
    early = smooth.shape[-1] // 5
    axes.text(early, smooth[1, :, early].max() + 0.1, "tanh", color=theme.ink, fontsize=SMALL)
    axes.text(4, 0.3, "the other five", color=theme.blue, fontsize=SMALL)
    axes.set(xlabel="step", ylim=(0, 2.6), xlim=(0, None))
    axes.set_title(f"training loss at learning rate {RATES[SHOWN]:g}", loc="left", color=theme.ink, fontsize=TEXT)
    axes = drawn.add_subplot(grid[4, :])
    accuracy, colours = 100 * result.accuracy.mean(-1), sequential(theme, theme.blue)
    draw_cells(axes, accuracy - 50, theme, scale=60.0, numbers=lambda value: f"{value + 50:.0f}", colours=colours)
    axes.set_aspect("auto")
    axes.set_xticks(range(len(RATES)), [f"{rate:g}" for rate in RATES], color=theme.muted, fontsize=SMALL)
    axes.set_yticks(range(len(NAMES)), titles, color=theme.ink, fontsize=SMALL)
    axes.tick_params(length=0)
    axes.set_xlabel("learning rate", color=theme.ink, fontsize=TEXT)
    axes.set_title("test digits read, %", loc="left", color=theme.ink, fontsize=TEXT)
    return drawn


def about(result: Result) -> str:
    """The figure in words."""
    best = ", ".join(
        f"{name.replace('_', ' ')} {rows.max():.0%}" for name, rows in zip(NAMES, result.accuracy.mean(-1), strict=True)
    )
    arrived, large = result.flow[1:, :, 0], result.accuracy[:, -1].mean(-1)
    return (
        "Above, seven activation functions with their derivatives. In the middle, the size of the gradient at each of "
        f"{result.flow.shape[-1]} layers on its way back from the last: with the sigmoid it falls to "
        f"{result.flow[0, :, 0].mean():.0e}, of the others {arrived.min():.2g} to {arrived.max():.2g} arrives. Then the "
        f"training loss at learning rate {RATES[SHOWN]:g}, which ends at {result.losses[0, :, -20:].mean():.2f} with the "
        f"sigmoid, {result.losses[1, :, -20:].mean():.2f} with tanh and at most "
        f"{result.losses[2:, :, -20:].mean((1, 2)).max():.2f} with the others. Below, a table of digits read after "
        f"training at {len(RATES)} learning rates; at the best rate {best}; at the largest rate "
        f"{NAMES[large.argmax()].replace('_', ' ')} the most, {large.max():.0%}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(seeds=1, steps=150))

if __name__ == "__main__":
    TOPIC.main()
