"""Recipes by name, for `jcnn train --recipe NAME`, beside which options override.

`python -m experiments.benchmarks.recipes` measures them over several seeds, and writes the results with the machine and the
command of each to docs/recipes.md. Choices are made on training images alone; test images measure.
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
        "the embedded digits in half a minute",
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
            network="airbench_tiny",
            epochs=2,
            batch_size=128,
            learning_rate=0.2,
            momentum=0.85,
            schedule="linear",
            warmup=0.2,
            weight_decay=1e-3,
            augment=(Crop(2),),
            label_smoothing=0.1,
            average=EMA(0.98),
        ),
    ),
    "mnist-long": NamedRecipe(
        "MNIST as far as it goes",
        Config(
            data="mnist",
            network="airbench_small",
            epochs=20,
            batch_size=128,
            learning_rate=0.1,
            momentum=0.85,
            weight_decay=1e-3,
            label_smoothing=0.1,
            average=EMA(0.995),
        ),
    ),
    "fashion-mnist": NamedRecipe(
        "Fashion-MNIST, mirrored, moved and partly covered",
        Config(
            data="fashion_mnist",
            network="airbench_small",
            epochs=20,
            batch_size=128,
            learning_rate=0.2,
            momentum=0.85,
            schedule="linear",
            warmup=0.2,
            weight_decay=1.3e-3,
            augment=(AlternatingFlip(), Crop(2), Cutout(8)),
            label_smoothing=0.1,
            average=EMA(0.995),
            test_time_flip=True,
        ),
    ),
    "cifar10-fast": NamedRecipe(
        "CIFAR-10 in at most 20 minutes of training on 2 cores",
        Config(
            data="cifar10",
            network="airbench_small",
            epochs=7,
            batch_size=128,
            learning_rate=0.2,
            momentum=0.85,
            schedule="linear",
            warmup=0.23,
            weight_decay=1.3e-3,
            augment=(AlternatingFlip(), Crop(2)),
            label_smoothing=0.2,
            average=EMA(0.99),
            test_time_flip=True,
        ),
    ),
    "cifar10-gpu": NamedRecipe(
        "CIFAR-10 at full length, in mixed precision, for a GPU",
        Config(
            data="cifar10",
            network="airbench",
            epochs=24,
            batch_size=512,
            learning_rate=0.6,
            momentum=0.85,
            schedule="linear",
            warmup=0.23,
            weight_decay=1.3e-3,
            augment=(AlternatingFlip(), Crop(2), Cutout(12)),
            dtype="bfloat16",
            master_dtype="float32",
            label_smoothing=0.2,
            average=EMA(0.99),
            test_time_flip=True,
        ),
    ),
    "cifar10-resnet20": NamedRecipe(
        "CIFAR-10 by ResNet-20 as it was published, but for the schedule",
        Config(
            data="cifar10",
            network="resnet20",
            epochs=182,
            batch_size=128,
            learning_rate=0.1,
            warmup=0.02,
            weight_decay=1e-4,
            augment=(Flip(), Crop(4)),
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
