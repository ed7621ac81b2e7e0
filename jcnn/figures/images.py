"""Arrays as pictures: one image, or many small ones in a mosaic."""

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

TILE = 24
"""Pixels a mosaic's tile has at least; smaller ones are enlarged so that the gaps between them can be thin."""


def draw_image(axes: Axes, image: UInt8[np.ndarray, "h w c"]) -> AxesImage:
    """One image as the camera saw it: three channels in colour, otherwise the mean of the channels in grey."""
    if image.shape[-1] == 3:
        return axes.imshow(image, interpolation="none")
    return axes.imshow(image.mean(axis=-1), cmap="gray", vmin=0, vmax=255, interpolation="none")


def as_seen(image: UInt8[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w 3"]:
    """The same as colours from 0 to 1."""
    channels = image if image.shape[-1] == 3 else image.mean(axis=-1, keepdims=True)
    return np.broadcast_to(channels / 255, (*image.shape[:2], 3))


def mosaic(tiles: Float[np.ndarray, "n h w *c"], columns: int, zoom: int | None = None) -> Float[np.ndarray, "rows columns *c"]:
    """Tiles side by side, row by row, not a number between them; every tile enlarged by the same whole factor.

    Args:
        tiles: (n, h, w) values, or (n, h, w, channels) colours.
        columns: tiles a row.
        zoom: how often every pixel is repeated along both axes; None: so often that a tile has 24 of them.

    Returns:
        (rows, columns) or (rows, columns, channels), without a margin.
    """
    count, height, width, *channels = tiles.shape
    zoom = zoom or max(1, -(-TILE // max(height, width)))
    gap = max(1, round(0.08 * zoom * max(height, width)))
    rows = -(-count // columns)
    cell = zoom * height + gap, zoom * width + gap
    canvas = np.full((rows * cell[0], columns * cell[1], *channels), np.nan, np.float64)
    for index, tile in enumerate(enlarge(tiles, zoom)):
        top, left = index // columns * cell[0], index % columns * cell[1]
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return canvas[:-gap, :-gap]


def enlarge(tiles: Shaped[np.ndarray, "n h w *c"], zoom: int) -> Shaped[np.ndarray, "n H W *c"]:
    """Every pixel as a square of zoom × zoom."""
    return tiles.repeat(zoom, axis=1).repeat(zoom, axis=2)


def largest(values: Float[np.ndarray, "..."]) -> float:
    """The largest finite magnitude, 1 if there is none but 0: a scale that can be divided by."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or 1.0
