"""The embedded handwritten digits: 1,797 images of 8×8 pixels, inside the package.

"Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49, licensed CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). This is its test part:
43 people wrote the digits; each pixel counts, from 0 to 16, the dark dots in a 4×4 block of the scanned 32×32 bitmap.
Unchanged but for the file format.
"""

import hashlib
from importlib import resources

import numpy as np

from jcnn.data.dataset import Dataset

ATTRIBUTION = (
    "Handwritten digits: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, "
    "UCI Machine Learning Repository, doi.org/10.24432/C50P49, CC BY 4.0"
)
SPLIT_SEED = 0
TEST_FRACTION = 0.2


def load_digits(split: str) -> Dataset:
    """One split of the embedded digits, brightness 0 … 16 scaled to 0 … 255.

    The split is stratified: of every class, the first fifth (rounded) of its images in the order of
    SHA-256("SPLIT_SEED:index") is the test set, 359 images; the other 1,438 are for training. So it is the same everywhere, for
    ever, with any version of anything.

    Args:
        split: "train" or "test".

    Raises:
        ValueError: another split.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split={split!r}: expected 'train' or 'test'")
    with resources.files("jcnn.data").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        sixteenths, labels = arrays["images"], arrays["labels"].astype(np.int32)
    chosen = _test_mask(labels) if split == "test" else ~_test_mask(labels)
    images = ((sixteenths[chosen].astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)[..., None]
    labels = labels[chosen]
    fingerprint = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return Dataset("digits", split, images, labels, tuple("0123456789"), fingerprint)


def _test_mask(labels: np.ndarray) -> np.ndarray:
    order = sorted(range(len(labels)), key=lambda index: hashlib.sha256(f"{SPLIT_SEED}:{index}".encode()).digest())
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        of_class = [index for index in order if labels[index] == label]
        mask[of_class[: round(TEST_FRACTION * len(of_class))]] = True
    return mask
