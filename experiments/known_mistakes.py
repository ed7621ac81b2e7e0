"""Are known mistakes found, and named?

Claim: every mistake of the catalogue, made in every operation it applies to, gets the verdict it deserves and is named.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pages
import tyro
from rich.console import Console
from rich.table import Table

from jcnn.check import CATALOGUE, KINDS, grade


@dataclass(frozen=True)
class Experiment:
    """Which operations."""

    kinds: tuple[str, ...] = KINDS
    """Names as `grade` takes them."""


class Row(NamedTuple):
    """One mistake in one operation.

    Attributes:
        mistake: its name.
        operation: where it was made.
        deserved: the verdict it deserves.
        found: whether the verdict was that.
        named: whether the mistake was named, and no other.
    """

    mistake: str
    operation: str
    deserved: str
    found: bool
    named: bool


def run(config: Experiment) -> tuple[Row, ...]:
    """Grades every mistake as every operation it can be made in."""
    rows = []
    for mistake in CATALOGUE:
        for kind, wrong in mistake.wrong.items():
            if kind in config.kinds:
                report = grade(wrong, kind)
                found, named = report.verdict == mistake.verdict, report.mistakes == (mistake.name,)
                rows.append(Row(mistake.name, kind, mistake.verdict, found, named))
    return tuple(rows)


def check(rows: tuple[Row, ...]) -> None:
    """Raises AssertionError where the claim does not hold."""
    missed = [f"{row.mistake} in {row.operation}" for row in rows if not (row.found and row.named)]
    if missed:
        raise AssertionError(f"{len(missed)} of {len(rows)} missed: {', '.join(missed)}")


def markdown(rows: tuple[Row, ...]) -> str:
    """The table, one row a mistake; the operations it was not found or named in apart."""
    lines = ["| mistake | verdict | operations | found | named |", "| --- | --- | --- | --- | --- |"]
    for name in dict.fromkeys(row.mistake for row in rows):
        mine = [row for row in rows if row.mistake == name]
        operations = ", ".join(f"`{row.operation}`" for row in mine)
        found, named = (f"{sum(flags)} of {len(mine)}" for flags in ([r.found for r in mine], [r.named for r in mine]))
        lines.append(f"| {name} | {mine[0].deserved} | {operations} | {found} | {named} |")
    return "\n".join([*lines, "", summary(rows), ""])


def summary(rows: tuple[Row, ...]) -> str:
    """The counts, in a sentence."""
    return f"**{sum(r.found for r in rows)} of {len(rows)} found, {sum(r.named for r in rows)} named.**"


def main(config: Experiment) -> None:
    """Runs, shows, writes, checks."""
    rows = run(config)
    table = Table("mistake", "operation", "verdict", "found", "named", show_edge=False)
    for row in rows:
        table.add_row(row.mistake, row.operation, row.deserved, *("yes" if flag else "[red]no[/]" for flag in row[3:]))
    console = Console()
    console.print(table)
    console.print(summary(rows).strip("*"))
    Path("results").mkdir(exist_ok=True)
    Path("results/known_mistakes.md").write_text(markdown(rows), encoding="utf-8")
    check(rows)
    total = f"{len({row.mistake for row in rows})} mistakes, made in every operation they apply to: {summary(rows)}"
    folded = f"<details><summary>Mistake by mistake</summary>\n\n{markdown(rows)}\n</details>"
    if config.kinds == KINDS:
        pages.write_page("known_mistakes", "Known mistakes", f"{total}\n\n{folded}")


if __name__ == "__main__":
    main(tyro.cli(Experiment))
