"""What answers hang on: test images, right and wrong ones, with their Grad-CAM and saliency."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from jcnn.attribution import grad_cam, grad_cam_layer, saliency
from jcnn.data.batches import to_input
from jcnn.figures.images import as_seen, enlarge, largest
from jcnn.figures.mistakes import find_mistakes
from jcnn.figures.style import LIGHT, SMALL, WIDTH, Theme, bare, new_figure, sequential, shorten
from jcnn.layers import Network, NetworkError
from jcnn.network import Params
from jcnn.percentages import probability

EACH = 3
"""Examples of right answers, and of wrong ones, at most."""

SIDE = 96
"""Pixels of a picture at least."""

TILE, MARGIN, GAP, TITLE, BELOW = 1.14, 0.06, 0.1, 0.26, 0.26
"""Inches: a picture's width, the margin, between two pictures, above and below one."""


class Example(NamedTuple):
    """One test image, what it is and was taken for, and what that answer hangs on.

    Attributes:
        image: its number.
        true: its class.
        predicted: the class that it was taken for.
        probability: of that class.
        other: the true class, or where that is the answer, the one that is likeliest next.
        cams: Grad-CAM for the predicted and for the other class, (2, h, w); None: the network has no maps.
        saliency: for the predicted class, (H, W).
    """

    image: int
    true: int
    predicted: int
    probability: float
    other: int
    cams: Float[np.ndarray, "2 h w"] | None
    saliency: Float[np.ndarray, "h w"]

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.true == self.predicted


def explain(
    network: Network,
    params: Params,
    images: UInt8[np.ndarray, "n h w c"],
    labels: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n classes"],
    *,
    state: Any = None,
) -> list[Example]:
    """Three right answers, the first of three classes, and the three most confident mistakes, each with what it hangs on.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        images: (N, H, W, C), uint8.
        labels: true class numbers, (N,).
        probabilities: (N, classes).
        state: what layers keep beside their parameters; None: nothing.
    """
    predicted = probabilities.argmax(axis=1)
    right = np.flatnonzero(predicted == labels)
    firsts = right[np.sort(np.unique(labels[right], return_index=True)[1])][:EACH]
    chosen = np.array([*firsts, *(mistake.image for mistake in find_mistakes(labels, probabilities, EACH))], int)
    if not chosen.size:
        return []
    leaves = jax.tree.leaves(params)
    x = to_input(images[chosen], leaves[0].dtype if leaves else jnp.float32)
    second = np.argsort(-probabilities[chosen], axis=1, kind="stable")[:, min(1, probabilities.shape[1] - 1)]
    others = np.where(predicted[chosen] == labels[chosen], second, labels[chosen])
    asked = jnp.asarray(np.concatenate([predicted[chosen], others]))
    cams, slopes = _explained(tuple(network), params, x, asked, state)
    cams = None if cams is None else np.asarray(cams, np.float64).reshape(2, len(chosen), *cams.shape[1:])
    return [
        Example(
            int(index),
            int(labels[index]),
            int(predicted[index]),
            float(probabilities[index, predicted[index]]),
            int(others[place]),
            None if cams is None else cams[:, place],
            np.asarray(slopes[place], np.float64),
        )
        for place, index in enumerate(chosen)
    ]


@partial(jax.jit, static_argnums=0)
def _explained(network: Network, params: Params, x: Array, classes: Array, state: Any) -> tuple[Array | None, Array]:
    """Grad-CAM for the first classes of all images, then for the second ones, and the saliency for the first."""
    slopes = saliency(network, params, x, classes[: len(x)], state=state)
    try:
        grad_cam_layer(network, x.shape[1:])
    except NetworkError:
        return None, slopes
    return grad_cam(network, params, jnp.concatenate([x, x]), classes, state=state), slopes


def attributions(
    examples: Sequence[Example], images: UInt8[np.ndarray, "n h w c"], class_names: Sequence[str], *, theme: Theme = LIGHT
) -> Figure:
    """A row for each example: the image, Grad-CAM for the answer and for another class, the saliency of the answer.

    The other class is the true one, or where that is the answer, the one that is likeliest next.

    Args:
        examples: at least one, as `explain` makes them.
        images: (N, H, W, C), uint8.
        class_names: one name per class.
        theme: the colours.
    """
    shape = images.shape[1:3]
    tile = TILE * min(max(shape[0] / shape[1], 0.3), 2.0)
    row = TITLE + tile + BELOW
    height = len(examples) * row
    figure = new_figure(height, theme)
    figure.set_layout_engine("none")
    # One pair of axes in inches, downwards: so many of their own would take long to lay out.
    axes = figure.add_axes((0, 0, 1, 1))
    bare(axes)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    for number, example in enumerate(examples):
        top = number * row + TITLE
        words, pictures = _parts(example, images[example.image], class_names, theme)
        for column, (word, pixels) in enumerate(zip(words, pictures, strict=True)):
            left = MARGIN + column * (TILE + GAP)
            colour = theme.muted if column else theme.ink
            _say(axes, left, top - 0.06, word, colour)
            if pixels is not None:
                place = left, left + TILE, top + tile, top
                axes.imshow(pixels, extent=place, aspect="auto", interpolation="none")
        _say(axes, MARGIN, top + tile + 0.17, probability(example.probability), theme.muted)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    return figure


def about_attributions(examples: Sequence[Example], class_names: Sequence[str]) -> str:
    """Which images, and where in each the answer's map is strongest."""
    listed = []
    for example in examples:
        true, predicted = class_names[example.true], class_names[example.predicted]
        words = f"{predicted}, rightly" if example.right else f"{true} taken for {predicted}"
        where = f"strongest {_place(example.saliency if example.cams is None else example.cams[0])}"
        listed.append(f"{words}, {probability(example.probability)}, {where}")
    maps = "saliency" if any(example.cams is None for example in examples) else "Grad-CAM and saliency"
    return f"{len(examples)} test images with {maps} of the answers: {'; '.join(listed)}."


def _parts(
    example: Example, image: UInt8[np.ndarray, "h w c"], class_names: Sequence[str], theme: Theme
) -> tuple[list[str], list[Float[np.ndarray, "h w *c"] | None]]:
    """The words above an example's four pictures, and these, in colours from 0 to 1; None: there is none."""
    true, predicted, other = (shorten(class_names[index], 9) for index in (example.true, example.predicted, example.other))
    words = [true if example.right else f"{true} → {predicted}", f"for {predicted}", f"for {other}", "saliency"]
    seen = as_seen(image)
    top = largest(example.saliency)
    shades = sequential(theme, theme.blue)(np.ma.masked_invalid(example.saliency / top))
    if example.cams is None:
        return [words[0], "", "", words[3]], [seen, None, None, shades]
    return words, [seen, *(overlay(image, cam, theme) for cam in example.cams), shades]


def overlay(image: UInt8[np.ndarray, "h w c"], cam: Float[np.ndarray, "a b"], theme: Theme) -> Float[np.ndarray, "H W 3"]:
    """The image in grey, in orange where the map is strong: at its largest value the colour covers 70 %, at 0 nothing."""
    zoom = max(1, -(-SIDE // max(image.shape[:2])))
    grey = enlarge(image.mean(axis=-1)[None] / 255, zoom)[0]
    there = np.nan_to_num(cam, posinf=0.0)
    scaled = Image.fromarray((there / largest(there)).astype(np.float32))
    heat = np.asarray(scaled.resize(grey.shape[::-1], Image.Resampling.BILINEAR), np.float64)
    cover = 0.7 * heat.clip(0, 1)[..., None]
    return (1 - cover) * grey[..., None] + cover * np.array(to_rgb(theme.orange))


def _say(axes: Axes, left: float, line: float, words: str, colour: str) -> None:
    axes.text(left, line, words, parse_math=False, color=colour, fontsize=SMALL)


def _place(values: Float[np.ndarray, "h w"]) -> str:
    """Where the largest value is, in words."""
    if not np.isfinite(values).all() or not values.any():
        return "nowhere"
    row, column = (
        index / size for index, size in zip(np.unravel_index(values.argmax(), values.shape), values.shape, strict=True)
    )
    words = [("top", "middle", "bottom")[min(int(3 * row), 2)], ("left", "centre", "right")[min(int(3 * column), 2)]]
    return f"at the {' '.join(words)}"
