"""How fast jcnn is beside plain `lax`, Flax NNX, Equinox and PyTorch, on the CPU: operations and training steps.

`make bench` runs it; alone: `python -m experiments.benchmarks.speed`. All contenders run as processes of their own and take
turns, so every ratio is of one run; all compute the same numbers, which is checked.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import tyro
from rich.console import Console

from experiments.benchmarks import shapes, tables
from experiments.benchmarks.cases import Case, to_json
from experiments.benchmarks.entries import Entry, choose
from experiments.benchmarks.rounds import Measurement, measure
from experiments.benchmarks.workers import Worker, WorkerError
from jcnn.training.checkpoint import versions


@dataclass(frozen=True)
class Benchmark:
    """What to measure, and with whom."""

    only: Literal["all", "step", "conv", "pool"] = "all"
    """One kind of cases alone."""
    cases: str = ""
    """Only cases whose name contains this."""
    contenders: tuple[str, ...] = ()
    """Only these: ours, plain_lax, flax_nnx, equinox_, pytorch, ours:FORMULATION/GRADIENT, ours:all. Empty: the first five."""
    rounds: int = 7
    """How often every contender has its turn at a case."""
    turn: float = 0.15
    """Seconds of a turn; at least one call."""
    quick: bool = False
    """Tiny cases, one round: whether the program runs, not how fast."""
    peers: Path = Path(".venv-peers/bin/python")
    """The interpreter that has Flax, Equinox and PyTorch."""
    output: Path = Path("results/speed.json")
    """Where to write all figures."""


class Result(NamedTuple):
    """The figures.

    Attributes:
        measurements: by case.
        versions: by program, what it computed with.
        missing: by program, why it took no part.
    """

    measurements: list[Measurement]
    versions: dict[str, dict[str, str]]
    missing: dict[str, str]


def run(config: Benchmark, console: Console | None = None) -> Result:
    """Starts the contenders, lets them take turns at every case, and ends them."""
    console = console or Console(stderr=True)
    entries = choose(config.contenders)
    workers: dict[str, Worker] = {}
    missing: dict[str, str] = {}
    try:
        for entry in entries:
            if entry.program in workers or entry.program in missing:
                continue
            try:
                workers[entry.program] = start(entry, config.peers)
            except (WorkerError, OSError) as error:
                missing[entry.program] = str(error)
                console.print(f"without {entry.program}: {error}", markup=False, highlight=False)
        measurements = []
        for case in select(config):
            taking_part = [entry for entry in entries if case.kind in entry.kinds and entry.program in workers]
            rounds = 1 if config.quick else config.rounds
            measured = measure(case, taking_part, lambda entry: workers[entry.program], rounds, config.turn)
            measurements.append(measured)
            console.print(tables.progress(measured), markup=False, highlight=False, soft_wrap=True)
            # A process that died is started again for the next case.
            for entry in taking_part:
                if not workers[entry.program].alive:
                    workers[entry.program] = start(entry, config.peers)
        return Result(measurements, {name: worker.versions for name, worker in workers.items()}, missing)
    finally:
        for worker in workers.values():
            worker.close()


def start(entry: Entry, peers: Path, **environment: str) -> Worker:
    """Starts an entry's program."""
    if entry.peer and not peers.exists():
        raise WorkerError(f"{entry.program}: {peers} is not there; `make {peers.parents[1]}/ready` makes it")
    return Worker(entry.program, entry.python(peers.absolute()), environment)


def select(config: Benchmark) -> list[Case]:
    """The cases asked for; the matrix product always, as the measure of the machine."""
    every = shapes.quickly() if config.quick else shapes.full()
    return [
        case for case in every if case.kind == "product" or (config.only in ("all", case.kind) and config.cases in case.name)
    ]


def check(result: Result) -> None:
    """Raises AssertionError where a contender computed something else."""
    for case, timings in result.measurements:
        for name, timing in timings.items():
            if timing.error.startswith("disagrees"):
                raise AssertionError(f"{case.name}, {name} {timing.error}")


def figures(config: Benchmark, result: Result) -> dict[str, Any]:
    """All figures as plain values."""
    cases = [
        {
            "case": to_json(case),
            "timings": {
                name: {"milliseconds": 1e3 * timing.seconds if timing.rounds else None, **timing._asdict()}
                for name, timing in timings.items()
            },
        }
        for case, timings in result.measurements
    ]
    return {
        "versions": {**versions(), **result.versions},
        "machine": machine(),
        "config": {name: str(value) if isinstance(value, Path) else value for name, value in asdict(config).items()},
        "missing": result.missing,
        "cases": cases,
    }


def machine() -> dict[str, Any]:
    """The processor's name and the cores we may use."""
    info = Path("/proc/cpuinfo")
    names = [text for text in info.read_text().splitlines() if text.startswith("model name")] if info.exists() else []
    name = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    return {"processor": name, "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()}


def main(config: Benchmark) -> None:
    """Measures, shows tables, writes the figures."""
    result = run(config)
    console = Console()
    for table in tables.terminal(result.measurements):
        console.print(table)
    config.output.parent.mkdir(parents=True, exist_ok=True)
    config.output.write_text(json.dumps(figures(config, result), indent=1) + "\n")
    check(result)


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
