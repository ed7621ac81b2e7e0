"""What a network is shown of an image: itself, and the ways in which a recipe's augmentation changes it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure

from jcnn.figures.images import draw_image
from jcnn.figures.style import LIGHT, SMALL, WIDTH, Theme, bare, new_figure

ROWS, COLUMNS = 4, 5
"""Images shown, and ways in which each is."""


def augmented_images(
    originals: UInt8[np.ndarray, "n h w c"], shown: Sequence[Float[np.ndarray, "n h w c"]], *, theme: Theme = LIGHT
) -> Figure:
    """A row for each image: as it is, and as it is shown in each of some epochs.

    Args:
        originals: (N, H, W, C), uint8.
        shown: for each epoch the images as the network is shown them, 0 to 1; what is outside is cut off, as a screen does.
        theme: the colours.
    """
    count, height, width, _ = originals.shape
    columns = 1 + len(shown)
    tile = (WIDTH / columns - 0.05) * min(height / width, 2.0)
    figure = new_figure(count * (tile + 0.05) + 0.35, theme)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
    grid = figure.subplots(count, columns, squeeze=False)
    for row, original in enumerate(originals):
        draw_image(grid[row, 0], original)
        for column, images in enumerate(shown, 1):
            visible = np.clip(np.nan_to_num(np.asarray(images[row], np.float32)), 0, 1)
            draw_image(grid[row, column], np.rint(255 * visible).astype(np.uint8))
    for axes in grid.flat:
        bare(axes)
    for column, title in enumerate(["image", *(f"epoch {number + 1}" for number in range(len(shown)))]):
        grid[0, column].set_title(title, color=theme.muted, fontsize=SMALL, pad=3)
    return figure


def about_augmented(words: str, count: int, epochs: int) -> str:
    """What the figure shows, in words."""
    return f"{count} training images as they are, and as the network is shown them in {epochs} epochs: {words}."
