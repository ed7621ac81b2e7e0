"""Which of a data set's features are the image and its class."""

from typing import Any

import tensorflow_datasets as tfds

from jcnn.data.dataset import DataError


def image_and_label(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    """The names of the image and its class among a set's features: the supervised pair, or the only ones of their kind.

    Raises:
        DataError: not a set of images with one class each.
    """
    described: Any = builder.info
    features: dict[str, Any] = dict(described.features.items())
    kinds = tfds.features.Image, tfds.features.ClassLabel
    pair = described.supervised_keys or ()
    if len(pair) == 2 and all(isinstance(features.get(key), kind) for key, kind in zip(pair, kinds, strict=True)):
        return pair
    images, labels = ([key for key, feature in features.items() if isinstance(feature, kind)] for kind in kinds)
    if len(images) != 1 or len(labels) != 1:
        listed = ", ".join(f"{key} ({type(feature).__name__})" for key, feature in features.items())
        raise DataError(f"{described.full_name} has the features {listed}: expected one Image and one ClassLabel")
    return images[0], labels[0]
