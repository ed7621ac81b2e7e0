"""The builders of TensorFlow Datasets for MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100, made to work without TensorFlow.

Name, version, features, addresses and checksums are theirs; unpacking and encoding are done here, with NumPy and Pillow.
Examples keep the order in which they were published.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core.registered import skip_registration
from tensorflow_datasets.image_classification import cifar, mnist

from jcnn.data.dataset import DataError
from jcnn.data.originals import CIFAR10_FILES, check_sha256, read_cifar, read_idx, read_tar

Example = tuple[int, dict[str, Any]]


with skip_registration():

    class Published(tfds.core.GeneratorBasedBuilder):
        """What the four share: the stock builder's description, but in the published order, and checked files."""

        STOCK: ClassVar[Any]
        originals: Path | None = None
        """A folder of files downloaded before; the download manager finds those that have the names they were published by."""

        def has_originals(self) -> bool:
            """Whether that folder has all that is needed in a form the download manager does not know."""
            return False

        def _info(self) -> tfds.core.DatasetInfo:
            stock = self.STOCK._info(self)
            return tfds.core.DatasetInfo(
                builder=self,
                description=stock.description,
                features=stock.features,
                supervised_keys=stock.supervised_keys,
                homepage=stock.homepage,
                citation=stock.citation,
                disable_shuffling=True,
            )

        def _download(self, manager: tfds.download.DownloadManager, urls: list[str]) -> dict[str, Path]:
            """The files by name; one kept from an earlier download is checked too, which the manager leaves out."""
            fetched: Any = manager.download(urls)
            paths = {url.rsplit("/", 1)[-1]: (url, Path(path)) for url, path in zip(urls, fetched, strict=True)}
            for url, path in paths.values():
                try:
                    check_sha256(path, self.STOCK.url_infos[url].checksum)
                except DataError as error:
                    if self.originals and self.originals in path.parents:
                        raise  # a person's original is theirs to remove; what was downloaded can be again
                    path.unlink()
                    raise DataError(f"{path} has a wrong checksum and was removed: run again to download it anew") from error
            return {name: path for name, (_, path) in paths.items()}

    class Idx(Published):
        """Images and labels in IDX files."""

        def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[Any, Any]:
            paths = self._download(dl_manager, sorted(self.STOCK.url_infos))
            return {
                split: self._generate_examples(
                    images=read_idx(paths[f"{prefix}-images-idx3-ubyte.gz"]),
                    labels=read_idx(paths[f"{prefix}-labels-idx1-ubyte.gz"]),
                )
                for split, prefix in (("train", "train"), ("test", "t10k"))
            }

        def _generate_examples(self, **arrays: Any) -> Iterator[Example]:
            for index, (image, label) in enumerate(zip(arrays["images"], arrays["labels"], strict=True)):
                yield index, {"image": _png(image), "label": int(label)}

    class Mnist(Idx):
        """MNIST: 70,000 handwritten digits, 28×28, grey."""

        name = "mnist"
        VERSION = mnist.MNIST.VERSION
        STOCK = mnist.MNIST
        url_infos: ClassVar[Any] = STOCK.url_infos

    class FashionMnist(Idx):
        """Fashion-MNIST: 70,000 articles of clothing, 28×28, grey."""

        name = "fashion_mnist"
        VERSION = mnist.FashionMNIST.VERSION
        STOCK = mnist.FashionMNIST
        url_infos: ClassVar[Any] = STOCK.url_infos

    class Cifar(Published):
        """Images and labels in CIFAR's binary version."""

        PREFIX: ClassVar[str]
        FILES: ClassVar[dict[str, tuple[str, ...]]]
        LABELS: ClassVar[dict[str, str]]
        """The file of names of each label, in the order in which the labels stand before an image."""

        def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[Any, Any]:
            files = self._files(dl_manager)
            described: Any = self.info
            for key, name in self.LABELS.items():
                described.features[key].names = files[name].decode().split()
            return {split: self._generate_examples(split=split, files=files) for split in self.FILES}

        def _files(self, manager: tfds.download.DownloadManager) -> dict[str, bytes]:
            (archive,) = self._download(manager, sorted(self.STOCK.url_infos)).values()
            names = [*(name for names in self.FILES.values() for name in names), *self.LABELS.values()]
            return read_tar(archive, {name: f"{self.PREFIX}/{name}" for name in names})

        def _generate_examples(self, **arrays: Any) -> Iterator[Example]:
            split, index = arrays["split"], 0
            for name in self.FILES[split]:
                images, labels = read_cifar(arrays["files"][name], name, len(self.LABELS))
                for image, numbers in zip(images, labels, strict=True):
                    named = dict(zip(self.LABELS, map(int, numbers), strict=True))
                    yield index, {"id": f"{split}_{index:05d}", "image": _png(image), **named}
                    index += 1

    class Cifar10(Cifar):
        """CIFAR-10: 60,000 photographs, 32×32, in colour."""

        name = "cifar10"
        VERSION = cifar.Cifar10.VERSION
        STOCK = cifar.Cifar10
        url_infos: ClassVar[Any] = STOCK.url_infos
        PREFIX = "cifar-10-batches-bin"
        FILES: ClassVar = {"train": tuple(CIFAR10_FILES)[:5], "test": ("test_batch.bin",)}
        LABELS: ClassVar = {"label": "batches.meta.txt"}
        CLASS_NAMES = "airplane automobile bird cat deer dog frog horse ship truck"

        def _unpacked(self) -> Path | None:
            folders = (self.originals, self.originals / self.PREFIX) if self.originals else ()
            return next((folder for folder in folders if any((folder / name).exists() for name in CIFAR10_FILES)), None)

        def has_originals(self) -> bool:
            return self._unpacked() is not None

        def _files(self, manager: tfds.download.DownloadManager) -> dict[str, bytes]:
            folder = self._unpacked()
            if folder is None:
                return super()._files(manager)
            if missing := [name for name in CIFAR10_FILES if not (folder / name).exists()]:
                raise DataError(f"{folder} lacks {', '.join(missing)}: expected all of {', '.join(CIFAR10_FILES)}")
            for name, expected in CIFAR10_FILES.items():
                check_sha256(folder / name, expected)
            unpacked = {name: (folder / name).read_bytes() for name in CIFAR10_FILES}
            return {**unpacked, "batches.meta.txt": self.CLASS_NAMES.encode()}

    class Cifar100(Cifar):
        """CIFAR-100: 60,000 photographs of 100 classes, 32×32, in colour."""

        name = "cifar100"
        VERSION = cifar.Cifar100.VERSION
        STOCK = cifar.Cifar100
        url_infos: ClassVar[Any] = STOCK.url_infos
        PREFIX = "cifar-100-binary"
        FILES: ClassVar = {"train": ("train.bin",), "test": ("test.bin",)}
        LABELS: ClassVar = {"coarse_label": "coarse_label_names.txt", "label": "fine_label_names.txt"}


BUILDERS: dict[str, type[Published]] = {builder.name: builder for builder in (Mnist, FashionMnist, Cifar10, Cifar100)}


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", compress_level=1)
    return buffer.getvalue()
