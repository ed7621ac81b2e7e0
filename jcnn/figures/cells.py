"""Arrays as one writes them on paper: a square for every number, the number in it, a frame around what a window sees."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import Rectangle

from jcnn.figures.style import SMALL, Theme, bare, diverging, readable_on


def draw_cells(
    axes: Axes,
    values: Num[np.ndarray, "h w"],
    theme: Theme,
    *,
    scale: float | None = None,
    numbers: Callable[[float], str] | None = "{:.3g}".format,
    size: float = SMALL,
    colours: Colormap | None = None,
) -> None:
    """Draws a matrix as squares, row 0 on top; the cell (row, column) has its centre at (x, y) = (column, row).

    Args:
        axes: where; its frame and ticks go.
        values: (H, W); NaN leaves a square empty.
        theme: the colours.
        scale: the value of the deepest colour, its negative that of the other end; None: the largest magnitude.
        numbers: writes a value into its square; None: colours only.
        size: of the numbers, in points.
        colours: a colour map over −scale … scale; None: blue below zero, orange above.
    """
    values = np.asarray(values, np.float64)
    height, width = values.shape
    largest = np.nanmax(np.abs(values), initial=0.0) if scale is None else scale
    norm = Normalize(-(largest or 1.0), largest or 1.0)
    colours = colours or diverging(theme)
    bare(axes)
    axes.imshow(values, cmap=colours, norm=norm, interpolation="none")
    for edge in range(1, max(height, width)):  # lines of the paper's colour between the squares
        if edge < height:
            axes.axhline(edge - 0.5, color=theme.paper, linewidth=1)
        if edge < width:
            axes.axvline(edge - 0.5, color=theme.paper, linewidth=1)
    if numbers is None:
        return
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = readable_on(colours(norm(value))[:3], theme)
            text = numbers(float(value)).replace("-", "−")
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=size)


def draw_window(
    axes: Axes, top: float, left: float, height: float, width: float, colour: str, *, dashed: bool = False, thick: float = 2.0
) -> None:
    """A frame around the cells from (top, left) on; it may reach beyond the matrix, into a padding.

    Args:
        axes: where cells were drawn.
        top: first row.
        left: first column.
        height: rows.
        width: columns.
        colour: of the line.
        dashed: a broken line.
        thick: points.
    """
    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5), width, height, fill=False, edgecolor=colour, linewidth=thick,
            linestyle="--" if dashed else "-", clip_on=False, zorder=5,
        )
    )  # fmt: skip
