"""Timing in turns: in every round each contender runs a while, one at a time, so that a slow minute is slow for all."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from experiments.benchmarks.cases import Case, to_json
from experiments.benchmarks.contenders.arrays import agree
from experiments.benchmarks.entries import Entry
from experiments.benchmarks.workers import Worker, WorkerError

PAUSE = 0.03
"""Seconds between turns: thread pools keep spinning for a moment after their work is done."""
MOST_CALLS = 50
SLOW = 2.0
"""Seconds a call above which one turn is enough."""


class Timing(NamedTuple):
    """What one contender took for one case.

    Attributes:
        rounds: by round, the median seconds of a pass or step.
        compile_seconds: what the first call took longer than a warm one, building included.
        check: the numbers by which contenders are compared.
        error: why there are no figures; empty where there are.
    """

    rounds: list[float]
    compile_seconds: float = 0.0
    check: tuple[float, ...] = ()
    error: str = ""

    @property
    def seconds(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)


class Measurement(NamedTuple):
    """One case, by all who take part."""

    case: Case
    timings: dict[str, Timing]


def measure(case: Case, entries: Sequence[Entry], workers: Callable[[Entry], Worker], rounds: int, turn: float) -> Measurement:
    """Times a case.

    Args:
        case: what to compute.
        entries: who takes part.
        workers: the running process of an entry.
        rounds: how often each has a turn.
        turn: seconds a turn takes, at least one call.

    Returns:
        A `Measurement`; who cannot do the case, or computes something else than the first who can, is there with an error.
    """
    timings: dict[str, Timing] = {}
    running: list[tuple[Entry, Worker, dict[str, Any]]] = []
    reference: list[float] | None = None
    for entry in entries:
        if case.name in entry.left_out:
            timings[entry.name] = Timing([], error=entry.left_out[case.name])
            continue
        try:
            worker = workers(entry)
            ready = worker.ask("prepare", id=entry.name, case=to_json(case), variant=entry.variant)
        except WorkerError as error:
            timings[entry.name] = Timing([], error=str(error))
            continue
        if reference is None:
            reference = list(ready["check"])
        disagrees = not agree(case, ready["check"], reference)
        said = f"disagrees with {running[0][0].name}: {ready['check']} for {reference}" if disagrees else ""
        timings[entry.name] = Timing([], ready["compile_seconds"], tuple(ready["check"]), said)
        running.append((entry, worker, ready))

    for number in range(rounds):
        for entry, worker, ready in running:
            if number > 0 and (timings[entry.name].error or ready["seconds"] > SLOW):
                continue
            time.sleep(PAUSE)
            calls = max(1, min(MOST_CALLS, round(turn / ready["seconds"])))
            try:
                seconds = worker.ask("run", id=entry.name, calls=calls)
            except WorkerError as error:
                timings[entry.name] = Timing([], error=str(error))
                continue
            timings[entry.name].rounds.append(statistics.median(seconds) / ready["steps"])
    for entry, worker, _ in running:
        try:
            worker.ask("release", id=entry.name)
        except WorkerError as error:
            timings[entry.name] = timings[entry.name]._replace(error=str(error))
    return Measurement(case, timings)


class Ratio(NamedTuple):
    """One contender's time over another's, of the same rounds."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lowest:.2f} … {self.highest:.2f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Round by round, as far as both had turns."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=False)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
