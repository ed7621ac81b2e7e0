"""What every set of images looks like to the rest of the house."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8


class Dataset(NamedTuple):
    """Images and their labels.

    Attributes:
        name: the set's name, such as "digits".
        split: "train" or "test".
        images: (N, H, W, C), uint8, 0 black to 255 white.
        labels: (N,), int32, class numbers.
        class_names: one name per class.
        fingerprint: SHA-256 of images and labels, in hexadecimal.
    """

    name: str
    split: str
    images: UInt8[np.ndarray, "n h w c"]
    labels: Int[np.ndarray, " n"]
    class_names: tuple[str, ...]
    fingerprint: str

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """The shape of one example, (H, W, C)."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)
