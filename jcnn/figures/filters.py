"""The filters of the first convolution layer: what the network looks for in the pixels themselves."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from jcnn.figures.images import largest, mosaic
from jcnn.figures.style import LIGHT, SMALL, WIDTH, Theme, bare, diverging, new_figure
from jcnn.layers import Conv, Network
from jcnn.layers.composite import as_layer, walk
from jcnn.network import Params

MOST = 96
"""Tiles drawn at most."""


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
    """Every filter of the first convolution as a small picture, all on one scale.

    Filters on three channels are drawn in colour, mid-grey for 0; others in blue (negative) and orange (positive), one
    tile per input channel. At most 96 tiles.

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
    tiles = found.tiles[:MOST]
    columns = max(4, min(8, len(tiles))) if len(tiles) <= 32 else 12
    canvas = _colours(mosaic(tiles / (2 * found.scale) + 0.5, columns)) if found.tiles.ndim == 4 else mosaic(tiles, columns)
    coloured = tiles.ndim == 4
    height = WIDTH * canvas.shape[0] / canvas.shape[1]
    figure = new_figure(min(height, 8.0) + (0.3 if coloured else 0.75), theme)
    axes = figure.add_subplot()
    bare(axes)
    if coloured:
        axes.imshow(canvas, interpolation="none")
        words = f"weight: black −{found.scale:.2g}, mid-grey 0, full brightness +{found.scale:.2g}"
        axes.set_xlabel(words, color=theme.muted, fontsize=SMALL)
        return figure
    norm = Normalize(-found.scale, found.scale)
    axes.imshow(canvas, cmap=diverging(theme), norm=norm, interpolation="none")
    bar = scale_bar(figure, norm, theme, ax=axes, shrink=0.6, aspect=30, pad=0.03)
    bar.set_ticks([-found.scale, 0.0, found.scale], labels=[f"−{found.scale:.2g}", "0", f"+{found.scale:.2g}"])
    bar.set_label("weight", color=theme.ink, fontsize=SMALL)
    return figure


def scale_bar(figure: Figure, norm: Normalize, theme: Theme, **where: Any) -> Colorbar:
    """A horizontal colour bar of the diverging scale, without ticks; `where` as `Figure.colorbar`."""
    bar = figure.colorbar(ScalarMappable(norm, diverging(theme)), orientation="horizontal", **where)
    bar.ax.tick_params(labelcolor=theme.muted, color=theme.muted, labelsize=SMALL)
    bar.ax.spines[:].set_visible(False)
    return bar


def about_filters(found: FirstFilters) -> str:
    """How many filters of what size, and the range of their weights."""
    _, height, width = found.tiles.shape[:3]
    kind = "in colour" if found.tiles.ndim == 4 else "blue for negative, orange for positive weights"
    tiles = f", {MOST} tiles of {len(found.tiles)} shown" if len(found.tiles) > MOST else ""
    size = f"{found.filters} filters of {height}×{width} pixels"
    return f"{size} of layer {found.layer}{tiles}, {kind}; weights between −{found.scale:.2g} and +{found.scale:.2g}."


def _colours(canvas: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 4"]:
    """Colours with an opacity: nothing where there is no number."""
    there = np.isfinite(canvas).all(axis=-1, keepdims=True)
    return np.concatenate([np.where(there, canvas, 0.0).clip(0, 1), there], axis=-1)
