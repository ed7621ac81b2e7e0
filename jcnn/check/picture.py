"""A case as a picture of numbers: what went in, what should come out, what came."""

from typing import Any

import numpy as np

Array = np.ndarray
_WIDEST, _TALLEST = 12, 12


def picture(args: dict[str, Any], options: dict[str, Any], leaf: str, expected: Array, got: Array | None) -> str:
    """The arrays side by side; of those with several examples or channels one slice, the one of the worst element.

    Wrong numbers of the result are marked with a star.
    """
    called = ", ".join(
        [*(f"{k}={v}" for k, v in args.items() if not isinstance(v, np.ndarray)), *(f"{k}={v!r}" for k, v in options.items())]
    )
    blocks = [_block(name, value) for name, value in args.items() if isinstance(value, np.ndarray)]
    lines = [*_beside(blocks), ""]
    if got is None or got.shape != expected.shape:
        shapes = f"{leaf}: {'nothing' if got is None else f'shape {got.shape}'}, expected shape {expected.shape}"
        outputs = [_block(f"expected {leaf}", expected), *([] if got is None else [_block(f"got {leaf}", got)])]
        return "\n".join([called, *lines, shapes, *_beside(outputs)]).strip()
    scale = max(float(np.abs(expected).max(initial=0)), 1e-300)
    wrong = ~(np.abs(got - expected) <= 1e-12 * scale)
    where = tuple(np.argwhere(wrong)[0]) if wrong.any() else (0,) * expected.ndim
    outputs = [_block(f"expected {leaf}", expected, where), _block(f"got {leaf}", got, where, wrong)]
    return "\n".join([called, *lines, *_beside(outputs)]).strip()


def _block(name: str, values: Array, where: tuple[Any, ...] | None = None, wrong: Array | None = None) -> list[str]:
    """A title and the rows of a slice of at most two axes, the largest of the array."""
    if not values.size:
        return [name, "(empty)"]
    where = where or (0,) * values.ndim
    axes = [axis for axis, size in enumerate(values.shape) if size > 1]
    kept = sorted(sorted(axes, key=lambda axis: (axis in {0, values.ndim - 1}, axis))[:2]) if values.ndim > 2 else axes
    index = tuple(slice(None) if axis in kept else int(at) for axis, at in enumerate(where))
    shown = np.reshape(values[index], tuple(values.shape[axis] for axis in kept))
    table = np.atleast_2d(shown)[:_TALLEST, :_WIDEST]
    marks = (
        np.atleast_2d(wrong[index].reshape(shown.shape))[:_TALLEST, :_WIDEST]
        if wrong is not None
        else np.zeros(table.shape, bool)
    )
    cells = [
        [f"{value:.4g}{'*' if mark else ''}" for value, mark in zip(*pair, strict=True)]
        for pair in zip(table, marks, strict=True)
    ]
    width = max((len(cell) for row in cells for cell in row), default=1)
    sliced = len(axes) > len(kept)
    spec = ", ".join(":" if axis in kept else str(int(at)) for axis, at in enumerate(where))
    cut = " …" if np.atleast_2d(shown).shape != table.shape else ""
    title = f"{name}[{spec}]{cut}" if sliced else f"{name}{cut}"
    return [title, *(" ".join(cell.rjust(width) for cell in row) for row in cells)]


def _beside(blocks: list[list[str]]) -> list[str]:
    height = max((len(block) for block in blocks), default=0)
    widths = [max(map(len, block)) for block in blocks]
    rows = []
    for number in range(height):
        cells = (block[number] if number < len(block) else "" for block in blocks)
        rows.append("   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return rows
