"""The smallest failing case on a piece of paper: what goes in, what should come out and what comes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jcnn.check.report import Block, Smallest

Array = np.ndarray

_WIDEST, _TALLEST = 12, 12

Order = Callable[[str, int], tuple[int, ...]]
"""From an array's name and the number of its axes to the order in which they are shown."""


def draw_case(
    name: str,
    args: Mapping[str, Any],
    options: Mapping[str, Any],
    leaf: str,
    expected: Array,
    got: Array | None,
    order: Order = lambda _, axes: tuple(range(axes)),
    problem: str = "",
) -> Smallest:
    """A case with what should come out and what came, as tables.

    Of arrays with several examples or channels one slice is shown, the one of the first wrong number.

    Args:
        name: the case's.
        args: its arguments by name.
        options: its keyword arguments.
        leaf: the output that is shown.
        expected: what it should be.
        got: what came; None for nothing.
        order: the order in which axes are shown.
        problem: what else is wrong than the numbers.
    """

    def shown(title: str, of: str, values: Array, where: tuple[Any, ...] | None = None, wrong: Array | None = None) -> Block:
        return _block(title, values, where, wrong, order(of, values.ndim))

    called = ", ".join(
        [*(f"{k}={v}" for k, v in args.items() if not isinstance(v, np.ndarray)), *(f"{k}={v!r}" for k, v in options.items())]
    )
    given = tuple(shown(name, name, value) for name, value in args.items() if isinstance(value, np.ndarray))
    if got is None or got.shape != expected.shape:
        came, wanted = (a is not None and tuple(a.shape[axis] for axis in order(leaf, a.ndim)) for a in (got, expected))
        note = f"{leaf}: {'nothing' if got is None else f'shape {came}'}, expected shape {wanted}"
        outputs = [shown(f"expected {leaf}", leaf, expected), *([] if got is None else [shown(f"got {leaf}", leaf, got)])]
        return Smallest(name, called, given, note, tuple(outputs))
    scale = max(float(np.abs(expected).max(initial=0)), 1e-300)
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(got - expected) <= 1e-12 * scale) | (got == expected))
    # −0 is as right as 0, and shall not look like what is wrong.
    expected, got = expected + 0.0, got + 0.0
    note = f"{leaf} is right; but: {problem}" if problem and not wrong.any() else ""
    where = tuple(np.argwhere(wrong)[0]) if wrong.any() else (0,) * expected.ndim
    outputs = (shown(f"expected {leaf}", leaf, expected, where), shown(f"got {leaf}", leaf, got, where, wrong))
    return Smallest(name, called, given, note, outputs)


def as_picture(smallest: Smallest) -> str:
    """The case in lines of text, arrays side by side, wrong numbers of the result marked with a star."""
    lines = [f"smallest failing case: {smallest.case}", smallest.called, *_beside(smallest.given), ""]
    note = [smallest.note] if smallest.note else []
    return "\n".join([*lines, *note, *_beside(smallest.outputs)]).strip()


def _block(name: str, values: Array, where: tuple[Any, ...] | None, wrong: Array | None, order: tuple[int, ...]) -> Block:
    """A title and the rows of a slice of at most two axes, the largest of the array."""
    if not values.size:
        return Block(name, (("(empty)",),), ((False,),))
    where = where or (0,) * values.ndim
    axes = [axis for axis, size in enumerate(values.shape) if size > 1]
    kept = sorted(sorted(axes, key=lambda axis: (axis in {0, values.ndim - 1}, axis))[:2]) if values.ndim > 2 else axes
    turned = [axis for axis in order if axis in kept] != list(kept)

    def sliced(array: Array) -> Array:
        index = tuple(slice(None) if axis in kept else int(at) for axis, at in enumerate(where))
        table = np.reshape(array[index], tuple(values.shape[axis] for axis in kept))
        return np.atleast_2d(table.T if turned else table)

    shown = sliced(values)
    table = shown[:_TALLEST, :_WIDEST]
    marks = np.zeros(shown.shape, bool) if wrong is None else sliced(wrong)
    spec = ", ".join(":" if axis in kept else str(int(where[axis])) for axis in order)
    cut = " …" if shown.shape != table.shape else ""
    title = f"{name}[{spec}]{cut}" if len(axes) > len(kept) else f"{name}{cut}"
    cells = tuple(tuple(f"{value:.4g}" for value in row) for row in table)
    return Block(title, cells, tuple(tuple(map(bool, row)) for row in marks[:_TALLEST, :_WIDEST]))


def _lines(block: Block) -> list[str]:
    cells = [
        [f"{cell}{'*' if wrong else ''}" for cell, wrong in zip(*rows, strict=True)]
        for rows in zip(block.cells, block.wrong, strict=True)
    ]
    width = max((len(cell) for row in cells for cell in row), default=1)
    title = f"{block.title}   (* wrong)" if any(map(any, block.wrong)) else block.title
    return [title, *(" ".join(cell.rjust(width) for cell in row) for row in cells)]


def _beside(blocks: Sequence[Block]) -> list[str]:
    columns = [_lines(block) for block in blocks]
    height = max(map(len, columns), default=0)
    widths = [max(map(len, column)) for column in columns]
    rows = []
    for number in range(height):
        cells = (column[number] if number < len(column) else "" for column in columns)
        rows.append("   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return rows
