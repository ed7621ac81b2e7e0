"""A test set for images that come without one."""

import hashlib

import numpy as np
from jaxtyping import Bool, Int

SEED = 0
FRACTION = 0.2


def held_out(labels: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which images are held out for testing: of every class a fifth, rounded.

    Of a class, the first fifth of its images in the order of SHA-256("SEED:index"). So the split is stratified, and the same
    everywhere, for ever, with any version of anything.
    """
    order = np.array(sorted(range(len(labels)), key=lambda index: hashlib.sha256(f"{SEED}:{index}".encode()).digest()), np.intp)
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        mask[of_class[: round(FRACTION * len(of_class))]] = True
    return mask
