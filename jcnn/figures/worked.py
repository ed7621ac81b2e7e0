"""One wrong number of an output: which numbers of the other arrays meet in it, and which should."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from jcnn.check.report import Operand, Worked
from jcnn.figures.cells import draw_cells, draw_window
from jcnn.figures.style import LIGHT, SMALL, TEXT, WIDTH, Theme, bare, new_figure, readable_on

MOST_PANELS = 9
_COLUMNS = 3
_LABELS = 3
_FRAMES = 6


class Numbered(NamedTuple):
    """A term of the right sum or of the candidate's.

    Attributes:
        number: from 1 on, by which it is found in the figure; a product has the same one on both sides.
        factors: (array, index) of what it multiplies.
        got: the candidate's coefficient, 0 where it leaves the product out.
        right: the right one, 0 where the product does not belong there.
    """

    number: int
    factors: tuple[tuple[str, tuple[int, ...]], ...]
    got: float
    right: float

    @property
    def wrong(self) -> bool:
        """The candidate adds it, and adds it wrongly."""
        return self.got != 0 and not np.isclose(self.got, self.right)

    @property
    def missing(self) -> bool:
        """It belongs there and is not there."""
        return self.got == 0


def number_terms(worked: Worked) -> list[Numbered]:
    """All products of an example, the right ones first."""
    got = {term.factors: term.coefficient for term in worked.got}
    right = {term.factors: term.coefficient for term in worked.right}
    products = dict.fromkeys([*right, *got])
    return [Numbered(n + 1, factors, got.get(factors, 0.0), right.get(factors, 0.0)) for n, factors in enumerate(products)]


def to_blame(term: Numbered, terms: Sequence[Numbered]) -> set[tuple[str, tuple[int, ...]]]:
    """The factors by which a product is wrong or missing: those that the other side has in no product, or else all of them."""
    others = [other for other in terms if (other.right != 0 if term.wrong else other.got != 0)]
    there = {factor for other in others for factor in other.factors}
    return set(term.factors) - there or set(term.factors)


class _Panel(NamedTuple):
    """A slice of an array with rows and columns."""

    array: Operand
    of: tuple[int, ...]

    @property
    def size(self) -> tuple[int, int]:
        shape = self.array.shape
        if len(shape) == 1:
            return 1, shape[0]
        if len(shape) == 2:
            return shape[0], shape[1]
        return (shape[0], shape[1]) if self.array.role == "filter" else (shape[1], shape[2])

    @property
    def title(self) -> str:
        shape, name = self.array.shape, self.array.name
        if len(shape) < 4 or all(shape[axis] == 1 for axis in _sliced(self.array)):
            return name
        first, last = self.of
        places = (":", ":", first, last) if self.array.role == "filter" else (first, ":", ":", last)
        return self.array.entry(places)


def _sliced(array: Operand) -> tuple[int, ...]:
    """The axes that are no rows and columns."""
    if len(array.shape) < 4:
        return ()
    return (2, 3) if array.role == "filter" else (0, 3)


def _panel(array: Operand, index: Sequence[int]) -> _Panel:
    return _Panel(array, tuple(index[axis] for axis in _sliced(array)))


def _cell(array: Operand, index: Sequence[int]) -> tuple[int, int]:
    if len(array.shape) == 1:
        return 0, index[0]
    kept = [place for axis, place in enumerate(index) if axis not in _sliced(array)]
    return kept[0], kept[1]


def worked_example(worked: Worked, *, theme: Theme = LIGHT) -> Figure:
    """The arrays as squares: framed the number that is wrong, blue what belongs in it, orange what the candidate takes wrongly.

    Squares of one product have one number, as in `number_terms`. A dashed blue frame is what belongs there and is missing;
    frames on the image are the windows of the outputs that meet.

    Args:
        worked: the example.
        theme: the colours.
    """
    terms = number_terms(worked)
    arrays = {array.name: array for array in worked.arrays}
    leaf = arrays[worked.leaf]
    # Of many slices those come first in which something is wrong.
    ordered = sorted(terms, key=lambda term: not (term.wrong or term.missing))
    shown = [(arrays[name], index) for term in ordered for name, index in term.factors]
    panels = list(dict.fromkeys([_panel(leaf, worked.index), *(_panel(array, index) for array, index in shown)]))
    order = [array.name for array in sorted(worked.arrays, key=lambda array: array.name != worked.leaf)]
    panels = sorted(panels[:MOST_PANELS], key=lambda panel: order.index(panel.array.name))
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    tallest = max(panel.size[0] / max(panel.size) for panel in panels)
    figure = new_figure(rows * (WIDTH / max(columns, 2) * tallest + 0.35) + 0.55, theme)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        bare(axes)
    largest = max(max(panel.size) for panel in panels)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw(axes, panel, worked, terms, theme)
        height, width = panel.size
        _fit(axes, height, width, largest, worked)
    names = {"belongs there": theme.blue, "taken wrongly": theme.orange}
    handles = [Patch(facecolor=colour, label=name) for name, colour in names.items()]
    handles.append(Patch(facecolor="none", edgecolor=theme.blue, linestyle="--", label="missing"))
    figure.legend(
        handles=handles, loc="outside lower left", ncols=3, frameon=False, fontsize=SMALL, labelcolor=theme.ink, borderpad=0
    )
    return figure


def _fit(axes: Axes, height: int, width: int, largest: int, worked: Worked) -> None:
    """Squares of one size in all panels, with room for windows that hang over."""
    over = max((*worked.padding, 0)) if worked.window else 0
    side = largest + 2 * over
    axes.set_xlim((width - side) / 2 - 0.6, (width + side) / 2 - 0.4)
    axes.set_ylim(max(height, 1) - 0.4 + over, -0.6 - over)


def _draw(axes: Axes, panel: _Panel, worked: Worked, terms: Sequence[Numbered], theme: Theme) -> None:
    draw_cells(axes, np.zeros(panel.size), theme, numbers=None)
    axes.set_title(panel.title, color=theme.ink, fontsize=TEXT, parse_math=False)
    cells: dict[tuple[int, int], list[tuple[Numbered, bool]]] = {}
    for term in terms:
        for name, index in term.factors:
            if name == panel.array.name and _panel(panel.array, index) == panel:
                cells.setdefault(_cell(panel.array, index), []).append((term, (name, index) in to_blame(term, terms)))
    for (row, column), here in cells.items():
        wrong = any(term.wrong and blamed for term, blamed in here)
        missing = any(term.missing and blamed for term, blamed in here)
        fill = theme.orange if wrong else theme.zero if missing else theme.blue
        axes.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, facecolor=fill, edgecolor="none", zorder=3))
        if missing:
            draw_window(axes, row + 0.06, column + 0.06, 0.88, 0.88, theme.blue, dashed=True)
        numbers = [str(term.number) for term, _ in here]
        text = ",".join(numbers[:_LABELS]) + ("…" if len(numbers) > _LABELS else "")
        size = SMALL if len(text) < 3 else SMALL - 3
        ink = readable_on(fill, theme)
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=size, zorder=6, parse_math=False)
    if panel.array.name == worked.leaf:
        row, column = _cell(panel.array, worked.index)
        draw_window(axes, row, column, 1, 1, theme.ink, thick=3)
    for (top, left), wrong in _windows(panel, worked, terms):
        high, wide = worked.window or (1, 1)
        draw_window(axes, top, left, high, wide, theme.orange if wrong else theme.blue, dashed=wrong, thick=1.2)


def _windows(panel: _Panel, worked: Worked, terms: Sequence[Numbered]) -> Iterator[tuple[tuple[int, int], bool]]:
    """Where on an image the windows of the outputs lie that meet in the number, and whether only wrong products take them."""
    if panel.array.role != "image" or worked.window is None:
        return
    arrays = {array.name: array for array in worked.arrays}
    found: dict[tuple[int, int], bool] = {}
    for term in terms:
        factors = [(worked.leaf, worked.index), *term.factors]
        inside = any(name == panel.array.name and _panel(panel.array, index) == panel for name, index in factors)
        for name, index in factors:
            if inside and arrays[name].role == "output":
                corner = tuple(
                    s * place - p for s, place, p in zip(worked.stride, _cell(arrays[name], index), worked.padding, strict=True)
                )
                found[corner[0], corner[1]] = found.get((corner[0], corner[1]), True) and term.right == 0
    if len(found) <= _FRAMES:
        yield from found.items()


def about_worked(worked: Worked) -> str:
    """What the figure shows, in words."""
    terms = number_terms(worked)
    wrong, missing = sum(term.wrong for term in terms), sum(term.missing for term in terms)
    right = sum(term.right != 0 for term in terms)
    number = worked.entry(worked.leaf, worked.index)
    return (
        f"The numbers that meet in {number}: {right} products belong there, {missing} of them are missing, {wrong} are taken "
        f"wrongly."
    )
