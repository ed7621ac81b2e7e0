"""What a check found: a verdict, its reason, and the numbers behind it; as a text, a table, hints and JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import StringIO
from typing import Any, Literal, NamedTuple

import numpy as np

from jcnn.check.hints import hint

Array = np.ndarray

Verdict = Literal["agrees", "rounding", "kink", "bug"]
VERDICTS: tuple[Verdict, ...] = ("agrees", "rounding", "kink", "bug")
"""From best to worst."""

COLOURS = {"agrees": "green", "rounding": "yellow", "kink": "yellow", "bug": "red"}
_SHOWN = 8
_REASONS = 3


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


class Term(NamedTuple):
    """A coefficient times numbers of arrays.

    Attributes:
        coefficient: the number in front.
        factors: (array, index) of each number that it multiplies.
    """

    coefficient: float
    factors: tuple[tuple[str, tuple[int, ...]], ...]


class Operand(NamedTuple):
    """An array of a sum of products.

    Attributes:
        name: as in the call.
        role: "output", "image", "filter" or "bias": as which it enters the operation.
        shape: its sizes.
        order: the order in which its axes are written where that is another one; else empty.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    order: tuple[int, ...] = ()

    def entry(self, index: Sequence[object]) -> str:
        """One of its numbers, or a slice, as it is written."""
        written = [index[axis] for axis in self.order] if len(self.order) == len(index) else index
        return f"{self.name}[{', '.join(map(str, written))}]"


class Worked(NamedTuple):
    """One number of an output with the terms that it adds up and the right ones.

    Attributes:
        leaf: the output.
        index: where in it.
        got: the candidate's terms.
        right: the right ones.
        arrays: the output and all arrays of the terms.
        window: height and width of the filter; None where there are no rows and columns.
        stride: down and along.
        padding: above and below, left and right.
        call: the sizes in words.
    """

    leaf: str
    index: tuple[int, ...]  # pyright: ignore[reportIncompatibleMethodOverride] (as in `Worst`)
    got: tuple[Term, ...]
    right: tuple[Term, ...]
    arrays: tuple[Operand, ...]
    window: tuple[int, int] | None
    stride: tuple[int, int]
    padding: tuple[int, int]
    call: str

    def entry(self, name: str, index: Sequence[int]) -> str:
        """A number of one of its arrays, as it is written."""
        return next(array for array in self.arrays if array.name == name).entry(index)


class Finding(NamedTuple):
    """How one output differs from what it should be, as it was read off the candidate.

    Attributes:
        leaf: the output; "" for all of them.
        where: what is concerned, in a few words.
        rule: the rule by which it differs, as a sentence.
        example: one number of it, with the terms that it is made of and the right ones; "" where there is none.
        about: what is the matter with its terms, without the rule; "" where it has none.
        worked: the example's terms; None where there are none.
    """

    leaf: str
    where: str
    rule: str
    example: str = ""
    about: str = ""
    worked: Worked | None = None


class Symptom(NamedTuple):
    """What is seen of an output without knowing why, for hints.

    Attributes:
        leaf: the output; "" for what concerns the whole call.
        where: in which calls and at which of its numbers.
        what: what is seen there.
        example: one of the wrong numbers; "" where there is none.
    """

    leaf: str
    where: str
    what: str
    example: str = ""


class Repair(NamedTuple):
    """A change of one place of the source after which it is right.

    Attributes:
        line: where, counted from 1.
        code: the line.
        before: what stands there; "" where something is added.
        after: what is to stand there in its place; "" where it goes.
        kind: what is done, in a word or two.
        leaves: the outputs that are right then, where others stay wrong; empty: all.
        cases: in how many cases.
    """

    line: int
    code: str
    before: str
    after: str
    kind: str
    leaves: tuple[str, ...]
    cases: int

    @property
    def sentence(self) -> str:
        """What to change, and what comes of it."""
        match self.kind:
            case "exchanged":
                change = f"with `{self.after}` where now `{self.before}`"
            case "moved":
                change = f"with `{self.before}` behind the loop in place of in it"
            case _ if not self.after:
                change = f"without `{self.before}`"
            case _:
                change = f"with `{self.after}` in place of `{self.before}`"
        are = f"{' and '.join(self.leaves)} would be right" if self.leaves else "it would be right"
        return f"In line {self.line}, `{self.code}`: {change} {are} in all {self.cases} cases."


class Block(NamedTuple):
    """A slice of an array, of at most two axes, written out.

    Attributes:
        title: the array, and which slice of it.
        cells: its rows of numbers.
        wrong: which of them are wrong.
    """

    title: str
    cells: tuple[tuple[str, ...], ...]
    wrong: tuple[tuple[bool, ...], ...]


class Smallest(NamedTuple):
    """The smallest failing case.

    Attributes:
        case: its name.
        called: the arguments that are no arrays.
        given: the arrays that are.
        note: what differs other than numbers; may be "".
        outputs: what should come out, and what came.
    """

    case: str
    called: str
    given: tuple[Block, ...]
    note: str
    outputs: tuple[Block, ...]


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
        symptoms: of `grade`: what is seen of each wrong output.
        smallest: the case of `picture`, as tables.
        unanswered: cases that count as wrong although there are no numbers: not run, or declined against the rules.
        repair: of `grade_file`: the change of the source that makes it right, where one was found.
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
    symptoms: tuple[Symptom, ...] = ()
    smallest: Smallest | None = None
    repair: Repair | None = None

    @property
    def kinks(self) -> int:
        """How many elements lie at kinks."""
        return sum(row.kinks for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The report in plain lists, numbers and words; numbers that JSON has no word for become strings such as `"nan"`."""
        return _plain({**{field.name: getattr(self, field.name) for field in fields(self)}, "kinks": self.kinks})

    def hint(self, level: int) -> str:
        """Help step by step, in place of the whole report; each level says all that the one before it says.

        Args:
            level: 1: where, which output and in which calls; 2: also what is seen there; 3: also how it differs from what is
                right, with one number worked out.

        Raises:
            ValueError: another level.
        """
        return hint(self, level)

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
        if rows:
            parts.append(table)
        if self.kinks:
            parts.append(Text(f"{self.kinks} elements lie at kinks and were set apart"))
        for witness in self.witnesses:
            mark = {True: "holds", False: "fails", None: "not made"}[witness.holds]
            parts.append(Text(f"{witness.name}: {mark}, {witness.found}"))
        if self.left_out:
            parts.append(Text(f"left out: {left_out_in_short(self.left_out)}"))
        if self.printed:
            parts.append(Text(f"it printed {self.printed}"))
        return Group(*parts)

    def __str__(self) -> str:
        """The report as plain text."""
        return as_text(self)


def left_out_in_short(reasons: Sequence[str]) -> str:
    """How many cases were left out for which reasons, the commonest first, without their names."""
    counted = sorted(map(_counted, reasons), key=lambda pair: -pair[1])
    shown = [f"{reason} ({count} {'case' if count == 1 else 'cases'})" if count else reason for reason, count in counted]
    rest = counted[_REASONS:]
    more = [f"{sum(count for _, count in rest)} more cases"] if rest else []
    return ", ".join(shown[:_REASONS] + more)


def _counted(reason: str) -> tuple[str, int]:
    """A reason, and how many cases the brackets at its end name or count; 0 where it has none."""
    if not reason.endswith(")"):
        return reason, 0
    opening = depth = 0
    for place, letter in reversed(list(enumerate(reason))):
        depth += (letter == ")") - (letter == "(")
        if depth == 0:
            opening = place
            break
    words, named = reason[:opening].rstrip(), reason[opening + 1 : -1]
    number, _, unit = named.partition(" ")
    return words, int(number) if unit == "cases" and number.isdigit() else named.count("; ") + 1


def as_text(shown: Any) -> str:
    """A Rich renderable as text of 128 columns, without colours."""
    from rich.console import Console

    page = StringIO()
    Console(file=page, width=128, color_system=None, highlight=False).print(shown)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def row_cells(row: Row) -> tuple[str, ...]:
    """A row's cells, as Rich markup."""
    from rich.markup import escape

    # A remark on a row with numbers is about something else, and they are right.
    compared = not math.isnan(row.error) and not row.remark
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
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
