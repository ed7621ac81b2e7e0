"""Small data sets for tests: builders of TensorFlow Datasets that draw their images, and original files of a few images.

Importing this module makes the builders known under their names, also in another process.
"""

import gzip
import hashlib
import io
import os
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core.download.checksums import UrlInfo
from tensorflow_datasets.core.registered import skip_registration
from tensorflow_datasets.core.utils import Size

from jcnn.data import builders
from jcnn.data.registry import SOURCES, Idx, Source

LABELS = ("level", "upright", "slanted")


def grating(index: int, size: tuple[int, int] = (12, 12)) -> tuple[np.ndarray, int]:
    """Stripes in one of three directions, at a phase of their own, with a little noise: image (h, w), label."""
    label = index % 3
    rows, columns = np.mgrid[: size[0], : size[1]]
    along = (rows, columns, rows + columns)[label]
    noise = np.random.default_rng(index).normal(0, 20, size)
    return (128 + 90 * np.sin(along * 1.5 + index) + noise).clip(0, 255).astype(np.uint8), label


class Gratings(tfds.core.GeneratorBasedBuilder):
    """300 images to train, 90 to test, 12×12, grey."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS: ClassVar = {"train": 300, "test": 90}
    SIZES: ClassVar = {"train": [(12, 12)], "test": [(12, 12)]}
    SHAPE: ClassVar = (12, 12, 1)

    def _info(self) -> tfds.core.DatasetInfo:
        features: Any = {
            "image": tfds.features.Image(shape=self.SHAPE),
            "label": tfds.features.ClassLabel(names=LABELS),
            "index": tfds.features.Scalar(np.int64),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage="https://gratings.invalid/",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[Any, Any]:
        del dl_manager
        return {split: self._generate_examples(split=split) for split in self.SPLITS}

    def _generate_examples(self, **arguments: Any) -> Iterator[Any]:
        split = arguments["split"]
        for index in range(self.SPLITS[split]):
            sizes = self.SIZES[split]
            pixels, label = grating(index + 1000 * (split != "train"), sizes[index % len(sizes)])
            yield index, {"image": self.encoded(pixels), "label": self.labelled(split, label), "index": index}

    def encoded(self, pixels: np.ndarray) -> Any:
        return Image.fromarray(pixels)

    def labelled(self, split: str, label: int) -> int:
        del split
        return label


class GratingsTrainOnly(Gratings):
    """Without a split for tests."""

    SPLITS: ClassVar = {"train": 300}


class GratingsHiddenLabels(Gratings):
    """With a test split whose labels are kept secret, and a validation split."""

    SPLITS: ClassVar = {"train": 60, "test": 30, "validation": 45}
    SIZES: ClassVar = {split: [(12, 12)] for split in SPLITS}

    def labelled(self, split: str, label: int) -> int:
        return -1 if split == "test" else label


class GratingsOfSizes(Gratings):
    """Images of different sizes."""

    SPLITS: ClassVar = {"train": 60, "test": 30}
    SIZES: ClassVar = {split: [(12, 12), (9, 14), (20, 10)] for split in SPLITS}
    SHAPE: ClassVar = (None, None, 1)


class GratingsUnlabelled(Gratings):
    """Training images without labels."""

    SPLITS: ClassVar = {"train": 30}

    def labelled(self, split: str, label: int) -> int:
        return -1 if label else 0


class GratingsSomeBroken(Gratings):
    """Every tenth is no image."""

    SPLITS: ClassVar = {"train": 30, "test": 15}
    seen = 0

    def encoded(self, pixels: np.ndarray) -> Any:
        self.seen += 1
        return b"no image" if self.seen % 10 == 0 else png(pixels)


class GratingsOf16Bits(Gratings):
    """Described as 8 bits, and 16 in its files."""

    SPLITS: ClassVar = {"train": 30, "test": 15}

    def encoded(self, pixels: np.ndarray) -> Any:
        return png(pixels.astype(np.uint16) * 257)


class GratingsTooFew(Gratings):
    """Two of every class."""

    SPLITS: ClassVar = {"train": 6}


class GratingsInSizes(Gratings):
    """With a config whose name is that of a size."""

    BUILDER_CONFIGS: ClassVar = [tfds.core.BuilderConfig(name=name, version="1.0.0") for name in ("first", "16px")]
    SPLITS: ClassVar = {"train": 30, "test": 15}

    def encoded(self, pixels: np.ndarray) -> Any:
        config: Any = self.builder_config
        return Image.fromarray(pixels if config.name == "first" else 255 - pixels)


class GratingsAsArrays(Gratings):
    """Arrays, which only TensorFlow encodes."""

    def encoded(self, pixels: np.ndarray) -> Any:
        return pixels[..., None]


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


class Sayings(tfds.core.GeneratorBasedBuilder):
    """No images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features: Any = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=LABELS)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[Any, Any]:
        raise NotImplementedError

    def _generate_examples(self, **arguments: Any) -> Iterator[Any]:
        raise NotImplementedError


def idx(array: np.ndarray) -> bytes:
    """The array as a gzipped IDX file."""
    header = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def idx_files(seed: int) -> dict[str, bytes]:
    """MNIST's four files with 80 and 20 images of noise."""
    random = np.random.default_rng(seed)
    files = {}
    for prefix, count in (("train", 80), ("t10k", 20)):
        files[f"{prefix}-images-idx3-ubyte.gz"] = idx(random.integers(0, 256, (count, 28, 28), np.uint8))
        files[f"{prefix}-labels-idx1-ubyte.gz"] = idx(random.integers(0, 10, count).astype(np.uint8))
    return files


with skip_registration():

    class BuilderToDie(builders.IdxBuilder):
        """In the environment, DIE_AT names an example at which the process kills itself, COUNT a file for a line a split."""

        def _generate_examples(self, **arrays: Any) -> Iterator[Any]:
            if "COUNT" in os.environ:
                with Path(os.environ["COUNT"]).open("a") as file:
                    file.write("prepared\n")
            for index, example in super()._generate_examples(**arrays):
                if os.environ.get("DIE_AT") == str(index):
                    os.kill(os.getpid(), signal.SIGKILL)
                yield index, example


@dataclass(frozen=True)
class SmallIdx(Idx):
    """`idx_files(seed)`, at an address of its own."""

    address: str
    seed: int

    def stock_builder(self) -> Any:
        infos = {
            f"{self.address}/{file}": UrlInfo(
                size=Size(len(content)), checksum=hashlib.sha256(content).hexdigest(), filename=file
            )
            for file, content in idx_files(self.seed).items()
        }
        whole = super().stock_builder()
        return SimpleNamespace(_info=whole._info, url_infos=infos, VERSION=whole.VERSION)


builders.BUILDERS[SmallIdx] = BuilderToDie


def small_mnist(address: str, name: str = "mnist", seed: int = 0) -> Source:
    """The row of MNIST or Fashion-MNIST, with `idx_files(seed)` at an address of its own."""
    whole = SOURCES[name]
    assert isinstance(whole.reader, Idx)
    return replace(whole, reader=SmallIdx(whole.reader.stock, address, seed))


def use_small_mnist(address: str = "http://jcnn.invalid/mnist", name: str = "mnist", seed: int = 0) -> None:
    """Puts `small_mnist` in the place of MNIST, for this process."""
    SOURCES[name] = small_mnist(address, name, seed)


def write_originals(folder: Path, seed: int = 0) -> Path:
    """A folder with `idx_files(seed)`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in idx_files(seed).items():
        (folder / name).write_bytes(content)
    return folder
