"""Datasets by name."""

from jcnn.data.dataset import Dataset
from jcnn.data.digits import ATTRIBUTION, load_digits

LOADERS = {"digits": load_digits}
ATTRIBUTIONS = {"digits": ATTRIBUTION}


def load(name: str, split: str = "train") -> Dataset:
    """The dataset of this name.

    Args:
        name: "digits", the embedded handwritten digits.
        split: "train" or "test".

    Returns:
        uint8 images (N, H, W, C), integer labels, class names and a fingerprint.

    Raises:
        ValueError: no such dataset or split.
    """
    if name not in LOADERS:
        raise ValueError(f"dataset {name!r}: expected one of {', '.join(LOADERS)}")
    return LOADERS[name](split)
