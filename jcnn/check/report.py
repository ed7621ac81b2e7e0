"""What a check found: a verdict, its reason, and the numbers behind it; as a table, a picture of numbers and JSON."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray

Verdict = Literal["agrees", "rounding", "kink", "bug"]
VERDICTS: tuple[Verdict, ...] = ("agrees", "rounding", "kink", "bug")
"""From best to worst."""

HINTS = (1, 2, 3)
"""Levels of help, from little to all."""

COLOURS = {"agrees": "green", "rounding": "yellow", "kink": "yellow", "bug": "red"}
_SHOWN = 8
_WIDEST, _TALLEST = 12, 12


class Worst(NamedTuple):
    """The element that is furthest off, in units of what rounding explains.

    Attributes:
        leaf: which output, such as `"dw"`.
        index: where in it.
        expected: the right value.
        got: the candidate's.
    """

    leaf: str
    index: tuple[int, ...]  # pyright: ignore[reportIncompatibleMethodOverride] (the contract's name)
    expected: float
    got: float


class Row(NamedTuple):
    """One output in one case.

    Attributes:
        case: the case, or what was compared.
        verdict: of this output alone.
        leaf: which output.
        error: largest absolute error, kinks apart; NaN where nothing could be compared.
        relative: largest relative error, among elements that are not 0.
        ulps: largest error in units of the last place of the sum of absolute terms.
        bound: what rounding explains there, in the same units.
        kinks: elements at kinks, set apart.
        worst: the element furthest off, where values could be compared.
        remark: what could not be compared, and why.
    """

    case: str
    verdict: Verdict
    leaf: str
    error: float
    relative: float
    ulps: float
    bound: float
    kinks: int = 0
    worst: Worst | None = None
    remark: str = ""


class Witness(NamedTuple):
    """A test of another kind, which needs no reference.

    Attributes:
        name: the test.
        holds: whether it speaks for the candidate; None where it could not be made.
        found: its numbers, in words.
    """

    name: str
    holds: bool | None
    found: str


class Finding(NamedTuple):
    """How one output differs from what it should be, as it was read off the candidate.

    Attributes:
        leaf: the output; "" for all of them.
        where: what is concerned, in a few words.
        rule: the rule by which it differs, as a sentence.
        example: one number of it, with the terms that it is made of and the right ones; "" where there is none.
    """

    leaf: str
    where: str
    rule: str
    example: str = ""


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        subject: what was checked.
        verdict: `"agrees"`, `"rounding"` (right, in less than float64), `"kink"` (another choice where there is one), `"bug"`.
        diagnosis: what is wrong, in a sentence; None where nothing is.
        worst: (leaf, index, expected, got) of the element furthest off; None where no values could be compared.
        rows: the numbers, one row an output and case.
        mistakes: names of the known mistakes that reproduce the candidate's numbers.
        left_out: cases that the candidate does not take, and why.
        picture: the smallest failing case, drawn in numbers.
        witnesses: further tests.
        autodiff: of `compare`: whether JAX's own gradient holds, `"right"`, or other witnesses speak against it, `"wrong"`;
            the diagnosis then says so, also where the candidate agrees with what is right.
        printed: what the candidate printed, in short, where that was kept apart.
        findings: of `grade`: how its formula differs from the right one, as it was read off.
        pattern: of `grade`: what the failing cases have and the others have not, in words.
        unanswered: cases that count as wrong although there are no numbers: not run, or declined against the rules.
    """

    subject: str
    verdict: Verdict
    diagnosis: str | None
    worst: Worst | None
    rows: tuple[Row, ...] = ()
    mistakes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    picture: str | None = None
    witnesses: tuple[Witness, ...] = ()
    autodiff: Literal["right", "wrong"] | None = None
    printed: str = ""
    findings: tuple[Finding, ...] = ()
    unanswered: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def kinks(self) -> int:
        """How many elements lie at kinks."""
        return sum(row.kinks for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The report in plain lists, numbers and words; numbers that JSON has no word for become strings such as `"nan"`."""
        named = {
            **asdict(self),
            "worst": self.worst and self.worst._asdict(),
            "rows": [{**row._asdict(), "worst": row.worst and row.worst._asdict()} for row in self.rows],
            "witnesses": [witness._asdict() for witness in self.witnesses],
            "findings": [finding._asdict() for finding in self.findings],
            "kinks": self.kinks,
        }
        return _plain(named)

    def hint(self, level: int) -> str:
        """Help step by step, in place of the whole report.

        Args:
            level: 1: which output to look at; 2: also in which calls it is wrong, and what about it; 3: also how it differs
                from what is right.

        Raises:
            ValueError: another level.
        """
        if type(level) is not int or level not in HINTS:
            raise ValueError(f"level={level!r}: expected 1, 2 or 3")
        if self.verdict == "agrees":
            return "It agrees with what is right in every case."
        if not self.rows:
            return self.diagnosis or "Nothing could be compared."
        wrong = [row for row in self.rows if row.verdict != "agrees"]
        numbers = [row for row in wrong if not math.isnan(row.error)]
        leaves = list(dict.fromkeys(row.leaf for row in numbers or wrong))
        cases = list(dict.fromkeys(row.case for row in self.rows))
        failing = list(dict.fromkeys(row.case for row in wrong))
        hints = [f"Look at {' and '.join(leaves)}." if leaves else "Look at what it takes and returns."]
        if level > 1:
            hints += self._where(len(failing), len(cases))
        if level > 2:
            hints.append(self.diagnosis or "No rule is known by which it differs.")
            hints += [f"For example {finding.example}." for finding in self.findings[:1] if finding.example]
        return "\n".join(hints)

    def _where(self, failing: int, cases: int) -> list[str]:
        """In which calls it is wrong, and what about it."""
        if not failing:
            return ["What it gives is right; it takes less than it has to."]
        counted = f"It is wrong in {failing} of the {cases} cases that it was asked."
        where = "" if self.pattern.startswith(f"It fails in {failing} of") else self.pattern
        about = [finding.where for finding in self.findings if finding.where != finding.leaf]
        said = [f"What is wrong there: {'; '.join(dict.fromkeys(about))}."] if about else []
        return [f"{counted} {where}".strip(), *said]

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def __rich__(self) -> Any:
        """The report as a Rich renderable: verdict, diagnosis, picture, and the numbers last."""
        from rich.console import Group
        from rich.markup import escape
        from rich.table import Table
        from rich.text import Text

        table = Table(show_edge=False, pad_edge=False)
        table.add_column("", overflow="fold")
        for title in ("output", "verdict", "max error", "relative", "ulps", "bound"):
            table.add_column(title, justify="right" if title not in {"output", "verdict"} else "left")
        table.add_column("worst: expected → got", overflow="fold")
        rows = [row for row in self.rows if row.verdict != "agrees"] or list(self.rows)
        for row in rows[:_SHOWN]:
            table.add_row(*row_cells(row))
        if hidden := len(self.rows) - min(len(rows), _SHOWN):
            right = sum(row.verdict == "agrees" for row in self.rows if row not in rows[:_SHOWN])
            table.add_row(f"{hidden} more, {right} of them agree", *("",) * 7)
        head = Text.from_markup(f"[bold {COLOURS[self.verdict]}]{self.verdict}[/]  {escape(self.subject)}")
        parts: list[Any] = [head]
        if self.diagnosis:
            parts.append(Text(self.diagnosis, style="bold"))
        parts += [Text(f"for example {finding.example}") for finding in self.findings if finding.example]
        if self.picture:
            parts.append(Text(self.picture))
        parts.append(table)
        if self.kinks:
            parts.append(Text(f"{self.kinks} elements lie at kinks and were set apart"))
        for witness in self.witnesses:
            mark = {True: "holds", False: "fails", None: "not made"}[witness.holds]
            parts.append(Text(f"{witness.name}: {mark}, {witness.found}"))
        if self.left_out:
            parts.append(Text(f"left out: {'; '.join(map(_without_cases, self.left_out))}"))
        if self.printed:
            parts.append(Text(f"it printed {self.printed}"))
        return Group(*parts)

    def __str__(self) -> str:
        """The report as plain text."""
        return as_text(self)


def _without_cases(reason: str) -> str:
    """Why cases were left out, and how many, without their names."""
    if reason.endswith(" cases)"):
        return reason
    words, found, names = reason.partition(" (")
    if not found:
        return reason
    count = names.count("; ") + 1
    return f"{words} ({count} {'case' if count == 1 else 'cases'})"


def as_text(shown: Any) -> str:
    """A Rich renderable as text of 128 columns, without colours."""
    from rich.console import Console

    page = StringIO()
    Console(file=page, width=128, color_system=None, highlight=False).print(shown)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def row_cells(row: Row) -> tuple[str, ...]:
    """A row's cells, as Rich markup."""
    from rich.markup import escape

    compared = not math.isnan(row.error)
    numbers = [f"{value:.2g}" if compared else "" for value in (row.error, row.relative, row.ulps, row.bound)]
    shown = escape(row.remark)
    if compared and row.worst and row.error > 0:
        where = ", ".join(map(str, row.worst.index))
        digits = 6 if row.relative > 1e-4 else 17
        shown = escape(f"{row.leaf}[{where}]: {row.worst.expected:.{digits}g} → {row.worst.got:.{digits}g}")
    return escape(row.case), row.leaf, f"[{COLOURS[row.verdict]}]{row.verdict}[/]", *numbers, shown


def worst_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of them; of none, `"agrees"`."""
    return VERDICTS[max(map(VERDICTS.index, verdicts), default=0)]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


Order = Callable[[str, int], tuple[int, ...]]
"""From an array's name and the number of its axes to the order in which they are shown."""


def picture(
    args: dict[str, Any],
    options: dict[str, Any],
    leaf: str,
    expected: Array,
    got: Array | None,
    order: Order = lambda _, axes: tuple(range(axes)),
) -> str:
    """A case with what should come out and what came, the arrays side by side.

    Of arrays with several examples or channels one slice is shown, the one of the worst element. Wrong numbers of the result
    are marked with a star. Axes are shown in the order that `order` gives.
    """
    called = ", ".join(
        [*(f"{k}={v}" for k, v in args.items() if not isinstance(v, np.ndarray)), *(f"{k}={v!r}" for k, v in options.items())]
    )

    def block(
        title: str, name: str, values: Array, where: tuple[Any, ...] | None = None, wrong: Array | None = None
    ) -> list[str]:
        return _block(title, values, where, wrong, order(name, values.ndim))

    blocks = [block(name, name, value) for name, value in args.items() if isinstance(value, np.ndarray)]
    lines = [*_beside(blocks), ""]
    if got is None or got.shape != expected.shape:
        came, wanted = (a is not None and tuple(a.shape[axis] for axis in order(leaf, a.ndim)) for a in (got, expected))
        shapes = f"{leaf}: {'nothing' if got is None else f'shape {came}'}, expected shape {wanted}"
        outputs = [block(f"expected {leaf}", leaf, expected), *([] if got is None else [block(f"got {leaf}", leaf, got)])]
        return "\n".join([called, *lines, shapes, *_beside(outputs)]).strip()
    scale = max(float(np.abs(expected).max(initial=0)), 1e-300)
    wrong = ~(np.abs(got - expected) <= 1e-12 * scale)
    where = tuple(np.argwhere(wrong)[0]) if wrong.any() else (0,) * expected.ndim
    outputs = [block(f"expected {leaf}", leaf, expected, where), block(f"got {leaf}", leaf, got, where, wrong)]
    return "\n".join([called, *lines, *_beside(outputs)]).strip()


def _block(name: str, values: Array, where: tuple[Any, ...] | None, wrong: Array | None, order: tuple[int, ...]) -> list[str]:
    """A title and the rows of a slice of at most two axes, the largest of the array."""
    if not values.size:
        return [name, "(empty)"]
    where = where or (0,) * values.ndim
    axes = [axis for axis, size in enumerate(values.shape) if size > 1]
    kept = sorted(sorted(axes, key=lambda axis: (axis in {0, values.ndim - 1}, axis))[:2]) if values.ndim > 2 else axes
    index = tuple(slice(None) if axis in kept else int(at) for axis, at in enumerate(where))
    turned = [axis for axis in order if axis in kept] != list(kept)
    shown = _turned(np.reshape(values[index], tuple(values.shape[axis] for axis in kept)), turned)
    table = np.atleast_2d(shown)[:_TALLEST, :_WIDEST]
    marks = (
        np.atleast_2d(_turned(wrong[index].reshape(_turned(shown, turned).shape), turned))[:_TALLEST, :_WIDEST]
        if wrong is not None
        else np.zeros(table.shape, bool)
    )
    cells = [
        [f"{value:.4g}{'*' if mark else ''}" for value, mark in zip(*pair, strict=True)]
        for pair in zip(table, marks, strict=True)
    ]
    width = max((len(cell) for row in cells for cell in row), default=1)
    sliced = len(axes) > len(kept)
    spec = ", ".join(":" if axis in kept else str(int(where[axis])) for axis in order)
    cut = " …" if np.atleast_2d(shown).shape != table.shape else ""
    title = f"{name}[{spec}]{cut}" if sliced else f"{name}{cut}"
    return [title, *(" ".join(cell.rjust(width) for cell in row) for row in cells)]


def _turned(table: Array, turned: bool) -> Array:
    return table.T if turned else table


def _beside(blocks: list[list[str]]) -> list[str]:
    height = max((len(block) for block in blocks), default=0)
    widths = [max(map(len, block)) for block in blocks]
    rows = []
    for number in range(height):
        cells = (block[number] if number < len(block) else "" for block in blocks)
        rows.append("   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return rows
