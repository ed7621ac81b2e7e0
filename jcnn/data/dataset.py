"""What every set of images looks like to the rest of the house, and which of them are for testing where nobody has said so."""

import hashlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Num

from jcnn.data.memory_mapped import blocks

SEED = 0
FRACTION = 0.2
"""Of the images that are held out for testing."""


class DataError(Exception):
    """Images that cannot be had, or must not be trusted; the message says which, why, and what to do."""


def fingerprint(images: Num[np.ndarray, "n *s c"], labels: Int[np.ndarray, " n"]) -> str:
    """SHA-256 of the pixels followed by the labels, row-major, in hexadecimal."""
    digest = hashlib.sha256()
    for part in blocks(images):
        # As bytes: bfloat16 is no dtype that a buffer can have.
        digest.update(np.ascontiguousarray(part).view(np.uint8).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()


class Dataset(NamedTuple):
    """Images and their labels.

    Attributes:
        name: the set's name, such as "digits".
        split: "train" or "test".
        images: (N, H, W, C), uint8, 0 black to 255 white. For `fit` also (N, *S, C) of any rank, or floats, taken as they are.
        labels: (N,), int32, class numbers.
        class_names: one name per class.
        fingerprint: of images and labels, as `fingerprint` computes it.
        attribution: whose images they are, in a line; may be empty.
    """

    name: str
    split: str
    images: Num[np.ndarray, "n *s c"]
    labels: Int[np.ndarray, " n"]
    class_names: tuple[str, ...]
    fingerprint: str
    attribution: str = ""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, such as (H, W, C)."""
        return self.images.shape[1:]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    def checked(self) -> "Dataset":
        """Itself, if something can be learned from it.

        Raises:
            DataError: it has no images, not one label per image, or a label that is none of its classes.
        """
        whose = f"the {self.split} images of {self.name}"
        if not len(self.images):
            raise DataError(f"{whose}: there are none; expected at least one")
        if self.labels.shape != self.images.shape[:1]:
            raise DataError(f"{whose}: {len(self.images)} images have labels of shape {self.labels.shape}; expected one each")
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= self.classes))
        if wrong.size:
            raise DataError(
                f"{whose}: label {self.labels[wrong[0]]} of image {wrong[0]} is out of range (as are {wrong.size - 1} more); "
                f"expected a class number from 0 to {self.classes - 1}, as there are {self.classes} classes"
            )
        return self


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
