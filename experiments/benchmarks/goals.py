"""What the comparison is to show, and whether it does."""

from typing import NamedTuple

from rich.table import Table

from experiments.benchmarks.entries import FLAX, OURS, TORCH
from experiments.benchmarks.race import Race
from experiments.benchmarks.starts import COLD, WARM, Starts


class Goal(NamedTuple):
    """An upper limit.

    Attributes:
        what: the quantity.
        found: its value.
        limit: what it should not exceed.
    """

    what: str
    found: float
    limit: float


def of_starts(starts: Starts) -> list[Goal]:
    """The first step, and memory beside the most frugal of PyTorch's variants."""
    goals = [
        Goal(f"first step, {kind}, seconds", found, limit)
        for kind, name, limit in (("cold", COLD, 3.0), ("warm cache", WARM, 1.2))
        if (found := starts.median(name, "first")) is not None
    ]
    theirs = [found for name in starts.found if name.startswith(TORCH) if (found := starts.median(name, "memory"))]
    for kind, name in (("cold", COLD), ("warm cache", WARM)):
        ours = starts.median(name, "memory")
        if ours and theirs:
            goals.append(Goal(f"peak memory, {kind}, over {TORCH}'s", ours / min(theirs), 1.2))
    return goals


def of_race(race: Race) -> list[Goal]:
    """The time to the target beside the fastest of each peer's variants."""
    goals = []
    for peer, limit in ((TORCH, 1.0), (FLAX, 1 / 3)):
        theirs = {name: seconds for name in race.finishes if name.startswith(peer) and (seconds := race.median(name))}
        if theirs and (ratio := race.ratio(OURS, min(theirs, key=theirs.__getitem__))):
            goals.append(Goal(f"race, our time over {peer}'s", ratio.median, limit))
    return goals


def table(goals: list[Goal]) -> Table:
    """Each with its verdict."""
    shown = Table("goal", "found", "at most", "", title="goals", show_edge=False)
    for goal in goals:
        shown.add_row(goal.what, f"{goal.found:.2f}", f"{goal.limit:.2f}", "met" if goal.found <= goal.limit else "missed")
    return shown
