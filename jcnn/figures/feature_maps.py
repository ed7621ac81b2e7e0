"""One image on its way through the network: the maps every layer makes of it, down to the class probabilities."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from jcnn.data.batches import to_input
from jcnn.figures.filters import scale_bar
from jcnn.figures.images import draw_image, largest, mosaic
from jcnn.figures.style import LIGHT, SMALL, WIDTH, Theme, bare, diverging, new_figure, plain, shorten
from jcnn.layers import Flatten, Network
from jcnn.network import Params, activations, outputs_in_turn, trace
from jcnn.percentages import probability
from jcnn.summary import times

UNITS = 256
"""Bars drawn at most for a layer."""

MARGIN, TITLE, INPUT = 0.1, 0.32, 1.3
"""Inches: the margin, the room for a row's title, the input's height."""

INNER = WIDTH - 2 * MARGIN


_activations = jax.jit(activations, static_argnums=0)


class Stage(NamedTuple):
    """What one layer made of the image: maps (h, w, c), or a vector (c,)."""

    title: str
    values: Float[np.ndarray, "*s c"]


class Journey(NamedTuple):
    """What all layers made of the image, and the probabilities they end in; None if the last output is no vector."""

    stages: list[Stage]
    probabilities: Float[np.ndarray, " classes"] | None


def follow(network: Network, params: Params, image: UInt8[np.ndarray, "h w c"], *, state: Any = None) -> Journey:
    """Runs one image through the network and keeps what every layer says, the logits as probabilities.

    Of layers with branches that is what the branches make together. Flatten only renames its numbers and is left out.
    """
    leaves = jax.tree.leaves(params)
    x = to_input(image[None], leaves[0].dtype if leaves else jnp.float32)
    outputs = [np.asarray(output[0]).astype(np.float64) for output in _activations(tuple(network), params, x, state=state)]
    steps = list(outputs_in_turn(trace(network, x.shape[1:])))
    stages = [
        # What a layer with branches holds has no room here; the table of layers lists it.
        Stage(
            f"{step.place} · {shorten(step.layer.name if step.parts else repr(step.layer), 34)} · {times(values.shape)}", values
        )
        for step, values in zip(steps, outputs, strict=True)
        if not isinstance(step.layer, Flatten)
    ]
    logits = outputs[-1]
    if logits.ndim != 1:
        return Journey(stages, None)
    powers = np.exp(logits - logits.max())
    return Journey(stages[:-1] if not isinstance(steps[-1].layer, Flatten) else stages, powers / powers.sum())


def feature_maps(
    network: Network,
    params: Params,
    image: UInt8[np.ndarray, "h w c"],
    class_names: Sequence[str],
    *,
    theme: Theme = LIGHT,
    state: Any = None,
) -> Figure:
    """The input, a strip of maps for each layer that makes maps, bars for those that make vectors, the probabilities.

    Orange is positive, blue negative; every layer has its own scale, whose end stands at its right. At most 24 maps a layer (16
    in deep networks) and 256 bars are drawn.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        image: (H, W, C), uint8.
        class_names: one name per class.
        theme: the colours.
        state: what layers keep beside their parameters, as `jcnn.apply` takes it.
    """
    stages, probabilities = follow(network, params, image, state=state)
    rows, columns = _grid([stage.values.shape[-1] for stage in stages if stage.values.ndim == 3])
    strips = [mosaic(_channels(stage, rows, columns), columns) if stage.values.ndim == 3 else None for stage in stages]
    heights = [0.4 if strip is None else INNER * strip.shape[0] / strip.shape[1] for strip in strips]
    ending = 0.0 if probabilities is None else 0.22 * min(len(probabilities), 10) + 0.5
    total = INPUT + sum(heights) + ending + TITLE * (len(stages) + 2) + MARGIN
    figure = new_figure(total, theme)
    figure.set_layout_engine("none")
    place = Column(figure, total)
    _input(place, image, theme)
    for stage, strip, height in zip(stages, strips, heights, strict=True):
        scale = largest(stage.values)
        axes = place.next(height)
        _title(axes, stage.title, theme, f"s = {scale:.2g}")
        bare(axes)
        if strip is None:
            _bars(axes, stage.values[:UNITS], scale, theme)
        else:
            axes.imshow(strip, cmap=diverging(theme), norm=Normalize(-scale, scale), interpolation="none")
    if probabilities is not None:
        _probabilities(place, ending, probabilities, class_names, theme)
    return figure


class Column:
    """Axes one below the other, placed by the inch: images of many shapes defeat automatic layouts."""

    def __init__(self, figure: Figure, height: float) -> None:
        self.figure = figure
        self.height = height
        self.bottom = height

    def next(self, height: float, width: float = INNER) -> Axes:
        """Axes of this size below the last ones, flush right if narrower, with room for a title above."""
        self.bottom -= TITLE + height
        return self.beside(WIDTH - MARGIN - width, 0.0, width, height)

    def beside(self, left: float, up: float, width: float, height: float) -> Axes:
        """Axes in the same row, `up` inches above the row's bottom."""
        bottom = (self.bottom + up) / self.height
        return self.figure.add_axes((left / WIDTH, bottom, width / WIDTH, height / self.height))


def about_journey(journey: Journey, true_class: str, class_names: Sequence[str]) -> str:
    """The image's class, how many layers are shown, and what the network thinks it is."""
    text = f"One test image of class {true_class} and what the layers make of it, {len(journey.stages)} of them shown"
    if journey.probabilities is None:
        return f"{text}."
    best = int(journey.probabilities.argmax())
    return f"{text}; the likeliest class is {class_names[best]} with {probability(float(journey.probabilities[best]))}."


def _input(place: Column, image: UInt8[np.ndarray, "h w c"], theme: Theme) -> None:
    place.next(INPUT).set_visible(False)
    ratio = image.shape[1] / image.shape[0]
    axes = place.beside(MARGIN, 0.0, min(INPUT * ratio, 1.8), INPUT)
    draw_image(axes, image)
    bare(axes)
    axes.set_anchor("SW")
    _title(axes, f"input · {times(image.shape)}", theme)
    scale = place.beside(2.55, 0.62, 2.0, 0.13)
    bar = scale_bar(place.figure, Normalize(-1, 1), theme, cax=scale)
    bar.set_ticks([-1, 0, 1], labels=["− s", "0", "+ s"])
    bar.set_label("one scale per layer, to ± s", color=theme.muted, fontsize=SMALL)


def _grid(channels: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of every strip: shallow networks have room for two rows, few channels for larger maps."""
    if len(channels) > 6:
        return 1, 16
    return 2, 8 if max(channels, default=0) <= 16 else 12


def _channels(stage: Stage, rows: int, columns: int) -> Float[np.ndarray, "n h w"]:
    """The first channels as tiles; fewer than a row are filled up so that all strips are equally wide."""
    tiles = stage.values.transpose(2, 0, 1)[: rows * columns]
    missing = max(0, columns - len(tiles))
    return np.concatenate([tiles, np.full((missing, *tiles.shape[1:]), np.nan)])


def _title(axes: Axes, words: str, theme: Theme, scale: str = "") -> None:
    axes.set_title(words, parse_math=False, loc="left", color=theme.ink, fontsize=SMALL, pad=3)
    axes.set_title(scale, loc="right", color=theme.muted, fontsize=SMALL, pad=3)


def _bars(axes: Axes, values: Float[np.ndarray, " c"], scale: float, theme: Theme) -> None:
    colours = [theme.orange if value > 0 else theme.blue for value in values]
    axes.bar(range(len(values)), values, width=0.8, color=colours)
    axes.axhline(0, color=theme.muted, linewidth=0.6)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.set_ylim(-scale if (values < 0).any() else 0, scale)


def _probabilities(
    place: Column, height: float, probabilities: Float[np.ndarray, " classes"], class_names: Sequence[str], theme: Theme
) -> None:
    """Up to 10 classes in their order, of more the 10 likeliest."""
    all_of_them = len(probabilities) <= 10
    order = np.arange(len(probabilities)) if all_of_them else np.argsort(-probabilities, kind="stable")[:10]
    names = [shorten(class_names[index], 18) for index in order.tolist()]
    place.next(height).set_visible(False)
    left = 0.2 + 0.085 * max(map(len, names))
    axes = place.beside(left, 0.5, WIDTH - left - 0.55, height - 0.5)
    shown = 100 * np.nan_to_num(probabilities[order])
    axes.barh(range(len(order)), shown, height=0.7, color=theme.orange)
    likeliest = int(shown.argmax())
    words = probability(float(probabilities[order[likeliest]]))
    inside = shown[likeliest] > 50
    axes.annotate(
        words, (shown[likeliest], likeliest), (-4 if inside else 4, 0), textcoords="offset points", va="center",
        ha="right" if inside else "left", color=theme.paper if inside else theme.ink, fontsize=SMALL,
    )  # fmt: skip
    plain(axes, theme)
    axes.set_yticks(range(len(order)), names, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("probability (%)")
    _title(axes, "class probabilities (softmax)" if all_of_them else "the 10 likeliest classes (softmax)", theme)
