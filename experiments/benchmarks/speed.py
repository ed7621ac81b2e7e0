"""How fast jcnn is beside plain `lax`, Flax NNX, Equinox and PyTorch, on the CPU: operations, training steps, starts, a race.

`make bench` runs it; alone: `python -m experiments.benchmarks.speed`. All contenders run as processes of their own and take
turns, so every ratio is of one run; all compute the same numbers, which is checked. A full run writes docs/speed.md.
"""

import json
import os
import platform
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import tyro
from rich.console import Console

from experiments import pages
from experiments.benchmarks import goals, pictures, race, report, shapes, starts, tables
from experiments.benchmarks.cases import Case, from_json, to_json
from experiments.benchmarks.entries import Entry, choose
from experiments.benchmarks.race import Finish, Race
from experiments.benchmarks.rounds import Measurement, Timing, measure
from experiments.benchmarks.starts import Start, Starts
from experiments.benchmarks.workers import Worker, WorkerError
from jcnn.data import DataError
from jcnn.training.checkpoint import versions


@dataclass(frozen=True)
class Benchmark:
    """What to measure, and with whom."""

    only: Literal["all", "step", "conv", "pool", "start", "race"] = "all"
    """One kind alone."""
    cases: str = ""
    """Only cases whose name contains this."""
    contenders: tuple[str, ...] = ()
    """Only these: ours, plain_lax, flax_nnx, equinox_, pytorch, ours:FORMULATION/GRADIENT, ours:all. Empty: the first five."""
    rounds: int = 5
    """How often every contender has its turn at a case."""
    turn: float = 0.1
    """Seconds of a turn; at least one call."""
    repeats: int = 3
    """How often every contender starts from nothing, and how often it races."""
    originals: Path | None = None
    """A folder with MNIST's original files, or with mnist/ in it; by default $JCNN_ORIGINALS, else they are downloaded."""
    quick: bool = False
    """Tiny cases, one round, no race: whether the program runs, not how fast."""
    page: bool = True
    """Write the tables and the picture of a full run to docs/speed.md."""
    peers: Path = Path(".venv-peers/bin/python")
    """The interpreter that has Flax, Equinox and PyTorch."""
    output: Path = Path("results/speed.json")
    """Where to write all figures."""
    again: bool = False
    """Measure nothing: tell anew of the figures that an earlier run left in --output."""


class Result(NamedTuple):
    """The figures.

    Attributes:
        measurements: by case.
        versions: by program, what it computed with.
        missing: by program, why it took no part.
        starts: from nothing to the first step.
        race: to an accuracy.
    """

    measurements: list[Measurement]
    versions: dict[str, dict[str, str]]
    missing: dict[str, str]
    starts: Starts | None = None
    race: Race | None = None


def run(config: Benchmark, console: Console | None = None) -> Result:
    """Everything that is asked for."""
    console = console or Console(stderr=True)

    def tell(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    result = measure_all(config, tell)
    present = [entry for entry in choose(config.contenders) if entry.program in result.versions]
    begin = partial(start, peers=config.peers)
    if config.only in ("all", "start") and not config.cases:
        case, repeats = (shapes.TINY, 1) if config.quick else (shapes.SMALL, config.repeats)
        result = result._replace(starts=starts.run(case, starts.chosen(present), begin, repeats, tell))
    if config.only in ("all", "race") and not config.cases and not config.quick:
        result = result._replace(race=run_race(config, race.chosen(present, result.measurements), begin, tell))
    return result


def run_race(config: Benchmark, entries: list[Entry], begin: Callable[[Entry], Worker], tell: Callable[[str], None]) -> Race:
    """The race; left out where its images cannot be had."""
    environment = os.environ.get("JCNN_ORIGINALS")
    try:
        images, test = race.mnist(config.originals or (Path(environment) if environment else None))
    except DataError as error:
        left_out = " ".join(str(error).split())
        tell(f"race: left out, MNIST cannot be had: {left_out}")
        return Race({}, {}, left_out)
    recipes = (race.make_recipe(images, test, seed) for seed in range(config.repeats))
    return race.run(recipes, entries, begin, tell)


def measure_all(config: Benchmark, tell: Callable[[str], None]) -> Result:
    """Starts the contenders, lets them take turns at every case, and ends them."""
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
                tell(f"without {entry.program}: {error}")
        measurements = []
        cases = select(config)
        for number, case in enumerate(cases, 1):
            taking_part = [entry for entry in entries if case.kind in entry.kinds and entry.program in workers]
            rounds = 1 if config.quick else config.rounds
            measured = measure(case, taking_part, lambda entry: workers[entry.program], rounds, config.turn)
            measurements.append(measured)
            tell(f"{number}/{len(cases)} {tables.progress(measured)}")
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
        raise WorkerError(f"{entry.program}: {peers} is not there; `make {peers.parent.parent}/ready` makes it")
    return Worker(entry.program, entry.python(peers.absolute()), environment)


def select(config: Benchmark) -> list[Case]:
    """The cases asked for; with them always the measures of the machine."""
    if config.only in ("start", "race"):
        return []
    every = shapes.quickly() if config.quick else shapes.full()
    return [
        case
        for case in every
        if case.kind in ("product", "maximum") or (config.only in ("all", case.kind) and config.cases in case.name)
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
        "starts": result.starts
        and {
            "found": {name: [one._asdict() for one in found] for name, found in result.starts.found.items()},
            "errors": result.starts.errors,
        },
        "race": result.race
        and {
            "finishes": {name: [one._asdict() for one in found] for name, found in result.race.finishes.items()},
            "errors": result.race.errors,
            "left_out": result.race.left_out,
        },
    }


def restored(values: dict[str, Any]) -> Result:
    """What `figures` made plain values of."""
    measurements = [
        Measurement(
            from_json(entry["case"]),
            {
                name: Timing(timing["rounds"], timing["compile_seconds"], tuple(timing["check"]), timing["error"])
                for name, timing in entry["timings"].items()
            },
        )
        for entry in values["cases"]
    ]
    begun, raced = values["starts"], values["race"]
    return Result(
        measurements,
        values["versions"],
        values["missing"],
        begun and Starts({name: [Start(**one) for one in all_of] for name, all_of in begun["found"].items()}, begun["errors"]),
        raced
        and Race(
            {name: [Finish(**one) for one in all_of] for name, all_of in raced["finishes"].items()},
            raced["errors"],
            raced["left_out"],
        ),
    )


def machine() -> dict[str, Any]:
    """The processor's name and widest vector instructions, on which the ratios depend, and the cores we may use."""
    info = Path("/proc/cpuinfo")
    described = dict(re.findall(r"(?m)^(model name|flags)\s*: (.*)$", info.read_text())) if info.exists() else {}
    name = described.get("model name") or platform.processor() or platform.machine()
    flags = described.get("flags", "").split()
    vectors = " with AVX-512" if "avx512f" in flags else " with AVX2" if "avx2" in flags else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": name.strip() + vectors, "cores": cores}


def is_full(config: Benchmark) -> bool:
    """Whether nothing was left out, so that docs/speed.md may tell of it."""
    return config.only == "all" and not (config.cases or config.contenders or config.quick)


def main(config: Benchmark) -> None:
    """Measures, shows tables, writes figures and pictures."""
    if config.again:
        if not config.output.exists():
            raise FileNotFoundError(f"--output {config.output}: there are no figures to tell of; run without --again first")
        values = json.loads(config.output.read_text())
        result = restored(values)
        config = replace(config, **{name: values["config"][name] for name in ("only", "cases", "contenders", "quick")})
    else:
        result = run(config)
        values = figures(config, result)
        config.output.parent.mkdir(parents=True, exist_ok=True)
        config.output.write_text(json.dumps(values, indent=1) + "\n")
    console = Console()
    for table in tables.terminal(result.measurements):
        console.print(table)
    met = [*(goals.of_starts(result.starts) if result.starts else []), *(goals.of_race(result.race) if result.race else [])]
    if met:
        console.print(goals.table(met))
    drawn = pictures.draw(result.measurements)
    pictures.write(drawn, config.output.parent)
    check(result)
    text = report.block(result.measurements, result.starts, result.race, values["versions"], values["machine"])
    config.output.with_suffix(".md").write_text(text + "\n")
    if config.page and is_full(config):
        pages.write_page("speed", "Speed beside other libraries", text)
        pictures.write_shown(drawn)


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
