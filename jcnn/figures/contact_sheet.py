"""The contact sheet: what is in a data set, a row of images for each class."""

import unicodedata
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from jcnn.data.dataset import Dataset
from jcnn.figures.images import TILE, enlarge
from jcnn.figures.style import LIGHT, SMALL, WIDTH, Theme, bare, new_figure, shorten, statement
from jcnn.printing import visible
from jcnn.summary import times

MOST = 400
"""Classes drawn at most; more would make a sheet that no viewer opens."""

MARGIN, TITLE, BETWEEN, SPACE = 0.1, 0.5, 0.18, 0.08
"""Inches: the margin, the title, between two columns of classes, between a name, its number and the images."""

INNER = WIDTH - 2 * MARGIN

DENSE = 200
"""Pixels an inch a PNG has; images at least twice as fine are averaged down to it, they would flicker otherwise."""


class Style(NamedTuple):
    """What depends on the number of columns; lengths in inches.

    Attributes:
        size: of names and numbers, in points.
        label: room for a name and a number at most.
        low: an image's height that decides how many images fit; 0 where all that are asked for must.
        high: an image's height at most.
    """

    size: float
    label: float
    low: float
    high: float


STYLES = {1: Style(SMALL, 1.45, 0.0, 0.75), 2: Style(8.0, 1.22, 0.2, 0.3)}


class Sheet(NamedTuple):
    """The sheet's plan. Sizes are in pixels of the canvas, (height, width), unless they are in inches.

    Attributes:
        chosen: (classes drawn, images a class), the images' numbers, −1 where a class has no more.
        counts: how many images each class has, (classes,).
        columns: of classes.
        shrink: image pixels that become one, a side.
        zoom: pixels of the canvas an image pixel takes, a side.
        tile: one image.
        cell: one image with the gaps around it: above and below, and at its right.
        label: width of the names and numbers, before each column's images.
        between: width of nothing after each column but the last.
        pixel: inches a pixel.
        names: of the classes drawn, shortened to fit.
        size: of their letters, in points.
    """

    chosen: Int[np.ndarray, "rows shown"]
    counts: Int[np.ndarray, " classes"]
    columns: int
    shrink: int
    zoom: int
    tile: tuple[int, int]
    cell: tuple[int, int]
    label: int
    between: int
    pixel: float
    names: list[str]
    size: float

    @property
    def rows(self) -> int:
        """Classes in the first column; the last may have fewer."""
        return -(-len(self.chosen) // self.columns)

    @property
    def canvas_shape(self) -> tuple[int, int]:
        """Height and width of the canvas."""
        height, width = self.cell
        column = self.label + self.chosen.shape[1] * width + self.between
        return self.rows * height, self.columns * column - self.between

    def corner(self, number: int, image: int) -> tuple[int, int]:
        """The top left pixel of a class's image, both counted from 0."""
        column, row = divmod(number, self.rows)
        step = self.label + self.chosen.shape[1] * self.cell[1] + self.between
        top = row * self.cell[0] + (self.cell[0] - self.tile[0]) // 2
        return top, column * step + self.label + image * self.cell[1]


def contact_sheet(dataset: Dataset, *, per_class: int = 12, max_classes: int = 20, theme: Theme = LIGHT) -> Figure:
    """A row for each class: its name, how many images it has, and the first of them, pixel by pixel.

    Up to `max_classes` classes stand one below the other; more stand in two columns, read downwards, with smaller images and
    only as many of each class as fit. At most 400 classes are drawn.

    Args:
        dataset: images (N, H, W, C) with C = 1 (grey), 3 (RGB) or 4 (RGB and opacity, drawn on white).
        per_class: images of each class at most.
        max_classes: classes in one column.
        theme: the colours.

    Returns:
        The figure; without classes or pixels, one that says so.

    Raises:
        ValueError: images of another type, shape or number of channels; labels without a class name; numbers below 1.
    """
    sheet = plan(dataset, per_class, max_classes)
    if sheet is None:
        return statement(f"{dataset.name}, {dataset.split}: no classes or no pixels to show.", theme)
    canvas = compose(dataset.images, sheet)
    width, height = canvas.shape[1] * sheet.pixel, canvas.shape[0] * sheet.pixel
    body = height + MARGIN
    figure = new_figure(body + TITLE, theme)
    figure.set_layout_engine("none")
    axes = figure.add_axes((MARGIN / WIDTH, 0.0, INNER / WIDTH, body / (body + TITLE)))
    bare(axes)
    axes.imshow(canvas, extent=(0.0, width, height, 0.0), aspect="auto", interpolation="none")
    axes.set(xlim=(0.0, INNER), ylim=(body, 0.0))
    lines = (fitted(line, SMALL, INNER) for line in (f"{dataset.name} · {dataset.split}", _summary(dataset, sheet)))
    axes.set_title("\n".join(lines), parse_math=False, loc="left", color=theme.ink, fontsize=SMALL, pad=5)
    for number, name in enumerate(sheet.names):
        top, right = sheet.corner(number, 0)
        # The middle of the small letters, so that every name sits alike, whatever its letters.
        line = (top + sheet.tile[0] / 2) * sheet.pixel + 0.35 * sheet.size / 72
        axes.text((right - sheet.label) * sheet.pixel, line, name, color=theme.ink, fontsize=sheet.size, parse_math=False)
        end = right * sheet.pixel - SPACE
        axes.text(end, line, f"{sheet.counts[number]:,}", ha="right", color=theme.muted, fontsize=sheet.size)
    return figure


def about_contact_sheet(dataset: Dataset, *, per_class: int = 12, max_classes: int = 20) -> str:
    """What the sheet holds, and the smallest and the largest class; arguments and errors as `contact_sheet`."""
    sheet = plan(dataset, per_class, max_classes)
    text = f"Contact sheet of {visible(dataset.name)}, {dataset.split}"
    if sheet is None:
        return f"{text}: no classes or no pixels to show."
    text = f"{text}: {_summary(dataset, sheet)}"
    least, most = int(sheet.counts.argmin()), int(sheet.counts.argmax())
    if sheet.counts[least] == sheet.counts[most]:
        return f"{text}; every class has {_many(int(sheet.counts[most]), 'image')}."
    names = [visible(name) for name in dataset.class_names]
    return f"{text}; from {sheet.counts[least]:,} of class {names[least]} to {sheet.counts[most]:,} of class {names[most]}."


def plan(dataset: Dataset, per_class: int, max_classes: int) -> Sheet | None:
    """Which images go where; None without classes or pixels. Arguments and errors as `contact_sheet`."""
    _check(dataset, per_class, max_classes)
    height, width, _ = dataset.input_shape
    if not (dataset.classes and height and width):
        return None
    drawn = min(dataset.classes, MOST)
    columns = 1 if drawn <= max_classes else 2
    size, room, low, high = STYLES[columns]
    counts = np.bincount(dataset.labels, minlength=dataset.classes)
    numbers = max(extent(f"{count:,}", size) for count in counts[:drawn]) + 2 * SPACE
    names = [fitted(name, size, room - numbers) for name in dataset.class_names[:drawn]]
    label = max(extent(name, size) for name in names) + numbers
    column = (INNER - (columns - 1) * BETWEEN) / columns - label
    shown = min(per_class, int(counts[:drawn].max()) or per_class)
    if low:
        shown = min(shown, max(1, int(column / (low * width / height))))
    across = min(column / shown, high * width / height)
    shrink = max(1, int(width / (across * DENSE)))
    height, width = -(-height // shrink), -(-width // shrink)
    zoom = max(1, -(-TILE // max(height, width))) if shrink == 1 else 1
    tile = zoom * height, zoom * width
    gap = max(1, round(0.08 * max(tile)))
    pixel = min(column / (shown * (tile[1] + gap)), high / tile[0])
    # Flat images leave room for a line of text.
    pitch = max(tile[0] + gap, int(np.ceil(1.3 * size / 72 / pixel)))
    step = round((INNER + BETWEEN) / columns / pixel)
    before = int(np.ceil(label / pixel))
    # A column's width in whole pixels is at most a pixel more than its share.
    between = max(0, step - before - shown * (tile[1] + gap))
    chosen = firsts(dataset.labels, counts, shown)[:drawn]
    return Sheet(chosen, counts, columns, shrink, zoom, tile, (pitch, tile[1] + gap), before, between, pixel, names, size)


def firsts(labels: Int[np.ndarray, " n"], counts: Int[np.ndarray, " classes"], shown: int) -> Int[np.ndarray, "classes shown"]:
    """The numbers of the first images of each class, in the data set's order; −1 where a class has no more."""
    order = np.append(np.argsort(labels, kind="stable"), -1)
    position = np.arange(shown)
    starts = np.cumsum(counts) - counts
    return order[np.where(position < counts[:, None], starts[:, None] + position, -1)]


def compose(images: UInt8[np.ndarray, "n h w c"], sheet: Sheet) -> UInt8[np.ndarray, "height width 4"]:
    """All images in their places, with an opacity: nothing where there is no image."""
    canvas = np.zeros((*sheet.canvas_shape, 4), np.uint8)
    height, width = sheet.tile
    for number, numbers in enumerate(sheet.chosen):
        tiles = enlarge(averaged(colours(images[numbers[numbers >= 0]]), sheet.shrink), sheet.zoom)
        for image, tile in enumerate(tiles):
            top, left = sheet.corner(number, image)
            canvas[top : top + height, left : left + width, :3] = tile
            canvas[top : top + height, left : left + width, 3] = 255
    return canvas


def colours(images: UInt8[np.ndarray, "n h w c"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Grey, RGB, or RGB with an opacity a, on white: a·rgb + (1 − a)·255."""
    if images.shape[-1] == 4:
        opacity = images[..., 3:] / np.float32(255)
        return np.rint(opacity * images[..., :3] + (1 - opacity) * 255).astype(np.uint8)
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def averaged(images: UInt8[np.ndarray, "n h w c"], shrink: int) -> UInt8[np.ndarray, "n H W c"]:
    """The mean of every square of shrink × shrink pixels; those at the right and the bottom edge may hold fewer."""
    if shrink == 1:
        return images
    means = images.astype(np.float32)
    for axis in (1, 2):
        starts = np.arange(0, images.shape[axis], shrink)
        sizes = np.diff(starts, append=images.shape[axis]).astype(np.float32)
        means = np.add.reduceat(means, starts, axis=axis) / np.expand_dims(sizes, tuple({0, 1, 2, 3} - {axis}))
    return np.rint(means).astype(np.uint8)


def fitted(text: str, size: float, inches: float) -> str:
    """The text on one line, control characters made visible, shortened until it is no wider than that."""
    text = visible(" ".join(text.split()))
    # Not even the narrowest letters fit in greater number.
    limits = range(min(len(text), int(inches * 72 / size / 0.2)), 0, -1)
    return next((short for limit in limits if extent(short := shorten(text, limit), size) <= inches), "…" if text else "")


def extent(text: str, size: float) -> float:
    """Inches a line of text takes."""
    return sum(map(_advance, text)) * size / 72


@lru_cache(maxsize=4096)
def _advance(letter: str) -> float:
    """Ems a letter takes in Matplotlib's font; those it lacks, as the reader's font will draw them."""
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        return text_to_path.get_text_width_height_descent(letter, FontProperties(size=100.0), ismath=False)[0] / 100


def _summary(dataset: Dataset, sheet: Sheet) -> str:
    drawn, shown = sheet.chosen.shape
    some = f"{drawn:,} of " if drawn < dataset.classes else ""
    images, classes = _many(len(dataset.images), "image"), _many(dataset.classes, "class", "classes")
    return f"{images} · {times(dataset.input_shape)} · {some}{classes} · first {f'{shown} ' if shown > 1 else ''}of each"


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _check(dataset: Dataset, per_class: int, max_classes: int) -> None:
    for name, value in (("per_class", per_class), ("max_classes", max_classes)):
        if value < 1:
            raise ValueError(f"{name}={value}: expected at least 1")
    images, labels = dataset.images, dataset.labels
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(f"dataset.images {images.shape} of {images.dtype}: expected (N, H, W, C) of uint8")
    if images.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"dataset.images {images.shape}: expected 1 (grey), 3 (RGB) or 4 (RGBA) channels, not {images.shape[-1]}"
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(f"dataset.labels {labels.shape}: expected {images.shape[:1]}, one per image")
    if labels.size and not 0 <= labels.min() <= labels.max() < dataset.classes:
        raise ValueError(f"dataset.labels go from {labels.min()} to {labels.max()}: expected 0 to {dataset.classes - 1}")
