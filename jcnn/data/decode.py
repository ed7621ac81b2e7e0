"""From a prepared data set to arrays: every image decoded, and brought to one size if asked."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int, UInt8
from PIL import Image, UnidentifiedImageError
from tensorflow_datasets.proto import tf_example_pb2

from jcnn.data.dataset import DataError, held_out
from jcnn.data.features import image_and_label
from jcnn.data.pictures import fit
from jcnn.data.prepare import Builder

Example: Any = vars(tf_example_pb2)["Example"]
"""A record of a prepared set; the class is made while its module is imported, where no type checker sees it."""

RAW: Any = tfds.decode.DeserializeMethod.RAW_BYTES
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
BATCH = 1000


class Split(NamedTuple):
    """Images (N, H, W, C) and labels (N,) of "train" or "test"."""

    images: UInt8[np.ndarray, "n h w c"]
    labels: Int[np.ndarray, " n"]


def decode(
    builder: Builder, image_size: int | None, advance: Callable[[int, int], None]
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """The training and test images of a prepared set, and its class names.

    Tests are on the split "test"; without labels in it, or without it, on "validation"; without either, on what `held_out`
    holds out of "train".

    Args:
        builder: of a prepared set.
        image_size: height and width to bring every image to, by `fit`; None: all must have one size already.
        advance: told how many images of how many are done.

    Raises:
        DataError: not a set of labelled images, or images of different sizes.
    """
    described: Any = builder.info
    reader: Any = builder.as_data_source
    splits = described.splits
    if "train" not in splits:
        raise DataError(f"{described.full_name} has the splits {', '.join(splits)}: expected one called train")
    image_key, label_key = image_and_label(builder)
    channels = _channels(described.full_name, described.features[image_key])
    tests = [name for name in ("test", "validation") if name in splits]
    total = sum(splits[name].num_examples for name in ("train", *tests[:1]))
    done = 0

    def read(name: str) -> Split:
        nonlocal done
        images, labels = [], []
        # Raw, since parsing every feature into arrays takes longer than reading the two that are wanted.
        source: Any = reader(name, deserialize_method=RAW)
        if len(source) != splits[name].num_examples:
            raise DataError(f"{builder.data_path} holds {len(source)} images of {name}, expected {splits[name].num_examples}")
        for first in range(0, len(source), BATCH):
            records = source.__getitems__(list(range(first, min(first + BATCH, len(source)))))
            examples = [Example.FromString(record).features.feature for record in records]
            pixels = [_pixels(example[image_key].bytes_list.value[0], channels, image_size) for example in examples]
            _require_one_size(pixels, described.full_name)
            images.append(np.stack(pixels))
            labels.append(np.array([example[label_key].int64_list.value[0] for example in examples], np.int32))
            done += len(examples)
            advance(done, max(done, total))
        _require_one_size(images, described.full_name)
        return Split(np.concatenate(images), np.concatenate(labels))

    train = read("train")
    if unlabelled := int((train.labels < 0).sum()):
        raise DataError(
            f"{described.full_name} has {unlabelled:,} images without a label among its {len(train.labels):,} training images: "
            "expected a class for every one"
        )
    for name in tests:
        test = read(name)
        if (test.labels >= 0).all():
            break
    else:
        mask = held_out(train.labels)
        train, test = (Split(train.images[chosen], train.labels[chosen]) for chosen in (~mask, mask))
    if not test.labels.size:
        raise DataError(f"{described.full_name} has too few images to hold a fifth of every class out for testing")
    return {"train": train, "test": test}, tuple(described.features[label_key].names)


def _channels(name: str, feature: Any) -> int:
    dtype, channels = np.dtype(feature.np_dtype), feature.shape[-1]
    if dtype != np.uint8 or channels not in MODES or len(feature.shape) != 3:
        raise DataError(f"the images of {name} are {dtype} of shape {feature.shape}: expected uint8 with 1, 3 or 4 channels")
    return channels


def _pixels(encoded: bytes, channels: int, image_size: int | None) -> np.ndarray:
    try:
        image = Image.open(io.BytesIO(encoded))
        pixels = np.asarray(image if image.mode == MODES[channels] else image.convert(MODES[channels]))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"an image cannot be read: {error}") from error
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    return pixels if image_size is None else fit(pixels, image_size, image_size)


def _require_one_size(images: list[np.ndarray], name: str) -> None:
    sizes = {image.shape[-3:-1] for image in images}
    if len(sizes) > 1:
        (low, narrow), (high, wide) = np.min(list(sizes), 0), np.max(list(sizes), 0)
        raise DataError(
            f"the images of {name} differ in size, {low}×{narrow} to {high}×{wide}: give one for all, such as --image-size 64"
        )
