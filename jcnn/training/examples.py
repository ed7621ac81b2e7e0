"""What a network learns from, as the arguments of `fit` give it: a data set or a pair of arrays, checked by name."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jcnn import geometry
from jcnn.data.dataset import Dataset, fingerprint
from jcnn.data.memory_mapped import blocks
from jcnn.layers import Network
from jcnn.network import NetworkError, trace

Examples = Dataset | tuple[ArrayLike, ArrayLike]
"""A data set, or images (N, *S, C) and labels (N,)."""

NAME = "arrays"
"""What a data set is called that was given as arrays."""


def checked_examples(name: str, given: Any, dtype: str, *, identified: bool) -> Dataset:
    """Images and labels as a data set; that of a pair of arrays has no class names yet: the network knows how many there are.

    Args:
        name: of the argument, "train" or "test".
        given: a `Dataset`, or a pair of arrays.
        dtype: of the parameters, which images that are no uint8 have to have.
        identified: whether the fingerprint is needed.

    Raises:
        TypeError: neither, or arrays of another dtype.
        ValueError: arrays of another shape, or images that are not finite.
        DataError: no images, or labels of a `Dataset` that are none of its classes.
    """
    if isinstance(given, Dataset):
        _check_images(name, given.images, dtype)
        return given.checked()
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(geometry.wrong(name, given, "a jcnn.data.Dataset, or a pair of arrays (images, labels)"))
    images, labels = (_array(f"{name}[{place}]", part) for place, part in enumerate(given))
    _check_images(f"{name}[0]", images, dtype)
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{name}[1] has dtype {labels.dtype}: expected integers, the class number of every image")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"{name}[1] has shape {labels.shape}: expected {images.shape[:1]}, one class number per image")
    return Dataset(NAME, name, images, labels, (), fingerprint(images, labels.astype(np.int32)) if identified else "")


def checked_network(network: Network, images: Dataset) -> Dataset:
    """The images, with as many classes as the network has outputs.

    Raises:
        NetworkError: the network does not fit the images, or its output is no score per class.
        DataError: no images, or labels that are none of the classes.
    """
    output = trace(network, images.input_shape)[-1].output_shape
    if len(output) != 1:
        raise NetworkError(f"network ends in {output} for one image: expected (classes,), one score per class")
    if images.class_names and output != (images.classes,):
        raise NetworkError(f"network ends in {output[0]} scores: expected {images.classes}, the classes of {images.name}")
    return _with_classes(images, images.class_names or tuple(map(str, range(output[0]))))


def checked_test(given: Any, train: Dataset, dtype: str) -> Dataset:
    """The test images, checked against those that the network learns from.

    Raises:
        TypeError: as `checked_examples`; or train and test are of two dtypes.
        ValueError: as `checked_examples`; or one image of them is of another shape, or their classes are others.
        DataError: no images, or labels that are none of the classes.
    """
    test = checked_examples("test", given, dtype, identified=False)
    if test.input_shape != train.input_shape:
        raise ValueError(
            f"test has images of shape {test.input_shape}: expected {train.input_shape}, the shape of those of train"
        )
    if test.images.dtype != train.images.dtype:
        raise TypeError(f"test has images of {test.images.dtype}: expected {train.images.dtype}, the dtype of those of train")
    if test.class_names and test.class_names != train.class_names:
        found, expected = map(geometry.shown, (test.class_names, train.class_names))
        raise ValueError(f"test has the classes {found}: expected {expected}, those of train")
    return _with_classes(test, train.class_names)


def _with_classes(examples: Dataset, names: tuple[str, ...]) -> Dataset:
    checked = examples._replace(class_names=names).checked()
    return checked._replace(labels=checked.labels.astype(np.int32, copy=False))


def _array(name: str, given: Any) -> np.ndarray:
    try:
        return np.asarray(given)
    except Exception as error:  # ragged lists, traced values, and whatever else calls itself an array
        raise TypeError(geometry.wrong(name, given, "an array")) from error


def _check_images(name: str, images: np.ndarray, dtype: str) -> None:
    if images.dtype not in (np.uint8, jnp.dtype(dtype)):
        raise TypeError(
            f"{name} has images of {images.dtype}: expected uint8, taken as v/255, or {dtype}, the recipe's dtype, "
            "taken as they are; convert them, or give a Recipe of their dtype"
        )
    if images.ndim < 2:
        raise ValueError(f"{name} has shape {images.shape}: expected images, (N, *S, C)")
    if images.dtype == np.uint8:
        return
    wrong = sum(int((~np.isfinite(part)).sum()) for part in blocks(images))
    if wrong:
        raise ValueError(f"{name} has {wrong:,} values that are NaN or infinite: expected none")
