"""How well and how fast the default run learns the embedded digits: five seeds, medians, and the spread.

`make bench` runs it. The recipe's numbers of epochs, augmentation and weight decay were chosen by cross-validation among the
training images; the test images measure, they did not choose.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp
import tyro
from rich.console import Console
from rich.table import Table

from jcnn import Ops
from jcnn.data import load
from jcnn.percentages import percent
from jcnn.presets import preset
from jcnn.rules import Gradient
from jcnn.training import Config, Recipe, fit
from jcnn.training.checkpoint import versions
from jcnn.training.step import initial_state, make_run_steps


@dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    seeds: int = 5
    """Seeds of every network."""
    networks: tuple[str, ...] = ("small", "lecture", "lenet5")
    """Networks to train."""
    repeats: int = 7
    """Repeats of the timings that are taken in pairs."""


class Measured(NamedTuple):
    """The figures.

    Attributes:
        trained: by network, one dict a seed.
        import_ratios: `import jcnn` over `import jax`, a pair each.
        gradient_ratios: milliseconds a training step of `small` takes with autodiff over those it takes by hand, a pair each.
    """

    trained: dict[str, list[dict[str, float]]]
    import_ratios: list[float]
    gradient_ratios: list[float]


def run(config: Benchmark) -> Measured:
    """Trains every network with every seed, and times `import jcnn` against `import jax`, taking turns."""
    trained = {name: [_train(name, seed) for seed in range(config.seeds)] for name in config.networks}
    pairs = [(_import_seconds("jcnn"), _import_seconds("jax")) for _ in range(config.repeats)]
    return Measured(trained, [ours / theirs for ours, theirs in pairs], _gradient_ratios(config.repeats))


def _train(network: str, seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        digits = load("digits")
        result = fit(
            preset(network, digits.input_shape, digits.classes),
            digits,
            load("digits", "test"),
            recipe=Recipe(seed=seed),
            out=folder,
            report=False,
            console=Console(quiet=True),
        )
        wall = time.perf_counter() - started
    _, test = result.tested
    return {
        "accuracy": test.accuracy,
        "errors": test.errors,
        "seconds": wall,
        "images_per_second": result.images_per_second,
    }


def _gradient_ratios(repeats: int) -> list[float]:
    digits, config = load("digits"), Config()
    network = preset(config.network, digits.input_shape, digits.classes)
    pixels, labels = jnp.asarray(digits.images), jnp.asarray(digits.labels)
    count = len(digits.images)
    steps = {gradient: make_run_steps(config, network, count, Ops(gradient=gradient)) for gradient in ("autodiff", "manual")}

    def seconds(gradient: Gradient) -> float:
        state = initial_state(config, network, digits.input_shape, 1)
        started = time.perf_counter()
        jax.block_until_ready(steps[gradient](state, pixels, labels, 0, 20))
        return time.perf_counter() - started

    gradients: tuple[Gradient, ...] = get_args(Gradient)
    for gradient in gradients:
        seconds(gradient)  # compiles
    return [seconds("autodiff") / seconds("manual") for _ in range(repeats)]


def _import_seconds(module: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)  # noqa: S603 (our own interpreter)
    return time.perf_counter() - started


def main(config: Benchmark) -> None:
    """Measures, prints a table, writes `results/digits.json`."""
    result = run(config)
    table = Table("network", "test accuracy (median)", "lowest … highest", "wall time", "images/s", show_edge=False)
    for name, runs in result.trained.items():
        accuracies = [one["accuracy"] for one in runs]
        table.add_row(
            name,
            percent(statistics.median(accuracies), 2),
            f"{percent(min(accuracies), 2)} … {percent(max(accuracies), 2)}",
            f"{statistics.median(one['seconds'] for one in runs):.1f} s",
            f"{statistics.median(one['images_per_second'] for one in runs):,.0f}",
        )
    console = Console()
    console.print(table)
    ratios = result.import_ratios
    console.print(f"import jcnn takes {statistics.median(ratios):.2f} times import jax ({min(ratios):.2f} … {max(ratios):.2f})")
    ratios = result.gradient_ratios
    console.print(
        f"a training step takes {statistics.median(ratios):.1f} times as long by autodiff as by hand "
        f"({min(ratios):.1f} … {max(ratios):.1f})"
    )
    Path("results").mkdir(exist_ok=True)
    device = f"{len(jax.devices())} × {jax.devices()[0].device_kind}"
    figures = {"versions": versions(), "device": device, **result._asdict()}
    Path("results/digits.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
