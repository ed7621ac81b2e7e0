"""A whole convolutional network, at work on one image.

Claim: trained from its random start, conv–relu–conv–relu–pool with a fully connected head reads at least 98 % of handwritten
digits that it never saw. What it makes of them is more and more about the class: the part of the variance that lies between the
classes grows from the pixels to the pooled maps, to the hidden units and to the scores, which have at least 1.5 times that of
the pixels. That is learned: at the random start the scores have no more of it than the pixels.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from rich.console import Console

import jcnn
from experiments.material import as_input, digits
from experiments.topic import Check, Topic
from jcnn.figures import Theme, feature_maps
from jcnn.layers import Network
from jcnn.network import Params
from jcnn.percentages import percent
from jcnn.training.evaluation import accuracy


@dataclass(frozen=True)
class Experiment:
    """What to train, and which test image to follow through it."""

    epochs: int = 40
    """Passes over the training images."""
    seed: int = 0
    """Decides the first weights, the order of the images and their augmentation."""
    image: int = 0
    """Which test image to follow."""
    least_accuracy: float = 0.98
    """The claim."""


class Result(NamedTuple):
    """The trained network, what it makes of one image, and how well its stages tell classes apart.

    Attributes:
        network: its layers.
        params: what it learned.
        image: number of the image that is followed.
        least_accuracy: what was claimed.
        accuracy: on the test images, 0 to 1.
        shapes: of what each stage makes of an image, as in `STAGES`.
        apart: the largest difference between a stage and NumPy's sums, of the stage's largest value.
        learned: for every stage, the part of all variance that lies between the classes, 0 to 1.
        start: the same at the random start.
    """

    network: Network
    params: Params
    image: int
    least_accuracy: float
    accuracy: float
    shapes: tuple[tuple[int, ...], ...]
    apart: float
    learned: tuple[float, ...]
    start: tuple[float, ...]


STAGES = ("pixels", "first maps", "second maps", "pooled maps", "hidden units", "scores")


def run(config: Experiment) -> Result:
    """Trains the network, follows one image through it, and measures every stage."""
    network, recipe = jcnn.small((8, 8, 1), 10), jcnn.Recipe(epochs=config.epochs, seed=config.seed)
    trained = jcnn.fit(network, digits(), recipe=recipe, console=Console(quiet=True))
    images, labels = as_input(digits("test").images), digits("test").labels
    start = jcnn.init(jax.random.key(config.seed), trained.network, images.shape[1:], "float32")
    forward = jax.jit(partial(stages))
    found, before = (list(map(np.asarray, forward(params, images))) for params in (trained.params, start))
    followed = written_out(trained.params, images[config.image])
    pairs = [(stage[config.image], other) for stage, other in zip(found, followed, strict=True)]
    apart = max(np.abs(stage - other).max() / np.abs(other).max() for stage, other in pairs)
    learned, start = (tuple(between_classes(stage, labels) for stage in one) for one in (found, before))
    shapes = tuple(stage.shape[1:] for stage in found)
    return Result(trained.network, trained.params, config.image, config.least_accuracy, accuracy(found[-1], labels), shapes,
                  float(apart), learned, start)  # fmt: skip


def stages(params: Params, x: Float[Array, "n 8 8 1"]) -> tuple[Array, ...]:
    """The network, one operation after the other."""
    first, _, second, _, _, _, hidden, _, last = params
    maps = jcnn.relu(jcnn.conv(x, first["w"], first["b"], padding="same"))
    more = jcnn.relu(jcnn.conv(maps, second["w"], second["b"], padding="same"))
    pooled = jcnn.max_pool(more, 2)
    units = jcnn.relu(jcnn.dense(jcnn.flatten(pooled), hidden["w"], hidden["b"]))
    return x, maps, more, pooled, units, jcnn.dense(units, last["w"], last["b"])


def written_out(params: Params, image: Float[np.ndarray, "8 8 1"]) -> tuple[Float[np.ndarray, "..."], ...]:
    """The same for one image, in NumPy's sums."""
    learned = [{name: np.asarray(leaf, "float64") for name, leaf in layer.items()} for layer in params if layer]
    maps = [image.astype("float64")]
    for layer in learned[:2]:
        padded = np.pad(maps[-1], ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
        maps.append(np.maximum(np.einsum("ijcuv,uvck->ijk", windows, layer["w"]) + layer["b"], 0))
    pooled = maps[-1].reshape(4, 2, 4, 2, -1).max((1, 3))
    units = np.maximum(pooled.ravel() @ learned[2]["w"] + learned[2]["b"], 0)
    return *maps, pooled, units, units @ learned[3]["w"] + learned[3]["b"]


def between_classes(outputs: Float[np.ndarray, "n *s"], labels: Int[np.ndarray, " n"]) -> float:
    """The part of the variance that is left when every output is replaced by its class's mean."""
    flat = outputs.reshape(len(outputs), -1)
    centres = np.stack([flat[labels == label].mean(0) for label in np.unique(labels)])
    within = np.mean((flat - centres[labels]) ** 2)
    return float(1 - within / np.mean((flat - flat.mean(0)) ** 2))


def checks(result: Result) -> list[Check]:
    """The claims beside what was found."""
    learned, start = (dict(zip(STAGES, parts, strict=True)) for parts in (result.learned, result.start))
    growing = [learned[stage] for stage in ("pixels", "pooled maps", "hidden units", "scores")]
    parameters = jcnn.count_parameters(result.network, (8, 8, 1))
    return [
        Check(f"reads at least {result.least_accuracy:.0%} of unseen digits", percent(result.accuracy),
              result.accuracy >= result.least_accuracy),
        Check("8×8×1 → 8×8×32 → 8×8×64 → 4×4×64 → 128 → 10", f"{result.shapes[1:]}",
              result.shapes == ((8, 8, 1), (8, 8, 32), (8, 8, 64), (4, 4, 64), (128,), (10,))),
        Check("10·32 + 289·64 + 1,025·128 + 129·10 parameters", f"{parameters:,}",
              parameters == 320 + 18496 + 131200 + 1290 == sum(leaf.size for leaf in jax.tree.leaves(result.params))),
        Check("every stage is what NumPy's sums are, to 10⁻⁴", f"{result.apart:.0e} apart", result.apart < 1e-4),
        Check("between classes: more in pooled maps, hidden units, scores", " < ".join(f"{part:.0%}" for part in growing),
              growing == sorted(growing)),
        Check("scores: at least 1.5 times the pixels' part", f"{growing[-1] / growing[0]:.2f} times",
              growing[-1] >= 1.5 * growing[0]),
        Check("at the random start no more than the pixels'", f"{start['scores']:.0%} and {start['pixels']:.0%}",
              start["scores"] <= start["pixels"]),
    ]  # fmt: skip


def figure(result: Result, theme: Theme) -> Figure:
    """What every layer makes of one image."""
    shown = digits("test")
    return feature_maps(result.network, result.params, shown.images[result.image], shown.class_names, theme=theme)


def about(result: Result) -> str:
    """The figure in words."""
    name = digits("test").class_names[digits("test").labels[result.image]]
    parts = ", ".join(f"{stage} {part:.0%}" for stage, part in zip(STAGES, result.learned, strict=True))
    return (
        f"A handwritten {name} on its way through a trained network: 24 of its 32 maps of 8×8 pixels, 24 of 64 maps, the same "
        f"pooled to 4×4, 128 hidden units as bars, the probabilities of 10 classes. The network reads "
        f"{percent(result.accuracy)} of the test images. The part of the variance that lies between classes: {parts}."
    )


TOPIC = Topic(
    __file__, __doc__, Experiment, run, checks, figure, about, quick=Experiment(epochs=6, least_accuracy=0.95)
)  # fmt: skip

if __name__ == "__main__":
    TOPIC.main()
