"""The page's pictures: arrays as squares with numbers, and frames around what a window sees."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jcnn.explore.arithmetic import Layer, number
from jcnn.explore.fields import Field
from jcnn.figures.cells import draw_cells, draw_window
from jcnn.figures.images import draw_image
from jcnn.figures.style import SMALL, Theme, bare, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 14
"""Squares along a side up to which they hold their numbers."""

WIDE = 4.0
"""Inches; half of the page on a desk, all of it on a phone."""

LEAST = 5.0
"""Points; smaller numbers are left out."""


def input_picture(layer: Layer, row: int, column: int, theme: Theme) -> "Figure":
    """The picture in its padding, the window's frame at a position, and a frame on each tap if they stand apart."""
    figure, axes = _input(layer, theme)
    (top, left), (height, width) = _first(layer, row, column), _spans(layer)
    colour = _frame_colour(layer, theme)
    apart = max(layer.window.dilation) > 1
    draw_window(axes, top, left, height, width, colour, dashed=apart, thick=1.5 if apart else 3)
    if apart:
        for i, j in layer.window.taps():
            r, c = top + layer.window.dilation[0] * i, left + layer.window.dilation[1] * j
            draw_window(axes, r, c, 1, 1, colour)
    return figure


def fields_picture(layer: Layer, fields: list[Field], theme: Theme) -> "Figure":
    """The picture, and a frame around what the middle number of each deeper map sees, numbered."""
    figure, axes = _input(layer, theme)
    (low, _), (left, _) = layer.window.padding
    colour = _frame_colour(layer, theme)
    for field in fields:
        top, start = field.first[0] + low, field.first[1] + left
        height, width = field.size
        draw_window(axes, top, start, height, width, colour, thick=1 + 0.6 * field.depth)
        axes.annotate(
            str(field.depth), (start - 0.5, top - 0.5), (2, -2), textcoords="offset points", va="top", ha="left",
            color=theme.paper, fontsize=SMALL - 2, zorder=6, annotation_clip=False,
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    # Deep fields reach beyond the padding; they are drawn whole.
    height, width = (n + lo + hi for n, (lo, hi) in zip(layer.x.shape, layer.window.padding, strict=True))
    tops, starts = [f.first[0] + low for f in fields], [f.first[1] + left for f in fields]
    ends = [(t + f.size[0], s + f.size[1]) for t, s, f in zip(tops, starts, fields, strict=True)]
    axes.set_xlim(min(0, *starts) - 0.6, max(width, *(end for _, end in ends)) - 0.4)
    axes.set_ylim(max(height, *(end for end, _ in ends)) - 0.4, min(0, *tops) - 0.6)
    return figure


def matrix_picture(
    values: Float[np.ndarray, "h w"], theme: Theme, mark: tuple[int, int] | None = None, width: float = WIDE
) -> "Figure":
    """A matrix as squares, a frame around one of them."""
    figure, axes = _canvas(values.shape, theme, width)
    _cells(axes, values, theme, figure.get_size_inches()[0])
    if mark:
        draw_window(axes, *mark, 1, 1, theme.ink, thick=2)
    return figure


def output_picture(
    layer: Layer, values: Float[np.ndarray, "h w"], theme: Theme, mark: tuple[int, int] | None = None
) -> "Figure":
    """A matrix in squares as large as those of the picture, so that it is seen to shrink; but never tiny."""
    columns = layer.x.shape[1] + sum(layer.window.padding[1])
    width = WIDE * values.shape[1] / columns
    return matrix_picture(values, theme, mark, min(WIDE, max(width, 0.4 * values.shape[1], 1.6)))


def is_image(x: np.ndarray) -> bool:
    """Whether this is a photograph, and not numbers to be read."""
    return x.dtype == np.uint8 or max(x.shape) > MOST


def _input(layer: Layer, theme: Theme) -> "tuple[Figure, Axes]":
    if is_image(layer.x):
        padded = np.pad(layer.x, layer.window.padding).astype(np.uint8)
        figure, axes = _canvas(padded.shape, theme)
        draw_image(axes, padded[..., None])
        bare(axes)
        return figure, axes
    padded = np.pad(layer.x.astype(np.float64), layer.window.padding, constant_values=np.nan)
    figure, axes = _canvas(padded.shape, theme)
    _cells(axes, padded, theme, WIDE)
    (top, _), (left, _) = layer.window.padding
    if max(max(layer.window.padding)) > 0:
        height, width = layer.x.shape
        draw_window(axes, top, left, height, width, theme.muted, thick=1)
    return figure, axes


def _canvas(shape: tuple[int, ...], theme: Theme, width: float = WIDE) -> "tuple[Figure, Axes]":
    """One picture on a figure of its proportions, a small margin around it for frames."""
    inner = width - 0.16
    height = inner * shape[0] / shape[1] + 0.16
    figure = new_figure(height, theme, width)
    figure.set_layout_engine("none")
    return figure, figure.add_axes((0.08 / width, 0.08 / height, inner / width, 1 - 0.16 / height))


def _cells(axes: "Axes", values: Float[np.ndarray, "h w"], theme: Theme, width: float) -> None:
    longest = max(len(number(value)) for value in values[np.isfinite(values)].ravel())
    cell = 72 * (width - 0.16) / values.shape[1]
    size = min(SMALL + 2, cell / (0.66 * longest + 0.3))
    legible = max(values.shape) <= MOST and size >= LEAST
    draw_cells(axes, values, theme, numbers=number if legible else None, size=size)


def _first(layer: Layer, row: int, column: int) -> tuple[int, int]:
    return layer.window.stride[0] * row, layer.window.stride[1] * column


def _spans(layer: Layer) -> tuple[int, int]:
    height, width = (d * (f - 1) + 1 for f, d in zip(layer.window.size, layer.window.dilation, strict=True))
    return height, width


def _frame_colour(layer: Layer, theme: Theme) -> str:
    return theme.orange if is_image(layer.x) else theme.blue
