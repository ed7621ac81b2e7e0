"""From a prepared data set to arrays: every image decoded as any file is, and brought to one size if asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int, UInt8
from tensorflow_datasets.proto import tf_example_pb2

from jcnn.data.dataset import DataError, held_out
from jcnn.data.features import image_and_label
from jcnn.data.findings import Bad, Findings
from jcnn.data.pictures import PictureError, decode_picture
from jcnn.data.pixels import CHANNELS, Broken, Pixels
from jcnn.data.prepare import Builder

Example: Any = vars(tf_example_pb2)["Example"]
"""A record of a prepared set; the class is made while its module is imported, where no type checker sees it."""

RAW: Any = tfds.decode.DeserializeMethod.RAW_BYTES
BATCH = 1000


class Split(NamedTuple):
    """Images (N, H, W, C) and labels (N,) of "train" or "test"."""

    images: UInt8[np.ndarray, "n h w c"]
    labels: Int[np.ndarray, " n"]


class Decoded(NamedTuple):
    """A whole set.

    Attributes:
        splits: "train" and "test".
        class_names: one name per class.
        pixels: how its files became images.
        said: what was lost, guessed or left out, a line each.
    """

    splits: dict[str, Split]
    class_names: tuple[str, ...]
    pixels: Pixels
    said: list[str]


def decode(
    builder: Builder, image_size: int | None, pixels: Pixels, broken: Broken, advance: Callable[[int, int], None]
) -> Decoded:
    """The training and test images of a prepared set, and its class names.

    Tests are on the split "test"; without labels in it, or without it, on "validation"; without either, on what `held_out`
    holds out of "train".

    Args:
        builder: of a prepared set.
        image_size: height and width to bring every image to, by `fit`; None: all must have one size already.
        pixels: how its files are read; without channels, in as many as the set is described with.
        broken: whether images that cannot be read are refused, or left out.
        advance: told how many images of how many are done.

    Raises:
        DataError: not a set of labelled images, images of different sizes, or some that cannot be read; all are named.
    """
    described: Any = builder.info
    splits = described.splits
    if "train" not in splits:
        raise DataError(f"{described.full_name} has the splits {', '.join(splits)}: expected one called train")
    image_key, label_key = image_and_label(builder)
    pixels = replace(pixels, channels=pixels.channels or _channels(described.full_name, described.features[image_key]))
    size = None if image_size is None else (image_size, image_size)
    tests = [name for name in ("test", "validation") if name in splits]
    total = sum(splits[name].num_examples for name in ("train", *tests[:1]))
    findings = Findings()
    reader = _Reader(builder, (image_key, label_key), pixels, size, findings, lambda done: advance(done, max(done, total)))
    train = reader.read("train")
    if unlabelled := int((train.labels < 0).sum()):
        raise DataError(
            f"{described.full_name} has {unlabelled:,} images without a label among its {len(train.labels):,} training images: "
            "expected a class for every one"
        )
    for name in tests:
        test = reader.read(name)
        if (test.labels >= 0).all():
            break
    else:
        mask = held_out(train.labels)
        train, test = (Split(train.images[chosen], train.labels[chosen]) for chosen in (~mask, mask))
    if why := findings.refused(described.full_name, broken):
        raise DataError(why)
    if not test.labels.size:
        raise DataError(f"{described.full_name} has too few images to hold a fifth of every class out for testing")
    said = list(findings.lines(pixels, size))
    if findings.bad:
        said.append(f"left out, since they cannot be read: {findings.listed()}")
    return Decoded({"train": train, "test": test}, tuple(described.features[label_key].names), pixels, said)


class _Reader:
    """Reads the splits of a set."""

    def __init__(
        self,
        builder: Any,
        keys: tuple[str, str],
        pixels: Pixels,
        size: tuple[int, int] | None,
        findings: Findings,
        advance: Callable[[int], None],
    ) -> None:
        self._builder = builder
        self._keys = keys
        self._pixels = pixels
        self._size = size
        self._findings = findings
        self._advance = advance
        self._done = 0

    def read(self, name: str) -> Split:
        """A split without what cannot be read of it."""
        images, labels = [], []
        # Raw, since parsing every feature into arrays takes longer than reading the two that are wanted.
        source: Any = self._builder.as_data_source(name, deserialize_method=RAW)
        whose, expected = self._builder.info.full_name, self._builder.info.splits[name].num_examples
        if len(source) != expected:
            raise DataError(f"{self._builder.data_path} holds {len(source)} images of {name}, expected {expected}")
        for first in range(0, len(source), BATCH):
            records = source.__getitems__(list(range(first, min(first + BATCH, len(source)))))
            read = [self._decoded(f"{name}, image {index}", record) for index, record in enumerate(records, first)]
            kept = [one for one in read if one is not None]
            if kept:
                _require_one_size([pixels for pixels, _ in kept], whose)
                images.append(np.stack([pixels for pixels, _ in kept]))
                labels.append(np.array([label for _, label in kept], np.int32))
            self._done += len(records)
            self._advance(self._done)
        if not images:
            raise DataError(f"{whose}: none of the images of {name} can be read: {self._findings.listed()}")
        _require_one_size(images, whose)
        return Split(np.concatenate(images), np.concatenate(labels))

    def _decoded(self, name: str, record: bytes) -> tuple[np.ndarray, int] | None:
        image_key, label_key = self._keys
        example = Example.FromString(record).features.feature
        try:
            picture = decode_picture(example[image_key].bytes_list.value[0], self._pixels, self._size)
        except PictureError as error:
            self._findings.bad.append(Bad(name, str(error)))
            return None
        self._findings.take(name, picture)
        return picture.pixels, example[label_key].int64_list.value[0]


def _channels(name: str, feature: Any) -> int:
    dtype, channels = np.dtype(feature.np_dtype), feature.shape[-1]
    if dtype not in (np.uint8, np.uint16) or channels not in CHANNELS or len(feature.shape) != 3:
        raise DataError(
            f"the images of {name} are {dtype} of shape {feature.shape}: expected uint8 or uint16 with 1, 3 or 4 channels"
        )
    return channels


def _require_one_size(images: list[np.ndarray], name: str) -> None:
    sizes = {image.shape[-3:-1] for image in images}
    if len(sizes) > 1:
        (low, narrow), (high, wide) = np.min(list(sizes), 0), np.max(list(sizes), 0)
        raise DataError(
            f"the images of {name} differ in size, {low}×{narrow} to {high}×{wide}: give one for all, such as --image-size 64"
        )
