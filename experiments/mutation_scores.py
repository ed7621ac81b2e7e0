"""Does the checker find every slip?

Claim: plain implementations of every operation, with every mistake of one slip made in them mechanically (an index or a
constant off by one, operators, comparisons, axes, names, bounds and dtypes exchanged, statements dropped), are found, by the
cases that candidates take who know few options as by all cases. A mutant that gives the same in many drawn calls is the same
function.
"""

import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from experiments.mutation.jobs import Job, run_jobs
from experiments.mutation.scores import STUDENTS, Scored, score
from experiments.mutation.student import IMAGES, RESTRICTIONS
from jcnn.check import KINDS

DOCUMENT = Path(__file__).parents[1] / "docs" / "mutation_scores.md"


@dataclass(frozen=True)
class Experiment:
    """Which mutants, and how long to look for a difference."""

    kinds: tuple[str, ...] = KINDS
    """Operations, as `grade` takes them."""
    draws: int = 300
    """Drawn calls in which a mutant must give the same to count as the same function."""
    every: int = 1
    """Only every so many-th mutant of an implementation."""
    workers: int = os.cpu_count() or 1
    """Processes."""


def run(config: Experiment) -> list[Scored]:
    """Scores the mutants, in processes of their own, which a mutant may exhaust."""
    return run_jobs(_score, config.kinds, draws=config.draws, every=config.every, workers=config.workers)


def _score(job: Job) -> list[Scored]:
    number, mutants, draws = job
    return list(score(STUDENTS[number], mutants, draws))


def rows(found: Sequence[Scored]) -> list[tuple[str, ...]]:
    """A line an operation: mutants, those that are the same function, verdicts, missed, score, and that of homework."""
    lines = []
    for kind in (*(kind for kind in KINDS if any(entry.kind == kind for entry in found)), ""):
        mine = [entry for entry in found if kind in {"", entry.kind}]
        most = _last(mine)
        verdicts = Counter(entry.verdict for entry in most if not entry.equivalent)
        lines.append(
            (
                f"`{kind}`" if kind else "all",
                str(len({entry.student for entry in mine})),
                f"{len(most):,}",
                f"{sum(entry.equivalent for entry in most):,}",
                *(f"{verdicts[verdict]:,}" for verdict in ("bug", "rounding", "kink", "agrees")),
                _percent(most),
                _percent([entry for entry in mine if entry.restriction == IMAGES]),
            )
        )
    return lines


HEADER = ("operation", "styles", "mutants", "same", "bug", "rounding", "kink", "missed", "score", "as homework")


def _last(found: Sequence[Scored]) -> list[Scored]:
    """Each mutant once, with the most that its implementation takes."""
    return list({(entry.student, entry.mutant.source): entry for entry in found}.values())


def _percent(found: Sequence[Scored]) -> str:
    counted = [entry for entry in found if not entry.equivalent]
    if not counted:
        return ""
    missed = sum(entry.missed for entry in counted)
    # Never rounded up to all.
    return "100 %" if not missed else f"{np.floor(1e4 * (1 - missed / len(counted))) / 100:.2f} %"


def restricted_rows(found: Sequence[Scored]) -> list[tuple[str, ...]]:
    """A line a restriction, over all operations that have windows."""
    lines = []
    for restriction in RESTRICTIONS[:-1]:
        mine = [entry for entry in found if entry.restriction == restriction.name]
        if mine:
            same = sum(entry.equivalent for entry in mine)
            missed = sum(entry.missed for entry in mine)
            lines.append((restriction.name, f"{len(mine):,}", f"{same:,}", f"{missed:,}", _percent(mine)))
    return lines


def details(found: Sequence[Scored], verdicts: Sequence[str]) -> list[str]:
    """The mutants of these verdicts, line by line: those that are no mere change of precision."""
    return [
        f"- {entry.student}, {entry.restriction}: `{entry.mutant.before}` → `{entry.mutant.after}`"
        for entry in found
        if entry.verdict in verdicts and not entry.equivalent and not entry.mutant.precision
    ]


def markdown(found: Sequence[Scored], config: Experiment) -> str:
    """The page."""

    def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
        return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *lines])

    missed, milder = details(found, ["agrees"]), details(_last(found), ["rounding", "kink"])
    return f"""# Mutation scores of the checker

`python experiments/mutation_scores.py` makes every slip of one place in plain implementations of every operation
(`experiments/mutation/`): an index or a constant off by one, operators, comparisons, axes, names, bounds and dtypes
exchanged, `=` for `+=`, loops turned round, statements dropped, results rounded, conditions turned. Each mutant is judged on
the cases that its implementation takes. *Same*: it gave the same as the right one in {config.draws} drawn calls, which know
nothing of the cases. *Score*: the part of the others whose verdict is not "agrees". *As homework*: by those cases alone that
a candidate takes who knows images, one whole stride and one whole padding. "Rounding" is the right verdict where only the
precision is another, "kink" where another maximum of a tie is taken.

{table(HEADER, rows(found))}

Implementations with windows, when less is asked of them; each line is scored by the cases that are left:

{table(("what is taken", "mutants", "same", "missed", "score"), restricted_rows(found))}

## Missed

{chr(10).join(missed) or "None."}

## Rounding and kinks by other slips than in the precision

{chr(10).join(milder) or "None."}

Python {platform.python_version()}, NumPy {np.__version__}, JAX {jax.__version__}.
"""


def check(found: Sequence[Scored]) -> None:
    """Raises AssertionError where the claim does not hold."""
    missed = [entry for entry in found if entry.missed]
    if missed:
        raise AssertionError(f"{len(missed)} of {len(found)} missed:\n" + "\n".join(details(missed, ["agrees"])))


def main(config: Experiment) -> None:
    """Runs, shows, writes, checks."""
    found = run(config)
    table = Table(*HEADER, show_edge=False)
    for line in rows(found):
        table.add_row(*line)
    console = Console()
    console.print(table)
    if config.kinds == KINDS and config.every == 1:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(markdown(found, config), encoding="utf-8")
    else:
        console.print("\n".join(details(found, ["agrees"])), markup=False)
        console.print("\n".join(details(_last(found), ["rounding", "kink"])), markup=False, style="dim")
    check(found)


if __name__ == "__main__":
    main(tyro.cli(Experiment))
