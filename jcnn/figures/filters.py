"""The filters of the first convolution layer: what the network looks for in the pixels themselves."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure

from jcnn.figures.images import enlarge, largest, mosaic
from jcnn.figures.style import LIGHT, SMALL, WIDTH, Theme, bare, diverging, new_figure
from jcnn.layers import Conv, Network
from jcnn.layers.composite import as_layer, walk
from jcnn.network import Params

MOST = 96
"""Tiles drawn at most; half as many in colour, which need more room."""


class FirstFilters(NamedTuple):
    """The filters of the first convolution layer, as they are drawn.

    Attributes:
        layer: its place in the network, such as 1 or 3.1.
        filters: how many there are.
        tiles: (n, h, w) slices, one per filter and input channel, or (n, h, w, 3) for filters on colours.
        scale: the largest magnitude of a weight.
    """

    layer: str
    filters: int
    tiles: Float[np.ndarray, "n h w *c"]
    scale: float


def find_first_filters(network: Network, params: Params) -> FirstFilters | None:
    """The weights (h, w, c_in, c_out) of the first convolution of two spatial axes, as tiles; None without one."""
    learned = False
    for place, layer, own in walk(as_layer(network), params):
        if isinstance(layer, Conv) and own["w"].ndim == 4:
            weights = np.asarray(own["w"]).astype(np.float64).transpose(3, 0, 1, 2)
            filters, height, width, channels = weights.shape
            # Only filters on the pixels themselves have colours; deeper ones see maps.
            if not (channels == 3 and layer.groups == 1 and not learned):
                weights = weights.transpose(0, 3, 1, 2).reshape(-1, height, width)
            return FirstFilters(place, filters, weights, largest(weights))
        learned = learned or (not layer.branches and bool(jax.tree.leaves(own)))
    return None


def first_filters(network: Network, params: Params, *, theme: Theme = LIGHT) -> Figure | None:
    """Every filter of the first convolution as a small picture, at most 96 of them, 48 in colour.

    Filters on three channels are drawn in colour, mid-grey for 0, each on a scale of its own, since few are as strong as the
    strongest; how strong it is, a bar below it says. Beside it stand its three channels, red, green and blue, in blue where
    they are negative and orange where positive. Others are drawn in these two alone, one tile per input channel, on one scale.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        theme: the colours.

    Returns:
        The figure, or None: no convolution of two spatial axes.
    """
    found = find_first_filters(network, params)
    if found is None:
        return None
    return _coloured(found, theme) if found.tiles.ndim == 4 else _plain(found, theme)


def _plain(found: FirstFilters, theme: Theme) -> Figure:
    tiles = found.tiles[:MOST]
    canvas = mosaic(tiles, max(4, min(8, len(tiles))) if len(tiles) <= 32 else 12)
    figure = new_figure(min(WIDTH * canvas.shape[0] / canvas.shape[1], 8.0) + 0.75, theme)
    axes = figure.add_subplot()
    bare(axes)
    norm = Normalize(-found.scale, found.scale)
    axes.imshow(canvas, cmap=diverging(theme), norm=norm, interpolation="none")
    bar = scale_bar(figure, norm, theme, ax=axes, shrink=0.6, aspect=30, pad=0.03)
    bar.set_ticks([-found.scale, 0.0, found.scale], labels=[f"−{found.scale:.2g}", "0", f"+{found.scale:.2g}"])
    bar.set_label("weight", color=theme.ink, fontsize=SMALL)
    return figure


def _coloured(found: FirstFilters, theme: Theme) -> Figure:
    tiles = found.tiles[: MOST // 2]
    columns = 4 if len(tiles) <= 12 else 6
    cells = np.stack([_cell(tile, found.scale, theme) for tile in tiles])
    canvas = mosaic(cells, columns, zoom=1)
    canvas = np.where(np.isfinite(canvas), canvas, 0.0)  # between the cells, and where there is no number, nothing
    figure = new_figure(min(0.96 * WIDTH * canvas.shape[0] / canvas.shape[1], 8.5) + 0.55, theme)
    axes = figure.add_subplot()
    bare(axes)
    axes.imshow(canvas, interpolation="none")
    side = cells.shape[1] - BAR - GAP
    shown = min(columns, len(tiles))
    edge = shown * cells.shape[2] + (shown - 1) * (canvas.shape[1] - columns * cells.shape[2]) / max(columns - 1, 1)
    for channel, letter in enumerate("RGB"):
        words = {"va": "center", "color": theme.muted, "fontsize": SMALL - 2}
        axes.text(edge, (channel + 0.5) * side / 3, f" {letter}", **words)
    axes.set_xlabel(
        f"colour: mid-grey is a weight of 0; R, G, B: orange > 0, blue < 0\n"
        f"bar: the largest weight; the longest bar is {found.scale:.2g}",
        color=theme.muted,
        fontsize=SMALL,
    )
    return figure


SIDE, GAP, BAR = 48, 3, 4
"""Pixels of a filter's tile at least, between the parts of a cell, and of the bar's height."""


def _cell(tile: Float[np.ndarray, "h w 3"], scale: float, theme: Theme) -> Float[np.ndarray, "rows columns 4"]:
    """One filter on its own scale: in colour, its three channels beside it, and below it how strong it is."""
    own = largest(tile)
    height, width, _ = tile.shape
    zoom = 3 * max(1, -(-SIDE // (3 * max(height, width))))
    rows, columns = zoom * height, zoom * width
    cell = np.zeros((rows + GAP + BAR, columns + GAP + columns // 3, 4))
    cell[:rows, :columns] = _opaque(enlarge((0.5 + tile / (2 * own))[None], zoom)[0])
    each = (rows - 2 * GAP) // 3
    down, across = np.arange(each) * height // each, np.arange(columns // 3) * width // (columns // 3)
    colours = diverging(theme)
    for channel in range(3):
        top = channel * (rows - each) // 2
        plane = tile[down][:, across, channel]
        cell[top : top + each, columns + GAP :] = colours(Normalize(-own, own)(np.ma.masked_invalid(plane)))
    strength = np.abs(tile[np.isfinite(tile)]).max(initial=0.0) / scale
    cell[-BAR:, : round(columns * strength)] = (*to_rgb(theme.muted), 1.0)
    return cell


def scale_bar(figure: Figure, norm: Normalize, theme: Theme, **where: Any) -> Colorbar:
    """A horizontal colour bar of the diverging scale, without ticks; `where` as `Figure.colorbar`."""
    bar = figure.colorbar(ScalarMappable(norm, diverging(theme)), orientation="horizontal", **where)
    bar.ax.tick_params(labelcolor=theme.muted, color=theme.muted, labelsize=SMALL)
    bar.ax.spines[:].set_visible(False)
    return bar


def about_filters(found: FirstFilters) -> str:
    """How many filters of what size, and the range of their weights."""
    _, height, width = found.tiles.shape[:3]
    coloured = found.tiles.ndim == 4
    kind = (
        "in colour, each on its own scale, and channel by channel"
        if coloured
        else "blue for negative, orange for positive weights"
    )
    most = MOST // 2 if coloured else MOST
    tiles = f", {most} tiles of {len(found.tiles)} shown" if len(found.tiles) > most else ""
    size = f"{found.filters} filters of {height}×{width} pixels"
    return f"{size} of layer {found.layer}{tiles}, {kind}; weights between −{found.scale:.2g} and +{found.scale:.2g}."


def _opaque(colours: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 4"]:
    """Colours with an opacity: nothing where there is no number."""
    there = np.isfinite(colours).all(axis=-1, keepdims=True)
    return np.concatenate([np.where(there, colours, 0.0).clip(0, 1), there], axis=-1)
