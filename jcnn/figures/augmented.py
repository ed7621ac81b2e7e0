"""What a network is shown of an image: the ways in which a recipe's augmentation changes it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from jcnn.figures.contact_sheet import averaged
from jcnn.figures.images import draw_image
from jcnn.figures.style import LIGHT, SMALL, WIDTH, Theme, bare, new_figure

LARGEST = 128
"""Pixels along the longer side: larger images are drawn smaller, or reports would be large."""


class Augmented(NamedTuple):
    """Images as they are, and as a network is shown them.

    Attributes:
        originals: (N, H, W, C), uint8.
        shown: for each epoch the images as they are shown, 0 to 1.
        words: what is done to them, such as "flip,crop:4".
    """

    originals: UInt8[np.ndarray, "n h w c"]
    shown: tuple[Float[np.ndarray, "n h w c"], ...]
    words: str


def augmented_images(augmented: Augmented, *, theme: Theme = LIGHT) -> Figure:
    """A row for each image: as it is, and as it is shown in each epoch; what is not within 0 to 1 as black or white.

    Args:
        augmented: the images, at least one, and as they are shown, in at least one epoch.
        theme: the colours.
    """
    originals, shown, _ = augmented
    count, height, width, _ = originals.shape
    shrink = -(-max(height, width) // LARGEST)
    columns = 1 + len(shown)
    tile = (WIDTH / columns - 0.05) * min(height / width, 2.0)
    figure = new_figure(count * (tile + 0.05) + 0.35, theme)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
    grid = figure.subplots(count, columns, squeeze=False)
    for column, images in enumerate([originals, *map(_bytes, shown)]):
        for row, image in enumerate(averaged(images, shrink)):
            draw_image(grid[row, column], image)
    for axes in grid.flat:
        bare(axes)
    for column, title in enumerate(["image", *(f"epoch {number}" for number in range(1, columns))]):
        grid[0, column].set_title(title, color=theme.muted, fontsize=SMALL, pad=3)
    return figure


def _bytes(images: Float[np.ndarray, "n h w c"]) -> UInt8[np.ndarray, "n h w c"]:
    return np.rint(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)


def about_augmented(augmented: Augmented) -> str:
    """What the figure shows, in words."""
    count, epochs = len(augmented.originals), len(augmented.shown)
    return f"{count} training images as they are, and as the network is shown them in {epochs} epochs: {augmented.words}."
