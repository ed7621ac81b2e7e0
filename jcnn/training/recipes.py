"""Recipes by name, for `jcnn train --recipe NAME`, beside which options override.

Their results, with the machine and the command of each, stand in docs/recipes.md; `python -m experiments.benchmarks.recipes`
writes them. The numbers were chosen on training images alone, of which a part was held out; the test images measure.
"""

from typing import NamedTuple

from jcnn.data.augmentations import AlternatingFlip, Crop, Cutout, Flip
from jcnn.names import check_name
from jcnn.training.averaging import EMA
from jcnn.training.config import Config


class NamedRecipe(NamedTuple):
    """A recipe, and what it is for in a line."""

    about: str
    config: Config


RECIPES: dict[str, NamedRecipe] = {
    "digits": NamedRecipe(
        "the embedded digits, half a minute",
        Config(
            data="digits",
            network="small",
            epochs=100,
            average=EMA(0.99),
            label_smoothing=0.1,
        ),
    ),
    "mnist-fast": NamedRecipe(
        "MNIST within a minute of training on 2 cores",
        Config(
            data="mnist",
            network="small",
            epochs=3,
            batch_size=128,
            learning_rate=0.1,
            schedule="linear",
            warmup=0.2,
            weight_decay=5e-4,
            average=EMA(0.98),
        ),
    ),
    "mnist-long": NamedRecipe(
        "MNIST as far as a small network goes",
        Config(
            data="mnist",
            network="small",
            epochs=30,
            batch_size=128,
            learning_rate=0.1,
            weight_decay=5e-4,
            average=EMA(0.999),
            label_smoothing=0.05,
        ),
    ),
    "fashion-mnist": NamedRecipe(
        "Fashion-MNIST: crops, flips and cutout",
        Config(
            data="fashion_mnist",
            network="small",
            epochs=40,
            batch_size=128,
            learning_rate=0.1,
            weight_decay=5e-4,
            augment=(Crop(2), Flip(), Cutout(8)),
            average=EMA(0.999),
            label_smoothing=0.1,
            test_time_flip=True,
        ),
    ),
    "cifar10-fast": NamedRecipe(
        "CIFAR-10 in at most 20 minutes of training on 2 cores",
        Config(
            data="cifar10",
            network="small",
            epochs=16,
            batch_size=128,
            learning_rate=0.1,
            schedule="one-cycle",
            warmup=0.25,
            weight_decay=5e-4,
            augment=(AlternatingFlip(), Crop(2)),
            average=EMA(0.995),
            label_smoothing=0.1,
            test_time_flip=True,
        ),
    ),
}
"""By name: what `jcnn train --recipe` knows."""


def recipe(name: str) -> Config:
    """The recipe of this name, with the data and the network that it is for.

    Raises:
        ValueError: no such recipe; the message lists them, and says which is the nearest.
    """
    check_name("recipe", name, RECIPES)
    return RECIPES[name].config


def help_text() -> str:
    """What the help of a command says of the choice."""
    listed = "; ".join(f"{name}: {each.about}" for name, each in RECIPES.items())
    return f"A recipe by name, whose choices are the defaults of all others: {listed}."
