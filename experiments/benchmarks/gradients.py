"""What a network's gradient costs by autodiff, by the hand-derived rules and by `backprop`: side by side, taking turns."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import tyro
from rich.console import Console
from rich.table import Table

from jcnn import PRESETS, Ops, backprop, init, value_and_grad
from jcnn.training.checkpoint import versions

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Benchmark:
    """What to measure."""

    input_shape: tuple[int, int, int] = (28, 28, 1)
    """Height, width, channels of an image."""
    batch: int = 64
    """Images in a batch."""
    repeats: int = 15
    """Timings of each, in turns."""


def run(config: Benchmark) -> dict[str, Seconds]:
    """Seconds of every gradient, by network and way."""
    return {name: _time(name, config) for name in ("small", "lecture", "lenet5")}


def _time(name: str, config: Benchmark) -> Seconds:
    network = PRESETS[name](config.input_shape, 10)
    params = init(jax.random.key(0), network, config.input_shape)
    x = jax.random.normal(jax.random.key(1), (config.batch, *config.input_shape))
    labels = jnp.arange(config.batch) % 10
    ways: dict[str, Callable[..., Any]] = {
        "autodiff": jax.jit(lambda params, x: value_and_grad(network, params, x, labels)),
        "manual": jax.jit(lambda params, x: value_and_grad(network, params, x, labels, ops=Ops(gradient="manual"))),
        "backprop": jax.jit(lambda params, x: backprop(network, params, x, labels)),
    }
    seconds: Seconds = {way: [] for way in ways}
    for gradient in ways.values():
        jax.block_until_ready(gradient(params, x))  # compiles
    for _ in range(config.repeats):
        for way, gradient in ways.items():
            started = time.perf_counter()
            jax.block_until_ready(gradient(params, x))
            seconds[way].append(time.perf_counter() - started)
    return seconds


def ratios(seconds: Seconds, way: str) -> list[float]:
    """The time of `way` over that of autodiff, pair by pair."""
    return [ours / theirs for ours, theirs in zip(seconds[way], seconds["autodiff"], strict=True)]


def main(config: Benchmark) -> None:
    """Measures, prints a table, writes `results/gradients.json`."""
    result = run(config)
    table = Table("network", "autodiff", "manual / autodiff", "backprop / autodiff", show_edge=False)
    for name, seconds in result.items():
        columns = [ratios(seconds, way) for way in ("manual", "backprop")]
        cells = [f"{statistics.median(column):.2f} ({min(column):.2f} … {max(column):.2f})" for column in columns]
        table.add_row(name, f"{1e3 * statistics.median(seconds['autodiff']):.1f} ms", *cells)
    Console().print(table)
    Path("results").mkdir(exist_ok=True)
    figures = {"versions": versions(), "device": jax.devices()[0].device_kind, "seconds": result}
    Path("results/gradients.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
