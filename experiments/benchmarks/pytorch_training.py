"""The same network, recipe and batches in PyTorch: does it end at the same accuracy, and how long does it take?

    .venv-peers/bin/python -m experiments.benchmarks.pytorch_training cifar10-fast --seeds 1

PyTorch starts from the weights that `jcnn train` starts from, is handed the batches that it sees, augmented alike, and updates
as the recipe says. Its time is that of its steps alone: making the batches is not counted, while ours counts everything but
compiling. PyTorch runs in the layout that is the faster of both in the first steps.
"""

import copy
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
import tyro

from experiments.benchmarks.recipes import machine, measure
from jcnn import data, presets
from jcnn.data.batches import batch_indices, epoch_order
from jcnn.data.dataset import Dataset
from jcnn.exchange import torch_module
from jcnn.training import Config
from jcnn.training.averaging import EMA
from jcnn.training.fitting import first_state
from jcnn.training.recipe import schedule
from jcnn.training.recipes import recipe
from jcnn.training.step import as_seen

LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
TRIED = 5
"""Steps in which the faster layout is found, after one that is not counted."""

AT_ONCE = 500
"""Test images that are evaluated together."""


@dataclass(frozen=True)
class Comparison:
    """What to compare."""

    recipe: tyro.conf.Positional[str]
    """A recipe by name, of the optimiser sgd, without mixed precision, with an exponential moving average or none."""
    seeds: int = 1
    """Seeds, from 0 on."""
    epochs: int | None = None
    """Fewer epochs, to try whether all works."""
    data_dir: Path | None = None
    """Where data sets lie."""
    originals: Path | None = None
    """A folder with the original files."""


class Trained(NamedTuple):
    """What came of a run in PyTorch.

    Attributes:
        accuracy: on the test images, 0 to 1.
        seconds: of all steps, without making their batches.
        layout: the memory format of its tensors.
    """

    accuracy: float
    seconds: float
    layout: str


def check(config: Config) -> None:
    """Raises ValueError for a recipe that is not written here for PyTorch."""
    averages = config.average is None or isinstance(config.average, EMA)
    whole = config.dtype in ("float32", "float64") and not config.master_dtype
    if config.optimizer != "sgd" or not whole or not averages:
        raise ValueError("expected a recipe of the optimiser sgd, without mixed precision, with average=EMA(…) or none")


def batches(config: Config, network: Any, images: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of every step as jcnn's own training shows them: augmented images (B, H, W, C), and labels."""
    per_epoch = len(images.images) // config.batch_size

    @jax.jit
    def shown(chosen: np.ndarray, labels: np.ndarray, step: int) -> tuple[jax.Array, jax.Array]:
        return as_seen(config, network, chosen, labels, step, step // per_epoch)

    for epoch in range(config.epochs):
        order = epoch_order(config.seed, epoch, len(images.images))
        for position in range(per_epoch):
            chosen = np.asarray(batch_indices(order, position, config.batch_size))
            x, labels = shown(images.images[chosen], images.labels[chosen], epoch * per_epoch + position)
            yield np.array(x), np.array(labels)  # PyTorch wants arrays that may be written to


class Learner:
    """A module of PyTorch that is trained as a recipe says."""

    def __init__(self, module: torch.nn.Module, config: Config, steps: int, layout: str) -> None:
        """Starts from the module's weights; `steps` are all that the schedule runs over."""
        self._format = LAYOUTS[layout]
        self.module = copy.deepcopy(module).to(memory_format=self._format).train()
        self._config = config
        self._rates = np.asarray(jax.vmap(schedule(config, steps))(np.arange(steps)))
        self._loss = torch.nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
        learned = [one for one in self.module.parameters() if one.requires_grad]
        weights = [one for one in learned if one.ndim > 1]
        others = [one for one in learned if one.ndim <= 1]
        groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.SGD(groups, lr=1.0, momentum=config.momentum, nesterov=config.momentum > 0)
        self._kept = [one for one in self.module.state_dict().values() if one.is_floating_point()]
        self._means = [one.clone() for one in self._kept]
        self._step = 0

    def step(self, x: np.ndarray, labels: np.ndarray) -> None:
        """One update."""
        for group in self._optimizer.param_groups:
            group["lr"] = float(self._rates[self._step])
        images = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=self._format)
        loss = self._loss(self.module(images), torch.from_numpy(labels).long())
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        if isinstance(self._config.average, EMA):
            self._average(self._config.average.decay)
        self._step += 1

    def _average(self, decay: float) -> None:
        part = 1 - min(decay, (1 + self._step) / (10 + self._step))
        with torch.no_grad():
            torch._foreach_lerp_(self._means, self._kept, part)

    def use_average(self) -> None:
        """Puts the averages in place of the last weights, where the recipe asks for them."""
        if self._config.average:
            with torch.no_grad():
                for last, mean in zip(self._kept, self._means, strict=True):
                    last.copy_(mean)

    def accuracy(self, test: Dataset) -> float:
        """On these images, each also mirrored where the recipe says so."""
        self.module.eval()
        right = 0
        with torch.inference_mode():
            for first in range(0, len(test.images), AT_ONCE):
                pixels = torch.from_numpy(test.images[first : first + AT_ONCE].astype(self._config.dtype) / 255)
                images = pixels.permute(0, 3, 1, 2).contiguous(memory_format=self._format)
                logits = self.module(images)
                if self._config.test_time_flip:
                    logits = logits + self.module(images.flip(-1))
                labels = torch.from_numpy(test.labels[first : first + AT_ONCE].copy())
                right += int((logits.argmax(1) == labels).sum())
        return right / len(test.images)


def train(config: Config, images: Dataset, test: Dataset) -> Trained:
    """Trains in PyTorch, and evaluates once."""
    check(config)
    network = presets.preset(config.network, images.input_shape, images.classes)
    steps = len(images.images) // config.batch_size * config.epochs
    state = first_state(config, network, images, steps)
    module = torch_module(network, state.params, state.network_state, input_shape=images.input_shape)
    layout = faster_layout(module, config, network, images)
    learner, seconds = Learner(module, config, steps, layout), 0.0
    for x, labels in batches(config, network, images):
        began = time.perf_counter()
        learner.step(x, labels)
        seconds += time.perf_counter() - began
    learner.use_average()
    return Trained(learner.accuracy(test), seconds, layout)


def faster_layout(module: torch.nn.Module, config: Config, network: Any, images: Dataset) -> str:
    """The layout whose steps took the least time, at the median."""
    source = batches(config, network, images)
    first = [next(source) for _ in range(TRIED + 1)]
    took: dict[str, float] = {}
    for layout in LAYOUTS:
        learner, times = Learner(module, config, len(first), layout), []
        for x, labels in first:
            began = time.perf_counter()
            learner.step(x, labels)
            times.append(time.perf_counter() - began)
        took[layout] = statistics.median(times[1:])
    return min(took, key=lambda layout: took[layout])


def main(asked: Comparison) -> None:
    """Trains with each seed in PyTorch and in jcnn, one after the other, and prints what each reached."""
    config = recipe(asked.recipe)
    if asked.epochs is not None:
        config = replace(config, epochs=asked.epochs)
    check(config)
    images, test = (
        data.load(config.data, split, data_dir=asked.data_dir, originals=asked.originals) for split in ("train", "test")
    )
    print(f"{asked.recipe} on {machine()}, PyTorch {torch.__version__}, JAX {jax.__version__}", flush=True)
    for seed in range(asked.seeds):
        seeded = replace(config, seed=seed)
        theirs = train(seeded, images, test)
        print(f"seed {seed}: PyTorch {100 * theirs.accuracy:.2f} %, {theirs.seconds:.0f} s, {theirs.layout}", flush=True)
        ours = measure(seeded, data_dir=asked.data_dir, originals=asked.originals)
        print(f"seed {seed}: jcnn {100 * ours.accuracy:.2f} %, {ours.training:.0f} s", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Comparison, description=__doc__))
