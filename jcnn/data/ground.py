"""Whether pictures are drawn on a dark or on a bright ground, by their borders."""

import numpy as np
from jaxtyping import Num

from jcnn.data.sizes import border

LOOKED_AT = 1000
"""Images of a set, evenly spread."""

NEARLY_ALL = 0.95


def is_bright(pixels: Num[np.ndarray, "h w c"]) -> bool:
    """Whether the mean of its border is in the brighter half."""
    return float(border(pixels[..., :3]).mean()) > 127


def ground(images: Num[np.ndarray, "n *s c"]) -> str:
    """The word "dark" or "bright" where nearly all images have such a border; "" where they differ, or are not of 8 bits."""
    if images.ndim != 4 or images.dtype != np.uint8 or not len(images):
        return ""
    chosen = np.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).astype(np.intp)
    bright = float(np.mean([is_bright(images[index]) for index in chosen]))
    if bright >= NEARLY_ALL:
        return "bright"
    return "dark" if bright <= 1 - NEARLY_ALL else ""
