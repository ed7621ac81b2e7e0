"""How far the recipes that have a name get: so many seeds of each, the median and the spread, as rows of docs/recipes.md.

    python -m experiments.benchmarks.recipes digits mnist-fast --seeds 5
    python -m experiments.benchmarks.recipes cifar10-fast --originals FOLDER

The test images measure, once for each seed; nothing is chosen by them. A row that is there already is replaced.
"""

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import jax
import tyro
from rich.console import Console

from jcnn.commands.train import train
from jcnn.disk import write_atomically
from jcnn.summary import count_parameters
from jcnn.training import Config, Result
from jcnn.training.checkpoint import versions
from jcnn.training.recipes import recipe

DOCUMENT = Path("docs/recipes.md")

COLUMNS = (
    "recipe",
    "data",
    "network",
    "parameters",
    "epochs",
    "test accuracy, median (lowest … highest)",
    "seeds",
    "training",
    "start to result",
    "machine",
    "command",
)

HEADER = f"""# Recipes

What `jcnn train --recipe NAME` reaches on the test images. The recipes stand in `jcnn/training/recipes.py`; `python -m
experiments.benchmarks.recipes NAME` measures them, and writes these rows. Times are medians, too.

| {" | ".join(COLUMNS)} |
|{" --- |" * len(COLUMNS)}
"""


@dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    recipes: tyro.conf.Positional[tuple[str, ...]]
    """Recipes by name."""
    seeds: int = 3
    """Seeds of each, from 0 on."""
    epochs: int | None = None
    """Fewer epochs, to try whether all works; then nothing is written to the document."""
    data_dir: Path | None = None
    """Where data sets lie."""
    originals: Path | None = None
    """A folder with the original files."""
    machine: str | None = None
    """What the row says of the machine, where Python cannot tell."""
    document: Path = DOCUMENT
    """The document with the rows."""


@dataclass(frozen=True)
class Measured:
    """One seed of a recipe.

    Attributes:
        accuracy: on the test images, 0 to 1.
        errors: test images that were classified wrong.
        tested: test images.
        training: seconds of training, with evaluations and checkpoints, without compiling.
        wall: seconds from the start to the result.
        parameters: learned numbers of the network.
    """

    accuracy: float
    errors: int
    tested: int
    training: float
    wall: float
    parameters: int


def measure(config: Config, *, data_dir: Path | None, originals: Path | None) -> Measured:
    """One run, as `jcnn train` does it but for the report."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            config, Path(folder) / "run", data_dir=data_dir, originals=originals, report=False, console=Console(quiet=True)
        )
    return _measured(result, time.perf_counter() - began)


def _measured(result: Result, wall: float) -> Measured:
    test, found = result.tested
    parameters = count_parameters(result.network, result.train.input_shape)
    return Measured(found.accuracy, found.errors, len(test.labels), result.seconds, wall, parameters)


def row(name: str, config: Config, runs: Sequence[Measured], machine: str) -> str:
    """The row of the document."""
    accuracies, tested = [run.accuracy for run in runs], runs[0].tested
    median, lowest, highest = (_percent(of(accuracies), tested) for of in (statistics.median, min, max))
    cells = [
        f"`{name}`",
        config.data,
        f"`{config.network}`",
        f"{runs[0].parameters:,}",
        str(config.epochs),
        f"**{median}** ({lowest} … {highest})",
        str(len(runs)),
        _duration(statistics.median(run.training for run in runs)),
        _duration(statistics.median(run.wall for run in runs)),
        machine,
        f"`jcnn train --recipe {name}`",
    ]
    return f"| {' | '.join(cells)} |"


def _percent(accuracy: float, tested: int) -> str:
    """With as many digits as so many images resolve, so that it is 100 only where none is wrong."""
    return f"{100 * accuracy:.{2 if tested <= 10_000 else 3}f} %"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def machine() -> str:
    """The device and its processor, as far as Python can tell."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        return f"{len(jax.devices())} × {device.device_kind}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{cores} cores of {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def with_row(document: str, name: str, new: str) -> str:
    """The document with this row, in place of the one that the recipe had, or at the end of the table."""
    lines = (document or HEADER).rstrip("\n").split("\n")
    begins = f"| `{name}` |"
    if any(line.startswith(begins) for line in lines):
        return "\n".join(new if line.startswith(begins) else line for line in lines) + "\n"
    last = max(number for number, line in enumerate(lines) if line.startswith("|"))
    return "\n".join([*lines[: last + 1], new, *lines[last + 1 :]]) + "\n"


def main(asked: Benchmark) -> None:
    """Measures, prints the rows, writes them and `results/recipes.json`."""
    described = asked.machine or machine()
    configs = {name: recipe(name) for name in asked.recipes}  # all names are good before the first run
    for name, config in configs.items():
        if asked.epochs is not None:
            config = replace(config, epochs=asked.epochs)  # noqa: PLW2901 (the recipe as it was asked for)
        runs = []
        for seed in range(asked.seeds):
            runs.append(measure(replace(config, seed=seed), data_dir=asked.data_dir, originals=asked.originals))
            print(f"{name}, seed {seed}: {runs[-1]}", flush=True)
        new = row(name, config, runs, described)
        print(new, flush=True)
        _keep(name, config, runs, described)
        if asked.epochs is None:
            before = asked.document.read_text("utf-8") if asked.document.exists() else ""
            write_atomically(asked.document, with_row(before, name, new).encode())


def _keep(name: str, config: Config, runs: Sequence[Measured], described: str) -> None:
    """All figures of a recipe in `results/recipes.json`, beside those of others."""
    path = Path("results/recipes.json")
    path.parent.mkdir(exist_ok=True)
    figures: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    each = [{field.name: getattr(run, field.name) for field in fields(run)} for run in runs]
    figures[name] = {"config": config.to_json(), "machine": described, "versions": versions(), "runs": each}
    write_atomically(path, (json.dumps(figures, indent=1) + "\n").encode())


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
