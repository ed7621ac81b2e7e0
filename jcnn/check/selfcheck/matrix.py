"""Everything of ours, checked: operation × formulation × gradient × dtype."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from jcnn.check import bounds
from jcnn.check.operations import KINDS, OPERATIONS, own_cases
from jcnn.check.report import COLOURS, Verdict, as_text, worst_verdict
from jcnn.check.selfcheck.operation import Cell, check_cases
from jcnn.conv.ways import formulations
from jcnn.percentages import percent

DTYPES = tuple(bounds.UNIT)

_FEW = ("padding", "ties", "zero among them", "logits of ±1000", "any numbers")
"""Enough for dtypes of few digits, which show no more than gross errors."""
_PARALLEL = 2
_BACKWARD = "_backward"


class Matrix(NamedTuple):
    """All cells."""

    cells: tuple[Cell, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        return worst_verdict([cell.verdict for cell in self.cells])

    def to_json(self) -> str:
        """Verdict and cells as JSON."""
        cells = [{k: None if v != v else v for k, v in cell._asdict().items()} for cell in self.cells]  # noqa: PLR0124 (NaN)
        return json.dumps({"verdict": self.verdict, "cells": cells}, indent=2, ensure_ascii=False)

    def __rich__(self) -> Any:
        """A table: a row an operation and way, a column a dtype with the largest error and its part of the bound."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        dtypes = [dtype for dtype in DTYPES if any(cell.dtype == dtype for cell in self.cells)]
        table = Table(show_edge=False, pad_edge=False)
        for title in ("operation", "formulation", "gradient", *dtypes):
            table.add_column(title, overflow="fold")
        rows: dict[tuple[str, str, str], dict[str, str]] = {}
        for cell in self.cells:
            shown = f"{cell.error:.1e} ({percent(cell.relative, 0)})" if cell.cases else "refused"
            colour = COLOURS[cell.verdict]
            text = shown if cell.verdict == "agrees" else f"[{colour}]{cell.verdict}[/] {shown}"
            rows.setdefault(cell[:3], {})[cell.dtype] = text
        for names, found in rows.items():
            table.add_row(*names, *(found.get(dtype, "") for dtype in dtypes))
        bad = [cell for cell in self.cells if cell.verdict != "agrees"]
        parts: list[Any] = [table, Text("largest absolute error, and in brackets how much of the rounding bound it takes up")]
        parts += [Text(f"{' '.join(filter(None, cell[:4]))}: {cell.verdict}, {cell.remark}", style="red") for cell in bad]
        agreed = len(self.cells) - len(bad)
        parts.append(Text(f"{agreed} of {len(self.cells)} agree", style="green" if not bad else "red"))
        return Group(*parts)

    def __str__(self) -> str:
        """The table as plain text."""
        return as_text(self)


def check(operations: Sequence[str] | None = None, dtypes: Sequence[str] = DTYPES) -> Matrix:
    """Checks our own operations, each in every formulation, with both gradients, in every dtype.

    Values and gradients are compared with the sums written out in NumPy in float64 (`jcnn.definition.sums`), which are neither
    our operations nor JAX's derivatives: where autodiff and manual both agree with it, three derivations agree. A case that a
    formulation refuses is counted as skipped.

    Args:
        operations: names; None: all. `conv_backward` and the like ask for the gradients alone.
        dtypes: what to compute in.

    Returns:
        The matrix.

    Raises:
        ValueError: unknown operation or dtype.
    """
    for name, value, allowed in (("operations", operations or (), KINDS), ("dtypes", dtypes, DTYPES)):
        for entry in value:
            if entry not in allowed:
                raise ValueError(f"{name}={entry!r}: expected some of {', '.join(allowed)}")
    asked = operations or tuple(OPERATIONS)
    jobs = [
        (operation, formulation, dtype)
        for operation in dict.fromkeys(name.removesuffix(_BACKWARD) for name in asked)
        for formulation in ((*formulations(), "auto") if operation == "conv" else ("",))
        for dtype in dtypes
    ]
    # Compiling takes most of the time and leaves Python's lock alone.
    with ThreadPoolExecutor(_PARALLEL) as pool:
        found = list(pool.map(lambda job: list(_cells(*job)), jobs))
    cells = (cell for cells in found for cell in cells)
    return Matrix(
        tuple(cell for cell in cells if cell.operation in asked or (cell.gradient and cell.operation + _BACKWARD in asked))
    )


def _cells(operation: str, formulation: str, dtype: str) -> Iterator[Cell]:
    """The cells of the chosen cases."""
    cases = own_cases(operation)
    if dtype in {"float16", "bfloat16"}:
        cases = tuple(case for case in cases if case.name in _FEW) or cases[-1:]
    yield from check_cases(operation, formulation, dtype, cases)
