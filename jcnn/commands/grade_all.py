"""`jcnn grade-all`: scores for a folder of submissions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jcnn.check.classroom.grade_all import LIMIT, ClassReport, grade_all
from jcnn.check.classroom.submission import Result
from jcnn.check.grading.isolated import MEMORY, TIMEOUT
from jcnn.check.styles.adapt import STYLES
from jcnn.check.styles.layouts import LAYOUTS
from jcnn.commands.choices import one_of
from jcnn.disk import write_atomically
from jcnn.endings import UsageError
from jcnn.printing import plain, print_result


@dataclass(frozen=True)
class GradeAll:
    """Grade a folder of submissions: a Python file, or a folder, for each student; a score and a diagnosis for each.

    Several are graded at once, each in a process of its own; one that hangs or crashes costs the others nothing.
    Exits with 0 if every submission is right (agrees, rounding or kink), with 1 if one has a bug; with --fail-under, with 1 if
    a score lies below it, else with 0.
    """

    folder: tyro.conf.Positional[Path]
    """The folder of submissions."""
    kinds: Annotated[tuple[str, ...], tyro.conf.arg(name="as", metavar="KIND"), tyro.conf.UseAppendAction]
    """The operation that a function should be, such as conv_backward; give it again for a further function."""
    function: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME"), tyro.conf.UseAppendAction] = ()
    """The function's name, once for every --as; by default the operation's."""
    layout: Annotated[Literal["NHWC", "NCHW"] | None, one_of(*LAYOUTS)] = None
    """As in `jcnn grade`."""
    style: Annotated[Literal["jcnn", "cs231n", "torch"], one_of(*STYLES)] = "jcnn"
    """As in `jcnn grade`."""
    csv: Path | None = None
    """Write the scores to this file, a line for each submission."""
    json: Path | None = None
    """Write everything to this file."""
    html: Path | None = None
    """Write a page to this file: scores, the commonest mistakes, what is wrong with each."""
    jobs: int | None = None
    """Submissions graded at once; by default one for each core."""
    timeout: float = TIMEOUT
    """Seconds for each case."""
    limit: float = LIMIT
    """Seconds for a whole submission."""
    memory: float = MEMORY
    """GiB for each submission, where the system counts them."""
    fail_under: float | None = None
    """Exit with 1 only if a score lies below this."""

    def run(self, console: Console) -> int:
        """Grades, writes the files asked for, and prints the table."""
        for file in filter(None, (self.csv, self.json, self.html)):
            if not file.parent.is_dir():
                raise UsageError(f"{file}: no folder {file.parent} to write it to")
        bar = _bar(console)
        with bar:
            task = bar.add_task("", total=None, last="")

            def note(result: Result) -> None:
                bar.update(task, advance=1, last=plain(result.submission))

            if not self.kinds:
                raise UsageError("give the operation that the functions should be: --as KIND, such as --as conv_backward")
            report = grade_all(
                self.folder,
                self.kinds,
                functions=self.function,
                jobs=self.jobs,
                timeout=self.timeout,
                memory=self.memory,
                limit=self.limit,
                options=self._options(),
                started=lambda count: bar.update(task, total=count),
                done=note,
            )
        self._write(report)
        print_result(console, report, as_json=False)
        if self.fail_under is not None:
            return int(any(result.points < self.fail_under for result in report.results))
        return int(any(result.verdict == "bug" for result in report.results))

    def _options(self) -> dict[str, Any]:
        """What is asked of `grade_file` beside its defaults."""
        options: dict[str, Any] = {} if self.layout is None else {"layout": self.layout}
        return options if self.style == "jcnn" else {**options, "style": self.style}

    def _write(self, report: ClassReport) -> None:
        if self.csv:
            # With the mark by which spreadsheets know UTF-8.
            write_atomically(self.csv, report.to_csv().encode("utf-8-sig"))
        if self.json:
            write_atomically(self.json, f"{report.to_json()}\n".encode())
        if self.html:
            from jcnn.figures.classroom import render_class

            write_atomically(self.html, render_class(report, self.folder.resolve().name).encode())


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("grading"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[last]}", markup=False),
        console=console,
        transient=True,
        expand=True,
        disable=not console.is_terminal,
    )
