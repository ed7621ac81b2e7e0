"""Every way to compute each pass of the benchmarked convolutions, side by side: the figures behind `jcnn.conv.fastest`.

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
from typing import Any

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
from jcnn.conv import filter_gradients, input_gradients, native
from jcnn.conv.fastest import Layer, fastest
from jcnn.conv.folded import conv_folded, fits
from jcnn.conv.lax import conv_lax
from jcnn.conv.taps import conv_taps
from jcnn.conv.winograd import conv_winograd, filter_gradient_winograd
from jcnn.training.checkpoint import versions
from jcnn.window import Window, parse_window

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


def layer_of(case: Convolution) -> Layer:
    """What the rules are asked about this case, with oneDNN where it is installed."""
    folded = fits(case.size if case.what == "dx" else case.shapes[2][2])
    allowed = {"winograd": True, "native": native.available(), "phases": True, "folded": folded}
    return Layer(window_of(case), *case.channels, case.groups, **allowed)


def window_of(case: Convolution) -> Window:
    """The case's window over its input."""
    return parse_window((case.size,) * 2, case.window, stride=case.stride, padding=case.padding)


def ways(case: Convolution) -> dict[str, Way]:
    """By name, all ways to this pass that can do it, as the rules name them."""
    window, groups, layer = window_of(case), case.groups, layer_of(case)
    steps = {*window.stride, *window.dilation}
    minimal = steps == {1} and case.window > 1 and groups == 1
    folded = minimal and layer.folded
    if case.what == "forward":
        forms: dict[str, Any] = {"lax": conv_lax}
        # A sum of images that is written without products pays off for few channels only.
        forms |= {"taps": conv_taps} if layer.depthwise or case.channels[0] * case.window**2 <= 32 else {}
        forms |= {"winograd": conv_winograd} if minimal else {}
        forms |= {"folded": conv_folded} if folded else {}
        forms |= {"native": native.conv_native} if layer.native else {}
        return {name: lambda x, w, _, form=form: form(x, w, window, groups) for name, form in forms.items()}
    if case.what == "dx":
        backward = {"by_convolution": input_gradients.by_convolution}
        backward |= {"by_phases": input_gradients.by_phases} if case.stride > 1 else {}
        backward |= {"by_places": input_gradients.by_places} if layer.depthwise or case.window == 1 else {}
        backward |= {"winograd": partial(input_gradients.by_convolution, formulation=conv_winograd)} if minimal else {}
        backward |= {"folded": partial(input_gradients.by_convolution, formulation=conv_folded)} if folded else {}
        backward |= {"native": native.input_gradient} if layer.native else {}
        size = (case.size,) * 2
        return {name: lambda _x, w, dy, form=form: form(dy, w, window, groups, size) for name, form in backward.items()}
    filters: dict[str, Any] = {"by_taps": filter_gradients.by_taps}
    filters |= {"by_sums": filter_gradients.by_sums} if layer.depthwise else {}
    filters |= (
        {"by_correlation": filter_gradients.by_correlation, "by_patches": filter_gradients.by_patches} if groups == 1 else {}
    )
    filters |= {"winograd": filter_gradient_winograd} if minimal else {}
    filters |= {"by_folded_patches": filter_gradients.by_folded_patches} if folded else {}
    filters |= {"native": native.filter_gradient} if layer.native else {}
    return {name: lambda x, _w, dy, form=form: form(dy, x, window, groups) for name, form in filters.items()}


def plain(case: Convolution) -> Way:
    """The pass by `lax` and autodiff."""
    conv = partial(conv_lax, window=window_of(case), groups=case.groups)
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
        chosen = fastest(case.what, layer_of(case))
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
