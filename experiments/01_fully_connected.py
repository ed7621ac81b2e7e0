"""Fully connected layer: an image as a vector, and what is lost that way.

Claim: a fully connected layer stretches the image, 32×32×3 pixels to 3,072 numbers, and gives each class one dot product with
a template of as many weights. Which pixels are neighbours it never learns: from digits whose pixels are all shuffled by one
fixed permutation it learns the same templates, shuffled, and is as accurate. A convolutional network lives by neighbours:
where digits stand anywhere in the frame, shuffling costs it at least 15 points with every seed. Where all stand in the middle,
and a place alone says much, it costs 0 to 5 on average.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jcnn
from experiments.fitting import fit, read_right
from experiments.material import FRAME, framed, photograph
from experiments.topic import Check, Topic
from jcnn.figures.style import SMALL, Theme, bare, diverging, new_figure, plain


@dataclass(frozen=True)
class Experiment:
    """How much to train."""

    seeds: int = 4
    """Runs, each with its own places, permutation, first filters and batches."""
    steps: int = 500
    """Updates."""


class Result(NamedTuple):
    """All that was found.

    Attributes:
        stretched: whether the photograph's numbers come row by row, channels fastest.
        shapes: of the stretched photograph, and of its scores.
        explicit: the largest difference of a score from its dot product written out.
        moved: the largest change of a score when pixels and rows of weights are shuffled alike.
        relearned: how far templates learned from shuffled digits are from the shuffled templates, part of the largest weight.
        digit: one test digit.
        shuffled: the same, its pixels permuted.
        templates: a class each, learned from digits in the middle.
        scores: of that digit.
        accuracies: on test digits, by network, place, order and seed as in `NETWORKS`, `PLACES`, `ORDERS`.
    """

    stretched: bool
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    explicit: float
    moved: float
    relearned: float
    digit: Float[np.ndarray, "12 12"]
    shuffled: Float[np.ndarray, "12 12"]
    templates: Float[np.ndarray, "10 12 12"]
    scores: Float[np.ndarray, "10"]
    accuracies: Float[np.ndarray, "networks places orders seeds"]


SHOWN = 10  # one of the test images, a 3
CONNECTED = (jcnn.Flatten(), jcnn.Dense(10))
CONVOLUTIONAL = (jcnn.Conv(16, 3, padding=1), jcnn.Relu(), jcnn.MaxPool(2), jcnn.Conv(32, 3, padding=1), jcnn.Relu(),
                 jcnn.MaxPool(2), jcnn.Flatten(), jcnn.Dense(10))  # fmt: skip
NETWORKS, PLACES, ORDERS = ("fully connected", "convolutional"), ("in the middle", "anywhere"), ("original", "shuffled")


def run(config: Experiment) -> Result:
    """Trains both networks on original and shuffled digits, takes the templates apart, and stretches a photograph."""
    accuracies, learned, relearned = train(config)
    w, b = (np.asarray(learned[name], "float64") for name in ("w", "b"))
    x, order = arranged("test", 0, 0, 0)[0].astype("float64"), permutation(0)
    photo = photograph(32, 32)[None] / 255.0
    with jax.enable_x64(True):
        found, moved = np.asarray(scores(x, w, b)), np.asarray(scores(permute(x, order), w[order], b))
        vector = np.asarray(jcnn.flatten(photo))
        shapes = vector.shape[1:], jcnn.dense(vector, np.ones((vector.size, 10))).shape[1:]
    stretched = np.array_equal(vector[0], [photo[0, i, j, c] for i in range(32) for j in range(32) for c in range(3)])
    templates = w.T.reshape(10, FRAME, FRAME)
    explicit = np.stack([(x[..., 0] * template).sum((1, 2)) for template in templates], -1) + b
    return Result(
        stretched, shapes, float(np.abs(found - explicit).max()), float(np.abs(found - moved).max()),
        float(np.abs(relearned["w"] - w[order]).max() / np.abs(w).max()), x[SHOWN, ..., 0], permute(x, order)[SHOWN, ..., 0],
        templates, found[SHOWN], accuracies,
    )  # fmt: skip


def train(config: Experiment) -> tuple[Float[np.ndarray, "2 2 2 seeds"], Any, Any]:
    """All accuracies, and what the first fully connected layer learned from digits in the middle, original and shuffled."""
    accuracies, learned = np.zeros((2, 2, 2, config.seeds)), {}
    zeros = ({}, {"w": np.zeros((FRAME**2, 10), np.float32), "b": np.zeros(10, np.float32)})
    for place, order, seed in np.ndindex(2, 2, config.seeds):
        (images, labels), (unseen, answers) = (arranged(split, seed, place, order) for split in ("train", "test"))
        weights = fit(CONNECTED, images, labels, seed=seed, steps=config.steps, rate=0.2, params=zeros).params
        accuracies[0, place, order, seed] = read_right(CONNECTED, weights, unseen, answers)
        filters = fit(CONVOLUTIONAL, images, labels, seed=seed, steps=config.steps, rate=0.03).params
        accuracies[1, place, order, seed] = read_right(CONVOLUTIONAL, filters, unseen, answers)
        learned[place, order, seed] = jax.tree.map(np.asarray, weights[1])
    return accuracies, learned[0, 0, 0], learned[0, 1, 0]


def scores(x: Float[np.ndarray, "n h w c"], w: Float[np.ndarray, "m k"], b: Float[np.ndarray, " k"]) -> jax.Array:
    """A fully connected layer on images."""
    return jcnn.dense(jcnn.flatten(x), w, b)


def permutation(seed: int) -> Int[np.ndarray, " pixels"]:
    """Where each pixel comes from."""
    return np.random.default_rng(seed).permutation(FRAME**2)


def permute(x: Float[np.ndarray, "n h w 1"], order: Int[np.ndarray, " pixels"]) -> Float[np.ndarray, "n h w 1"]:
    """All images' pixels in another order, one for all."""
    return x.reshape(len(x), -1)[:, order].reshape(x.shape)


def arranged(split: str, seed: int, anywhere: int, shuffled: int) -> tuple[Float[np.ndarray, "n 12 12 1"], np.ndarray]:
    """Framed digits, perhaps with their pixels shuffled, and their labels."""
    images, labels = framed(split, seed, anywhere=bool(anywhere))
    return permute(images, permutation(seed)) if shuffled else images, labels


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    lost = 100 * (result.accuracies[:, :, 0] - result.accuracies[:, :, 1])
    connected, (middle, anywhere) = lost[0], lost[1]
    ahead = 100 * (result.accuracies[1, 1, 0] - result.accuracies[0, 1, 0])
    return [
        Check("32×32×3 pixels, row by row, are 3,072 numbers; 10 scores", f"{result.shapes}",
              result.stretched and result.shapes == ((3072,), (10,))),
        Check("a score is a template's dot product and a bias, to 10⁻¹¹", f"{result.explicit:.0e} apart",
              result.explicit < 1e-11),
        Check("pixels and weights shuffled: the same scores, to 10⁻¹¹", f"{result.moved:.0e} apart", result.moved < 1e-11),
        Check("shuffled digits teach shuffled templates, to 10⁻³", f"{result.relearned:.0e} apart", result.relearned < 1e-3),
        Check("fully connected: shuffling changes accuracy by < 1 point", f"at most {np.abs(connected).max():.1f}",
              bool(np.abs(connected).max() < 1)),
        Check("convolutional, digits anywhere: shuffling costs ≥ 15 points", f"{anywhere.min():.0f} to {anywhere.max():.0f}",
              bool(anywhere.min() >= 15)),
        Check("not shuffled, convolutional is ≥ 30 points ahead there", f"{ahead.min():.0f} to {ahead.max():.0f}",
              bool(ahead.min() >= 30)),
        Check("digits in the middle: it costs 0 to 5, on average", f"{middle.mean():.1f}", bool(0 <= middle.mean() <= 5)),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """A digit, stretched and shuffled; the templates with its scores; and what shuffling costs either network."""
    drawn = new_figure(7.6, theme)
    rows = [["="] * 5 + ["*"] * 5, ["-"] * 10, [*"0011223344"], [*"5566778899"], ["%"] * 10]
    panels = drawn.subplot_mosaic("\n".join(map("".join, rows)), height_ratios=[1.3, 0.25, 0.95, 0.95, 2.5])
    digit = {"=": ("a digit", result.digit), "*": ("its pixels shuffled", result.shuffled),
             "-": (f"stretched: {result.digit.size} numbers", result.digit.reshape(1, -1))}  # fmt: skip
    for name, (words, image) in digit.items():
        bare(panels[name])
        panels[name].imshow(image, cmap="gray", aspect="auto" if name == "-" else "equal", interpolation="none")
        panels[name].set_title(words, color=theme.ink, fontsize=SMALL)
    panels["-"].set_xlabel("its dot product with the template of each class:", color=theme.ink, fontsize=SMALL)
    largest = np.abs(result.templates).max()
    for number, (template, score) in enumerate(zip(result.templates, result.scores, strict=True)):
        axes = panels[str(number)]
        bare(axes)
        axes.imshow(template[2:-2, 2:-2], cmap=diverging(theme), vmin=-largest, vmax=largest, interpolation="none")
        colour = theme.orange if score == result.scores.max() else theme.ink
        axes.set_title(f"{number}: {score:.1f}".replace("-", "−"), color=colour, fontsize=SMALL)
    _draw_accuracies(panels["%"], result, theme)
    return drawn


def _draw_accuracies(axes: Axes, result: Result, theme: Theme) -> None:
    plain(axes, theme)
    for row, (place, network) in enumerate(np.ndindex(2, 2)):
        words = f"{NETWORKS[network]}, digits {PLACES[place]}"
        axes.text(0, row - 0.22, words, va="center", color=theme.ink, fontsize=SMALL)
        axes.axhline(row - 0.47, color=theme.rule, linewidth=0.8)
        for order, (height, colour) in enumerate(((0.08, theme.blue), (0.34, theme.orange))):
            seeds = result.accuracies[network, place, order]
            axes.plot(100 * seeds, [row + height] * len(seeds), "o", color=colour, alpha=0.6, markersize=5, markeredgewidth=0)
            axes.plot([100 * seeds.mean()], [row + height], "|", color=colour, markersize=11, markeredgewidth=2)
            if row == 0:
                axes.text(93, height, ORDERS[order], ha="right", va="center", color=colour, fontsize=SMALL)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.set(xlim=(0, 100), ylim=(3.6, -0.5), xlabel="test accuracy (%)")


def about(result: Result) -> str:
    """The figure in words."""
    means = 100 * result.accuracies.mean(-1)
    lines = "; ".join(
        f"{network}, digits {place}: {means[i, j, 0]:.0f} % original, {means[i, j, 1]:.0f} % shuffled"
        for j, place in enumerate(PLACES)
        for i, network in enumerate(NETWORKS)
    )
    return (
        "A handwritten digit, the same pixels shuffled, and the digit stretched to a row of "
        f"{result.digit.size} numbers. Below, the learned template of each class with the digit's score, the highest "
        f"{result.scores.max():.1f} for class {result.scores.argmax()}. At the bottom, test accuracies: {lines}."
    )


TOPIC = Topic(__file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(seeds=2, steps=200))

if __name__ == "__main__":
    TOPIC.main()
