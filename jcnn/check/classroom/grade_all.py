"""A class's submissions graded, and the report on all of them: as a table, CSV and JSON."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from jcnn import arguments
from jcnn.check.classroom.folder import find_submissions
from jcnn.check.classroom.submission import Result
from jcnn.check.classroom.workers import Task, grade_submissions
from jcnn.check.grading.isolated import MEMORY, TIMEOUT, Limits
from jcnn.check.grading.sentences import joined
from jcnn.check.operations import kind_of
from jcnn.check.report import COLOURS, as_text
from jcnn.check.styles.adapt import STYLES
from jcnn.geometry import choice
from jcnn.percentages import percent

LIMIT = 300.0
"""Seconds for a whole submission: one in JAX, which compiles for every shape, may take a minute."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_SHOWN = 15
_LONGEST = 100  # a rule may be a long sentence; the files have all of it


@dataclass(frozen=True)
class ClassReport:
    """What a class handed in.

    Attributes:
        kinds: what the functions were graded as.
        results: one for every submission: the highest score first, equal scores in the order of the names.
    """

    kinds: tuple[str, ...]
    results: tuple[Result, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The parts of a score: the kind and its output, or "options"."""
        return tuple(f"{kind}.{part}" for kind in self.kinds for part in (*kind_of(kind).leaves, "options"))

    @property
    def median(self) -> float:
        """The middle score."""
        return median(result.points for result in self.results)

    def mistakes(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every mistake with the submissions that make it, the commonest first."""
        who: dict[str, list[str]] = {}
        for result in self.results:
            for mistake in dict.fromkeys(mistake for graded in result.functions for mistake in graded.mistakes):
                who.setdefault(mistake, []).append(result.submission)
        return sorted(((name, tuple(names)) for name, names in who.items()), key=lambda entry: (-len(entry[1]), entry[0]))

    def to_csv(self) -> str:
        """A line for every submission; a text that a spreadsheet would take for a formula begins with an apostrophe."""
        page = io.StringIO()
        table = csv.writer(page, lineterminator="\r\n")
        table.writerow(["submission", "file", "score", "verdict", *self.columns, "mistakes", "diagnosis", "seconds"])
        for result in self.results:
            shares = [share for graded in result.functions for share in graded.parts.values()]
            table.writerow(
                [
                    harmless(result.submission),
                    harmless(result.file),
                    f"{result.points:.1f}",
                    result.verdict,
                    *("" if share is None else f"{share:.3f}" for share in shares),
                    harmless("; ".join(dict.fromkeys(name for graded in result.functions for name in graded.mistakes))),
                    harmless(joined(graded.diagnosis for graded in result.functions)),
                    f"{result.seconds:.1f}",
                ]
            )
        return page.getvalue()

    def to_dict(self) -> dict[str, Any]:
        """In plain lists, numbers and words."""
        return {
            "kinds": list(self.kinds),
            "submissions": [
                {
                    "submission": result.submission,
                    "file": result.file,
                    "score": result.points,
                    "verdict": result.verdict,
                    "seconds": round(result.seconds, 1),
                    "functions": [graded._asdict() for graded in result.functions],
                }
                for result in self.results
            ],
            "mistakes": [{"mistake": name, "submissions": list(names)} for name, names in self.mistakes()],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2)

    def summary(self) -> str:
        """The class in a line."""
        right = sum(result.verdict != "bug" for result in self.results)
        return f"{len(self.results)} submissions, {right} of them right; median score {self.median:g}"

    def __rich__(self) -> Any:
        """The scores, and the commonest mistakes."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(show_edge=False, pad_edge=False)
        table.add_column("submission", overflow="fold")
        table.add_column("score", justify="right")
        for column in self.columns:
            table.add_column(column.partition(".")[2] if len(self.kinds) == 1 else column, justify="right")
        table.add_column("mistakes", overflow="fold")
        for result in self.results:
            shares = [share for graded in result.functions for share in graded.parts.values()]
            named = dict.fromkeys(name for graded in result.functions for name in graded.mistakes)
            table.add_row(
                Text(result.submission),
                Text(f"{result.points:g}", style=COLOURS[result.verdict]),
                *("" if share is None else percent(share, 0) for share in shares),
                Text("; ".join(_short(name) for name in named)),
            )
        parts: list[Any] = [table]
        if mistakes := self.mistakes():
            common = Table(show_edge=False, pad_edge=False)
            common.add_column("how many", justify="right")
            common.add_column("mistake", overflow="fold")
            for name, names in mistakes[:_SHOWN]:
                common.add_row(str(len(names)), Text(_short(name)))
            parts += ["", common]
        return Group(*parts, "", Text(self.summary(), style="bold"))

    def __str__(self) -> str:
        """As plain text."""
        return as_text(self)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, also behind spaces."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULAS) or text.startswith("\n") else text


def grade_all(
    folder: Path | str,
    kinds: Sequence[str],
    *,
    functions: Sequence[str] = (),
    jobs: int | None = None,
    timeout: float = TIMEOUT,
    memory: float = MEMORY,
    limit: float = LIMIT,
    options: dict[str, Any] | None = None,
    started: Callable[[int], None] = lambda _: None,
    done: Callable[[Result], None] = lambda _: None,
) -> ClassReport:
    """Grades every submission of a folder by `grade_file`, several at once.

    Args:
        folder: with a Python file, or a folder, for each student.
        kinds: what the functions should be, such as `["conv", "conv_backward"]`.
        functions: their names; by default those of the kinds, or what the style calls them.
        jobs: how many submissions at once; by default as many as there are cores.
        timeout: seconds for each case, as in `grade_file`.
        memory: GiB for each submission, as in `grade_file`.
        limit: seconds for a whole submission.
        options: further arguments for `grade_file`.
        started: called with the number of submissions.
        done: called with every result as it comes.

    Raises:
        ValueError: an unknown kind, not one function for every kind, a limit that is no number above 0, no submission.
        OSError: the folder cannot be read.
    """
    for kind in kinds:
        kind_of(kind)
    if not kinds:
        raise ValueError("kinds is empty: expected one or more, such as conv_backward")
    style = choice("style", (options or {}).get("style", "jcnn"), STYLES)
    functions = tuple(functions) or tuple(STYLES[style].usual_name(kind) for kind in kinds)
    if len(functions) != len(kinds):
        raise ValueError(f"functions={functions}: expected {len(kinds)}, one name for each of {', '.join(kinds)}")
    Limits(timeout, memory).check()
    if arguments.number("limit", limit) <= 0:
        raise ValueError(f"limit={limit}: expected seconds above 0")
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1:
        raise ValueError(f"jobs={jobs}: expected 1 or more")
    submissions = find_submissions(Path(folder), functions)
    task = Task(tuple(kinds), functions, {"timeout": timeout, "memory": memory, **(options or {})}, limit)
    started(len(submissions))
    results = grade_submissions(submissions, task, jobs, done)
    return ClassReport(tuple(kinds), tuple(sorted(results, key=lambda result: -result.points)))
