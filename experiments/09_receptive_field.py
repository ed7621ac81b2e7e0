"""The receptive field: what one unit sees, and what it looks at.

Claim: every layer widens the field by (window − 1) · jump, and a stride multiplies the jump: that names exactly the pixels of
which a gradient is not zero, and gives the published 195, 212 and 483 pixels of AlexNet, VGG-16 and ResNet-50. Yet not all
pixels count alike: after L layers of 3×3 the gradient is close to a Gaussian of variance 2L/3, so that it covers a part of the
field that shrinks as 1/√L. A unit trained to name a digit alone still looks at the middle; how much wider than before
differs from run to run.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

import jcnn
from experiments.fitting import fit
from experiments.material import as_input, digits
from experiments.topic import Check, Topic
from jcnn.figures.cells import draw_window
from jcnn.figures.style import SMALL, TEXT, Theme, bare, new_figure, plain, sequential
from jcnn.geometry import ReceptiveField

CONV, POOL = ("conv", 3, 1, 0, 1), ("max", 2, 2, 0, 1)
STACKS = {  # name, window, stride, padding, dilation
    "three 3×3": (CONV,) * 3,
    "with pooling": (CONV, POOL, CONV, POOL, CONV),
    "stride 2": (("conv", 3, 2, 1, 1),) * 3,
    "dilation 1, 2, 4": (("conv", 3, 1, 1, 1), ("conv", 3, 1, 2, 2), ("conv", 3, 1, 4, 4)),
}
RESNET = (3, 2), (4, 2), (6, 2), (3, 1)  # units of a stage, and the stride of its last one
PUBLISHED = {  # Araujo, Norris & Sim 2019, with the strides where their networks have them
    "AlexNet": [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)],
    "VGG-16": [(3, 1)] * 2 + [(2, 2)] + [(3, 1)] * 2 + [(2, 2)] + ([(3, 1)] * 3 + [(2, 2)]) * 3,
    "ResNet-50": [(7, 2), (3, 2)] + [(3, s if u == n - 1 else 1) for n, s in RESNET for u in range(n)],
}
PIXELS, DEPTH = 27, 16
EVEN = (15**2 - 1) / 12  # the variance of 15 pixels that count alike
BODY = (jcnn.Conv(8, 3), jcnn.Relu()) * 7  # sees 15×15, and makes 1×1 of it
NETWORK = (*BODY, jcnn.Flatten(), jcnn.Dense(10))


@dataclass(frozen=True)
class Experiment:
    """How many networks are trained, and for how many steps."""

    seeds: int = 5
    steps: int = 1000


class Result(NamedTuple):
    """All that was found.

    Attributes:
        seen: by stack, how the middle unit depends on every pixel; its field's first row and size, by the formula.
        published: for each network, the field after every layer.
        alike: the gradient after 1 … DEPTH layers whose weights are all alike.
        trained: by seed, before and after training, the mean square of a unit's gradient, its sum 1.
    """

    seen: dict[str, tuple[Float[np.ndarray, "n n"], int, int]]
    published: dict[str, tuple[ReceptiveField, ...]]
    alike: Float[np.ndarray, "depth s s"]
    trained: Float[np.ndarray, "seeds 2 15 15"]


def run(config: Experiment) -> Result:
    """Compares the formula with gradients, then measures how gradients spread, in deep and in trained networks."""
    inputs, seen = jax.random.uniform(jax.random.key(0), (512, PIXELS, PIXELS, 1), jnp.float32), {}
    for name, stack in STACKS.items():
        field, (dependence, unit) = jcnn.receptive_field(stack)[-1], gradient(inputs, stack)
        seen[name] = np.asarray(dependence), field.start + field.jump * int(unit), field.size
    fields = {name: jcnn.receptive_field([("", *layer) for layer in layers]) for name, layers in PUBLISHED.items()}
    images, trained = np.kron(as_input(digits().images), np.ones((1, 2, 2, 1), np.float32))[:, :15, :15], []
    for seed in range(config.seeds):
        first = jcnn.init(jax.random.key(seed), NETWORK, (15, 15, 1), jnp.float32)
        last = fit(NETWORK, images, digits().labels, seed=seed, steps=config.steps, rate=0.02, params=first).params
        trained.append([np.asarray(looking(params, images[:128])) for params in (first, last)])
    dy = jnp.pad(jnp.ones((1, 1, 1, 1), jnp.float32), ((0, 0), (DEPTH, DEPTH), (DEPTH, DEPTH), (0, 0)))
    alike, w = [], jnp.full((3, 3, 1, 1), 1 / 9, jnp.float32)
    for _ in range(DEPTH):
        dy, _, _ = jcnn.conv_backward(dy, dy, w, padding=1)
        alike.append(np.asarray(dy)[0, :, :, 0])
    return Result(seen, fields, np.array(alike), np.array(trained))


@partial(jax.jit, static_argnums=1)
def gradient(x: Float[jax.Array, "n s s 1"], stack: tuple[Any, ...]) -> tuple[Float[jax.Array, "s s"], int]:
    """That of the middle unit by every pixel, the mean over inputs, all weights one; and the unit's index."""

    def outputs(x: jax.Array) -> jax.Array:
        for kind, window, stride, padding, dilation in stack:
            conv = partial(jcnn.conv, w=jnp.ones((3, 3, 1, 1), x.dtype), stride=stride, padding=padding, dilation=dilation)
            x = jcnn.max_pool(x, window, stride=stride) if kind == "max" else conv(x)
        return x[..., 0]

    unit = jax.eval_shape(outputs, x).shape[1] // 2
    return jax.grad(lambda x: outputs(x)[:, unit, unit].mean())(x).sum((0, 3)), unit


@jax.jit
def looking(params: Any, x: Float[jax.Array, "n 15 15 1"]) -> Float[jax.Array, "15 15"]:
    """The mean square of the last unit's gradients, over images and channels, its sum 1."""
    gradient = jax.jacrev(lambda x: jcnn.apply(BODY, params[: len(BODY)], x).sum((0, 1, 2)))(x)
    return (gradient**2).sum((0, 1, 4)) / (gradient**2).sum()


def along(field: Float[np.ndarray, "s s"]) -> tuple[float, float]:
    """Variance about the centre and excess kurtosis of a field as a distribution over one axis, whichever."""
    weights, place = np.float64(field.sum(0) + field.sum(1)), np.arange(len(field)) - len(field) // 2
    variance = np.average(place**2, weights=weights)
    return float(variance), float(np.average(place**4, weights=weights) / variance**2 - 3)


def widened(result: Result) -> Float[np.ndarray, " seeds"]:
    """By how much training multiplies the variance of what a unit looks at."""
    before, after = (np.array([along(field)[0] for field in result.trained[:, state]]) for state in (0, 1))
    return after / before


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    fields = [(seen > 0, np.isin(np.arange(PIXELS), range(first, first + size))) for seen, first, size in result.seen.values()]
    exact = [np.array_equal(seen, np.outer(inside, inside)) for seen, inside in fields]
    sizes = [fields[-1].size for fields in result.published.values()]
    expected = np.array([(2 / 3 * depth, -1.5 / depth) for depth in range(1, DEPTH + 1)])
    alike = np.abs(np.array([along(field) for field in result.alike]) / expected - 1).max()
    before, after = (np.array([along(field)[0] for field in result.trained[:, state]]) for state in (0, 1))
    return [
        Check("the gradient is non-zero exactly on the field", f"{sum(exact)} of {len(exact)} stacks", all(exact)),
        Check("AlexNet 195, VGG-16 212, ResNet-50 483", ", ".join(map(str, sizes)), sizes == [195, 212, 483]),
        Check("weights alike: variance 2L/3, excess kurtosis −1.5/L", f"off by {alike:.0e} of it", bool(alike < 1e-3)),
        Check("untrained, 7 layers: variance 14/3 = 4.67 ± 20 %", f"{before.mean():.2f}", bool(3.73 < before.mean() < 5.6)),
        Check("trained too, it looks at the middle: under 0.6 of an even gaze's variance (15² − 1)/12",
              f"{before.max() / EVEN:.2f} before, {after.max() / EVEN:.2f} after",
              bool(max(before.max(), after.max()) < 0.6 * EVEN)),
        Check("how much wider than before differs from run to run, by more than 5 %",
              f"variance by seed × {', '.join(f'{factor:.2f}' for factor in widened(result))}",
              bool(widened(result).max() > 1.05 * widened(result).min())),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """Gradients in the frames that the formula gives; fields of networks; how gradients spread, before and after training."""
    drawn = new_figure(7.4, theme)
    layout = drawn.add_gridspec(3, 1, height_ratios=[1.5, 2.2, 2.1])
    maps, bottom = layout[0].subgridspec(1, 4), layout[2].subgridspec(1, 2)
    for column, (name, (seen, first, size)) in enumerate(result.seen.items()):
        axes = drawn.add_subplot(maps[column])
        bare(axes)
        axes.imshow(np.where(seen > 0, seen / seen.max(), np.nan) ** 0.5, cmap=sequential(theme, theme.blue))
        draw_window(axes, 0, 0, PIXELS, PIXELS, theme.rule, thick=1)
        draw_window(axes, first, first, size, size, theme.orange)
        axes.set_title(f"{name}\n{size}×{size}", color=theme.ink, fontsize=SMALL)
    growth, alike, trained = panels = [drawn.add_subplot(part) for part in (layout[1], bottom[0], bottom[1])]
    for axes, title in zip(panels, ("receptive field in pixels", f"{DEPTH} equal layers", "7 layers, training"), strict=True):
        plain(axes, theme)
        axes.set_title(title, loc="left", color=theme.ink, fontsize=TEXT)
    for (name, fields), colour in zip(result.published.items(), (theme.orange, theme.blue, theme.ink), strict=True):
        growth.plot(range(1, len(fields) + 1), [field.size for field in fields], ".-", color=colour)
        growth.text(len(fields), fields[-1].size + 14, f"{name} {fields[-1].size}", ha="center", color=colour, fontsize=SMALL)
    growth.set(xlabel="layers with a window above 1", ylim=(0, 540), xlim=(0, 20), xticks=range(0, 21, 5))
    place, variance = np.arange(-DEPTH, DEPTH + 1), 2 / 3 * DEPTH
    alike.bar(place, result.alike[-1].sum(0), 0.8, color=theme.blue)
    alike.plot(place, np.exp(-(place**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance), color=theme.orange)
    alike.text(-16, 0.115, f"Gaussian,\nvariance\n2·{DEPTH}/3", va="top", color=theme.orange, fontsize=SMALL)
    for state, (name, colour) in enumerate((("before", theme.blue), ("after", theme.orange))):
        across = result.trained[:, state].sum(2)
        trained.plot(range(-7, 8), across.T, color=colour, linewidth=0.6, alpha=0.6)
        trained.plot(range(-7, 8), across.mean(0), color=colour, linewidth=2)
        trained.text(-7.5, 0.185 - 0.02 * state, name, color=colour, fontsize=SMALL)
        panels[1 + state].set(yticks=[], xlabel="pixels from the centre")
        panels[1 + state].spines["left"].set_visible(False)
    return drawn


def about(result: Result) -> str:
    """The figure in words."""
    fields, factors = ([fields[-1].size for fields in result.published.values()], widened(result))
    return (
        f"Maps of one unit's gradient after {', '.join(STACKS)}, each filling its computed frame. Below, fields of "
        f"{', '.join(result.published)} grow to {', '.join(map(str, fields))} pixels. At the bottom, the gradient across "
        f"{DEPTH} layers beside a Gaussian, and a unit's before and after learning digits ({len(result.trained)} runs, its "
        f"variance {factors.min():.2f} to {factors.max():.2f} times that before)."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(seeds=2, steps=300))

if __name__ == "__main__":
    TOPIC.main()
