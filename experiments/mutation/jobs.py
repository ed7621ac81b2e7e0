"""Mutants of every implementation, given to processes of their own, which a mutant may exhaust."""

import multiprocessing
import sys
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from experiments.mutation.mutants import Mutant, mutants_of
from experiments.mutation.scores import STUDENTS

T = TypeVar("T")
Job = tuple[int, tuple[Mutant, ...], int]
"""The number of an implementation in `STUDENTS`, some of its mutants, and in how many drawn calls each is tried."""

_SHARE = 40
"""Mutants that a worker takes at a time."""


def run_jobs(task: Callable[[Job], list[T]], kinds: Collection[str], *, draws: int, every: int, workers: int) -> list[T]:
    """What the task gives for the mutants of these operations, or for every so many-th of each implementation."""
    jobs = list(_jobs(kinds, draws, every))
    found: list[T] = []
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _confine) as pool:
        for part in track(pool.map(task, jobs), "mutants", len(jobs), console=Console(stderr=True)):
            found += part
    return found


def _jobs(kinds: Collection[str], draws: int, every: int) -> Iterator[Job]:
    for number, student in enumerate(STUDENTS):
        if student.kind in kinds:
            mutants = mutants_of(student.function)[::every]
            for start in range(0, len(mutants), _SHARE):
                yield number, mutants[start : start + _SHARE], draws


def _confine() -> None:
    """A mutant may ask for all memory there is: it gets an error instead."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
