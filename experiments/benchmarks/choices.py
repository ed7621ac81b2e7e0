"""Every way to compute each pass of the benchmarked convolutions, side by side: the figures behind `jcnn.conv.ways`.

`python -m experiments.benchmarks.choices` measures them on this machine and writes `choices.json` beside this file; a test
holds the rules against it. Plain `lax` with autodiff, compiled as XLA compiles by default, is measured in the same turns.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console

from experiments.benchmarks import shapes
from experiments.benchmarks.cases import Convolution
from experiments.benchmarks.contenders.arrays import operands
from experiments.benchmarks.speed import machine
from jcnn.compilation import compiler_options, keep_memory
from jcnn.conv import ways as ways_table
from jcnn.conv.call import Call
from jcnn.conv.lax import conv_lax
from jcnn.conv.ways import AUTO, choose, run, ways_of
from jcnn.training.checkpoint import versions
from jcnn.window import parse_window

CHOICES = Path(__file__).with_name("choices.json")
PLAIN = "plain lax"

Way = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""The result of one pass from x, w and dy."""


@dataclass(frozen=True)
class Benchmark:
    """How to measure."""

    rounds: int = 7
    """How often every way has its turn."""
    turn: float = 0.05
    """Seconds of a turn; at least one call."""
    cases: str = ""
    """Only shapes whose name contains this; the figures of the others stay."""
    output: Path = CHOICES
    """Where to write the figures."""


def call_of(case: Convolution) -> Call:
    """What the preferences are asked about this case."""
    size = (case.size,) * 2
    window = parse_window(size, case.window, stride=case.stride, padding=case.padding)
    return Call(window, case.groups, *case.channels, size, "float32")


def ways(case: Convolution) -> dict[str, Way]:
    """By name, all ways to this pass that are worth a turn, those of oneDNN where it is installed."""
    what, call = case.what, call_of(case)

    def way_of(way: ways_table.Way) -> Way:
        read = {"forward": lambda x, w, _: (x, w), "dx": lambda _, w, dy: (dy, w), "dw": lambda x, _, dy: (dy, x)}[what]
        return lambda x, w, dy: run(what, way, call, *read(x, w, dy))

    return {way.name: way_of(way) for way in ways_of(what, call, "cpu")}


def plain(case: Convolution) -> Way:
    """The pass by `lax` and autodiff."""
    call = call_of(case)
    conv = partial(conv_lax, window=call.window, groups=call.groups)
    passes: dict[str, Way] = {
        "forward": lambda x, w, _: conv(x, w),
        "dx": lambda x, w, dy: jax.vjp(lambda x: conv(x, w), x)[1](dy)[0],
        "dw": lambda x, w, dy: jax.vjp(lambda w: conv(x, w), w)[1](dy)[0],
    }
    return passes[case.what]


def measure(case: Convolution, rounds: int, turn: float) -> dict[str, float]:
    """Median milliseconds of every way, in turns."""
    arrays = [jnp.asarray(array) for array in operands(case)]
    options = compiler_options()
    programs = {name: jax.jit(way, compiler_options=options) for name, way in ways(case).items()}
    programs[PLAIN] = jax.jit(plain(case))
    calls: dict[str, int] = {}
    expected = np.asarray(programs[PLAIN](*arrays))
    for name, program in programs.items():
        found = np.asarray(program(*arrays))
        # Float32 sums of up to 10⁵ products, and Winograd's larger error.
        if np.abs(found - expected).max() > 1e-3 * np.abs(expected).max():
            raise AssertionError(f"{case.name}, {case.what}: {name} gives something else than plain lax")
        calls[name] = max(1, min(30, round(turn / _seconds(program, arrays, 1))))
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            seconds[name].append(_seconds(program, arrays, calls[name]))
    return {name: round(1e3 * statistics.median(times), 3) for name, times in seconds.items()}


def _seconds(program: Callable[..., jax.Array], arrays: list[jax.Array], calls: int) -> float:
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        program(*arrays).block_until_ready()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main(config: Benchmark) -> None:
    """Measures, shows every case with its choice, writes the figures."""
    keep_memory()
    console, rows = Console(), []
    for case in shapes.convolutions():
        if not isinstance(case, Convolution) or config.cases not in case.name:
            continue
        found = measure(case, config.rounds, config.turn)
        chosen = choose(case.what, call_of(case), "cpu", AUTO).way.name
        rows.append({"name": case.name, "pass": case.what, "milliseconds": found})
        times = ", ".join(f"{name} {time:.2f}" for name, time in sorted(found.items(), key=lambda pair: pair[1]))
        lost = found[chosen] / min(found.values())
        console.print(
            f"{case.name}, {case.what}: {chosen} ({lost:.2f} × the fastest); {times}", soft_wrap=True, highlight=False
        )
    if config.cases and config.output.exists():
        anew = {(row["name"], row["pass"]): row for row in rows}
        kept = json.loads(config.output.read_text())["cases"]
        rows = [anew.pop((row["name"], row["pass"]), row) for row in kept] + list(anew.values())
    figures = {"versions": versions(), "machine": machine(), "cases": rows}
    config.output.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
