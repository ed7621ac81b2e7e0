"""Strokes of a pen as an image of the digits' kind: 8×8, white on black, filling its frame."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from jcnn.data.sizes import fit

Strokes = Sequence[Sequence[Sequence[float]]]

FRAME = 320
"""Pixels of the drawing along its longer side, before it is brought to its size by averaging."""

PEN = 0.16
"""The pen's width in parts of the frame: about that of the people who wrote the digits."""


def to_image(strokes: Strokes, side: int = 8) -> UInt8[np.ndarray, "side side 1"] | None:
    """Draws the strokes large and averages, as the digits were made from scans; what is not upright is left so.

    Args:
        strokes: lines of points (x, y), y downwards, in any unit.
        side: pixels of the result.

    Returns:
        Brightness 0 … 255; None where nothing was drawn.
    """
    lines = [np.asarray(stroke, np.float64).reshape(-1, 2) for stroke in strokes if len(stroke)]
    if not lines:
        return None
    points = np.concatenate(lines)
    low, high = points.min(0), points.max(0)
    pen = PEN * FRAME
    # The drawing fills its frame: where on the canvas it was made says nothing.
    scale = (FRAME - pen) / max(float((high - low).max()), 1e-6)
    size = tuple(np.ceil((high - low) * scale + pen).astype(int).tolist())
    image = Image.new("L", size)
    ink = ImageDraw.Draw(image)
    for line in lines:
        placed = [tuple(point) for point in ((line - low) * scale + pen / 2).tolist()]
        ink.line(placed, fill=255, width=round(pen), joint="curve")
        for x, y in placed:
            ink.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    # `fit` pads with the border's colour, and so that is to be the background's.
    framed = np.pad(np.asarray(image), 1)
    return fit(framed[..., None], side, side)
