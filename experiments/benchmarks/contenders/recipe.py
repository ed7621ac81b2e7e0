"""The recipe of the race to an accuracy: images, order and learning rates, as files that every contender reads."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

EVALUATED_AT_ONCE = 250

Progress = list[tuple[int, float, float]]
"""At every evaluation: steps done, accuracy, seconds since the epoch."""


class Recipe(NamedTuple):
    """What to train on, and when to stop.

    Attributes:
        images: (N, H, W, C), uint8.
        labels: (N,), int32.
        test_images: as images; their number a multiple of EVALUATED_AT_ONCE.
        test_labels: as labels.
        order: (steps, batch), int32, the images of every step.
        rates: (steps,), float32, the learning rate of every step.
        evaluate_every: steps between two evaluations; divides the number of steps.
        target: the accuracy to reach.
        seed: of the first weights.
    """

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    order: np.ndarray
    rates: np.ndarray
    evaluate_every: int
    target: float
    seed: int

    def write(self, folder: Path) -> None:
        """Leaves the recipe in a folder."""
        fields = self._asdict()
        for name, value in fields.items():
            if isinstance(value, np.ndarray):
                np.save(folder / f"{name}.npy", value)
        numbers = {name: value for name, value in fields.items() if not isinstance(value, np.ndarray)}
        (folder / "recipe.json").write_text(json.dumps(numbers))

    @classmethod
    def read(cls, folder: Path) -> "Recipe":
        """The recipe that `write` left."""
        return cls(
            **{path.stem: np.load(path) for path in folder.glob("*.npy")}, **json.loads((folder / "recipe.json").read_text())
        )
