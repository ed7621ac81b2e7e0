"""What every set of images looks like to the rest of the house, made of a pair of arrays too.

And which images are for testing where nobody has said so.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Bool, Int, Num

from jcnn import geometry
from jcnn.data.memory_mapped import blocks
from jcnn.data.pixels import Pixels

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
        pixels: how a file becomes such an image; None: nobody knows, as of arrays.
    """

    name: str
    split: str
    images: Num[np.ndarray, "n *s c"]
    labels: Int[np.ndarray, " n"]
    class_names: tuple[str, ...]
    fingerprint: str
    attribution: str = ""
    pixels: Pixels | None = None

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


def held_out(labels: Sequence[int] | Int[np.ndarray, " n"], names: Sequence[str] | None = None) -> Bool[np.ndarray, " n"]:
    """Which images are held out for testing: of every class a fifth, rounded.

    Of a class, the first fifth of its images in the order of SHA-256("SEED:index"), or of SHA-256("SEED:name"). So the split is
    stratified, and the same everywhere, for ever, with any version of anything; by names also when other images come or go.
    """
    labels = np.asarray(labels)
    keys = [str(index) for index in range(len(labels))] if names is None else names
    digests = [hashlib.sha256(f"{SEED}:{key}".encode("utf-8", "surrogateescape")).digest() for key in keys]
    order = np.array(sorted(range(len(labels)), key=digests.__getitem__), np.intp)
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        mask[of_class[: round(FRACTION * len(of_class))]] = True
    return mask


Examples = Dataset | tuple[ArrayLike, ArrayLike]
"""A data set, or images (N, *S, C) and labels (N,)."""

ARRAYS = "arrays"
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
    return Dataset(ARRAYS, name, images, labels, (), fingerprint(images, labels.astype(np.int32)) if identified else "")


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
    return with_classes(test, train.class_names)


def with_classes(examples: Dataset, names: tuple[str, ...]) -> Dataset:
    """The same images, of these classes.

    Raises:
        DataError: no images, or labels that are none of the classes.
    """
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
