"""A whole convolutional network, at work on one image.

Claim: trained from its random start, conv–relu–pool stages with a fully connected head read at least 98 % of handwritten digits
that they never saw; and what the stages pass on is more and more about
the class: the part of the variance that lies between the classes grows from the pixels to the scores.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import tyro
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from jcnn.data import Dataset
from jcnn.data.batches import to_input
from jcnn.figures import feature_maps, to_png, to_svg
from jcnn.layers import Network
from jcnn.network import Params, activations
from jcnn.training import Config, train


@dataclass(frozen=True)
class Experiment:
    """What to train, and which test image to follow through it."""

    epochs: int = 100
    """Passes over the training images."""
    seed: int = 0
    """Decides the first weights, the order of the images and their augmentation."""
    image: int = 0
    """Which test image to draw."""
    least_accuracy: float = 0.98
    """The claim."""


class Result(NamedTuple):
    """The trained network, and how well single layers tell classes apart.

    Attributes:
        accuracy: on the test images.
        separation: for the pixels and every layer, the part of all variance that lies between the classes, 0 to 1.
    """

    network: Network
    params: Params
    test: Dataset
    accuracy: float
    separation: tuple[float, ...]


def run(config: Experiment) -> Result:
    """Trains the network and measures every layer."""
    with tempfile.TemporaryDirectory() as folder:
        trained = train(Config(epochs=config.epochs, seed=config.seed), Path(folder) / "run")
    pixels = to_input(trained.test.images, jnp.float32)
    outputs = (pixels, *activations(trained.network, trained.params, pixels))
    separation = tuple(_between_classes(np.asarray(output), trained.test.labels) for output in outputs)
    return Result(trained.network, trained.params, trained.test, trained.evaluation.accuracy, separation)


def check(config: Experiment, result: Result) -> None:
    """Raises AssertionError where the claim does not hold."""
    if result.accuracy < config.least_accuracy:
        raise AssertionError(f"accuracy {result.accuracy:.2%}: claimed at least {config.least_accuracy:.0%}")
    if not result.separation[-1] > 1.5 * result.separation[0]:
        raise AssertionError(f"separation {result.separation}: claimed that the scores have 1.5 times that of the pixels")


def figure(config: Experiment, result: Result) -> Figure:
    """The outputs of every layer for one image."""
    return feature_maps(result.network, result.params, result.test.images[config.image], result.test.class_names)


def _between_classes(outputs: np.ndarray, labels: np.ndarray) -> float:
    flat = outputs.reshape(len(outputs), -1)
    centres = np.stack([flat[labels == label].mean(0) for label in np.unique(labels)])
    within = np.mean((flat - centres[labels]) ** 2)
    return float(1 - within / np.mean((flat - flat.mean(0)) ** 2))


def main(config: Experiment) -> None:
    """Runs, checks, draws."""
    result = run(config)
    check(config, result)
    table = Table("layer", "variance between classes", show_edge=False)
    for layer, part in zip(("pixels", *map(repr, result.network)), result.separation, strict=True):
        table.add_row(layer, f"{part:.0%}")
    console = Console()
    console.print(table)
    console.print(f"test accuracy {result.accuracy:.2%}, claimed at least {config.least_accuracy:.0%}")
    Path("results").mkdir(exist_ok=True)
    drawn = figure(config, result)
    Path("results/13_whole_network.png").write_bytes(to_png(drawn))
    Path("results/13_whole_network.svg").write_bytes(to_svg(drawn))


if __name__ == "__main__":
    main(tyro.cli(Experiment))
