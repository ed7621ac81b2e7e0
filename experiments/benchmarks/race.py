"""The race to 99 % on MNIST: everyone trains `small` from the same weights on the same batches, each from a fresh process."""

import math
import statistics
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.benchmarks import comparison
from experiments.benchmarks.contenders.recipe import EVALUATED_AT_ONCE, Recipe
from experiments.benchmarks.entries import FLAX, OURS, Entry
from experiments.benchmarks.rounds import Measurement, Ratio, ratio
from experiments.benchmarks.shapes import SMALL
from experiments.benchmarks.workers import Worker, WorkerError
from jcnn.data import Dataset, load
from jcnn.percentages import percent

TARGET = 0.99
BATCH = 128
EVALUATE_EVERY = 100
STEPS = 900
PEAK = 0.1
WARMUP = 0.2


class Finish(NamedTuple):
    """One contender's race.

    Attributes:
        seconds: from the start of its process to the end of the first evaluation that reached the target; None: none did.
        steps: training steps until then.
        accuracy: of the last evaluation.
    """

    seconds: float | None
    steps: int
    accuracy: float


class Race(NamedTuple):
    """All races.

    Attributes:
        finishes: by contender, one for every repeat.
        errors: by contender, why it has no more.
        left_out: why there was no race; empty where there was one.
    """

    finishes: dict[str, list[Finish]]
    errors: dict[str, str]
    left_out: str = ""

    def seconds(self, name: str) -> list[float]:
        """Of the repeats that reached the target."""
        return [one.seconds for one in self.finishes.get(name, []) if one.seconds is not None]

    def median(self, name: str) -> float | None:
        """Of all repeats; None where one did not reach the target."""
        seconds = self.seconds(name)
        return statistics.median(seconds) if seconds and len(seconds) == len(self.finishes[name]) else None

    def ratio(self, one: str, other: str) -> Ratio | None:
        """Time of one over that of the other, from the same weights on the same batches; None where one missed the target."""
        if self.median(one) is None or self.median(other) is None:
            return None
        return ratio(self.seconds(one), self.seconds(other))


def mnist(originals: Path | None) -> tuple[Dataset, Dataset]:
    """Training and test images.

    Raises:
        DataError: they cannot be had.
    """
    return load("mnist", "train", originals=originals), load("mnist", "test", originals=originals)


def make_recipe(images: Dataset, test: Dataset, seed: int, steps: int = STEPS, peak: float = PEAK) -> Recipe:
    """Epochs in random order; the learning rate on a line up, then on a cosine down to zero."""
    random = np.random.default_rng(seed)
    per_epoch = len(images.images) // BATCH
    epochs = [random.permutation(len(images.images))[: per_epoch * BATCH] for _ in range(math.ceil(steps / per_epoch))]
    order = np.concatenate(epochs).reshape(-1, BATCH)[:steps].astype(np.int32)
    warmup = round(WARMUP * steps)
    number = np.arange(steps)
    falling = 0.5 * (1 + np.cos(np.pi * (number - warmup) / (steps - warmup)))
    rates = peak * np.where(number < warmup, (number + 1) / warmup, falling)
    count = len(test.images) // EVALUATED_AT_ONCE * EVALUATED_AT_ONCE
    pixels, test_pixels = np.asarray(images.images), np.asarray(test.images[:count])
    labels = [np.asarray(data.labels, np.int32) for data in (images, test)]
    return Recipe(
        pixels, labels[0], test_pixels, labels[1][:count], order, rates.astype(np.float32), EVALUATE_EVERY, TARGET, seed
    )


def run(
    recipes: Iterable[Recipe], entries: Sequence[Entry], start: Callable[[Entry], Worker], tell: Callable[[str], None]
) -> Race:
    """Races with one recipe after the other, in each all contenders, one at a time."""
    race = Race({entry.name: [] for entry in entries}, {})
    for recipe in recipes:
        with tempfile.TemporaryDirectory() as folder:
            recipe.write(Path(folder))
            for entry in entries:
                if entry.name in race.errors:
                    continue
                try:
                    finish = _one(entry, start, folder, recipe.target)
                except (WorkerError, OSError) as error:
                    race.errors[entry.name] = str(error)
                    tell(f"race: without {entry.name}: {error}")
                    continue
                race.finishes[entry.name].append(finish)
                time = "never" if finish.seconds is None else f"{finish.seconds:.1f} s"
                tell(f"race, seed {recipe.seed}: {entry.name} {time}, {finish.steps} steps, {percent(finish.accuracy, 2)}")
    return race


def chosen(entries: Sequence[Entry], measurements: Sequence[Measurement]) -> list[Entry]:
    """Who races: ours, Flax, and PyTorch in the layout whose training step was the faster; both where it was not measured."""
    layouts = [entry for entry in entries if entry.program == "pytorch" and not entry.variant.get("compile")]
    for line in comparison.steps(measurements):
        if line.name == SMALL.name and all(entry.name in line.rounds for entry in layouts):
            layouts = sorted(layouts, key=lambda entry: line.seconds(entry.name))[:1]
    return [entry for entry in entries if entry.name in (OURS, FLAX)] + layouts


def _one(entry: Entry, start: Callable[[Entry], Worker], folder: str, target: float) -> Finish:
    worker = start(entry)
    try:
        steps, accuracy, finished = worker.ask("learn", folder=folder, variant=entry.variant)[-1]
    finally:
        worker.close()
    return Finish(finished - worker.started_at if accuracy >= target else None, steps, accuracy)
