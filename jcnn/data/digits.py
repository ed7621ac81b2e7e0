"""The embedded handwritten digits: 1,797 images of 8×8 pixels, inside the package.

"Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49, licensed CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). This is its test part:
43 people wrote the digits; each pixel counts, from 0 to 16, the dark dots in a 4×4 block of the scanned 32×32 bitmap.
Unchanged but for the file format.
"""

import hashlib
import io
from importlib import resources

import numpy as np

from jcnn.data.dataset import DataError, Dataset, fingerprint, held_out
from jcnn.data.pixels import Pixels

ATTRIBUTION = (
    "Handwritten digits: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, "
    "UCI Machine Learning Repository, doi.org/10.24432/C50P49, CC BY 4.0"
)


SHA256 = "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"
"""Of the file in the package."""


def load_digits(split: str) -> Dataset:
    """One split of the embedded digits, brightness 0 … 16 scaled to 0 … 255.

    The test set is what `held_out` holds out, 359 images; the other 1,438 are for training.

    Args:
        split: "train" or "test".

    Raises:
        ValueError: another split.
        DataError: the file in the package is damaged.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split={split!r}: expected 'train' or 'test'")
    with np.load(io.BytesIO(_content()), allow_pickle=False) as arrays:
        sixteenths, labels = arrays["images"], arrays["labels"].astype(np.int32)
    test = held_out(labels)
    chosen = test if split == "test" else ~test
    images = ((sixteenths[chosen].astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)[..., None]
    labels = labels[chosen]
    names = tuple("0123456789")
    return Dataset("digits", split, images, labels, names, fingerprint(images, labels), ATTRIBUTION, Pixels(channels=1))


def _content() -> bytes:
    place = resources.files("jcnn.data").joinpath("digits.npz")
    content = place.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(f"{place} is damaged: install jcnn anew")
    return content
