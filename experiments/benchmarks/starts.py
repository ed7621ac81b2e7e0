"""Starts and memory: from a fresh process to the first training step done, and the most memory it had by then and after."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from experiments.benchmarks.cases import Step, to_json
from experiments.benchmarks.entries import OURS, Entry
from experiments.benchmarks.workers import Worker, WorkerError

STEPS = 20
"""Training steps before the memory is looked at."""
COLD, WARM = f"{OURS}, cold", f"{OURS}, warm"


class Start(NamedTuple):
    """One start.

    Attributes:
        imports: seconds from the start of the process until it had imported what it needs.
        builds: seconds of building and compiling the first step.
        runs: seconds of a step once compiled.
        first: seconds from the start of the process until the first step was done.
        memory: bytes, the most until 20 more steps were done.
        growth: bytes of it that were not there before the network was built.
    """

    imports: float
    builds: float
    runs: float
    first: float
    memory: float
    growth: float


class Starts(NamedTuple):
    """All starts.

    Attributes:
        found: by contender, one for every repeat; ours with an empty compilation cache and with that of the start before.
        errors: by contender, why it has no more.
    """

    found: dict[str, list[Start]]
    errors: dict[str, str]

    def values(self, name: str, what: str) -> list[float]:
        """One quantity of all repeats."""
        return [getattr(start, what) for start in self.found.get(name, [])]

    def median(self, name: str, what: str) -> float | None:
        """One quantity's median; None where there is none."""
        values = self.values(name, what)
        return statistics.median(values) if values else None


def run(
    case: Step, entries: Sequence[Entry], start: Callable[..., Worker], repeats: int, tell: Callable[[str], None]
) -> Starts:
    """Starts everyone in turns.

    Args:
        case: the training step.
        entries: who takes part, each in the variant it starts with.
        start: `start(entry, **environment)` starts its program.
        repeats: starts of each.
        tell: told every start.
    """
    starts = Starts({}, {})
    for _ in range(repeats):
        for entry in entries:
            # What ours keeps on the disk for later starts; empty for the first.
            with tempfile.TemporaryDirectory() as folder:
                kept = {"JAX_COMPILATION_CACHE_DIR": folder} if entry.name == OURS else {}
                for name in (COLD, WARM) if entry.name == OURS else (entry.name,):
                    if name in starts.errors:
                        continue
                    try:
                        found = _one(case, entry, start, kept)
                    except (WorkerError, OSError) as error:
                        starts.errors[name] = str(error)
                        tell(f"start: without {name}: {error}")
                        continue
                    starts.found.setdefault(name, []).append(found)
                    tell(f"start: {name} {found.first:.2f} s, {found.memory / 1e6:.0f} MB")
    return starts


def _one(case: Step, entry: Entry, start: Callable[..., Worker], environment: dict[str, str]) -> Start:
    worker = start(entry, **environment)
    try:
        before = worker.ask("memory")
        ready = worker.ask("prepare", id=entry.name, case=to_json(case), variant=entry.variant)
        worker.ask("run", id=entry.name, calls=STEPS)
        after = worker.ask("memory")
    finally:
        worker.close()
    first = ready["first_at"] - worker.started_at
    return Start(worker.ready_at - worker.started_at, ready["compile_seconds"], ready["seconds"], first, after, after - before)


def chosen(entries: Sequence[Entry]) -> list[Entry]:
    """Who starts: everyone who does one step a call; ours in the loop that it trains in. PyTorch uncompiled."""
    return [
        replace(entry, variant={**entry.variant, "per_call": 1}) if entry.name == OURS else entry
        for entry in entries
        if "step" in entry.kinds and "per_call" not in entry.variant and not entry.variant.get("compile")
    ]
