"""Builders of TensorFlow Datasets for the published sets of the registry, made to work without TensorFlow.

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

from jcnn.data.dataset import DataError
from jcnn.data.originals import check_sha256, read_cifar, read_idx, read_tar
from jcnn.data.registry import SOURCES, Cifar, Idx, PublishedFiles

Example = tuple[int, dict[str, Any]]


with skip_registration():

    class Published(tfds.core.GeneratorBasedBuilder):
        """What they share: the stock builder's description, but in the published order, and checked files."""

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

    class IdxBuilder(Published):
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

    class CifarBuilder(Published):
        """Images and labels in CIFAR's binary version."""

        FORMAT: ClassVar[Cifar]

        def has_originals(self) -> bool:
            return self._unpacked() is not None

        def _unpacked(self) -> Path | None:
            """The folder with the unpacked files, among those that a person gave."""
            folders = (self.originals, self.originals / self.FORMAT.folder) if self.originals else ()
            return next((folder for folder in folders if any((folder / name).exists() for name in self.FORMAT.unpacked)), None)

        def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[Any, Any]:
            files = self._files(dl_manager)
            described: Any = self.info
            for key, name in self.FORMAT.labels.items():
                described.features[key].names = files[name].decode().split()
            return {split: self._generate_examples(split=split, files=files) for split in self.FORMAT.splits}

        def _files(self, manager: tfds.download.DownloadManager) -> dict[str, bytes]:
            folder = self._unpacked()
            if folder is not None:
                return self._unpacked_files(folder)
            (archive,) = self._download(manager, sorted(self.STOCK.url_infos)).values()
            names = [*(name for names in self.FORMAT.splits.values() for name in names), *self.FORMAT.labels.values()]
            return read_tar(archive, {name: f"{self.FORMAT.folder}/{name}" for name in names})

        def _unpacked_files(self, folder: Path) -> dict[str, bytes]:
            """The files, and the names of the classes as they would stand in theirs."""
            expected = self.FORMAT.unpacked
            if missing := [name for name in expected if not (folder / name).exists()]:
                raise DataError(f"{folder} lacks {', '.join(missing)}: expected all of {', '.join(expected)}")
            for name, checksum in expected.items():
                check_sha256(folder / name, checksum)
            class_names = dict.fromkeys(self.FORMAT.labels.values(), "\n".join(self.FORMAT.class_names).encode())
            return {**class_names, **{name: (folder / name).read_bytes() for name in expected}}

        def _generate_examples(self, **arrays: Any) -> Iterator[Example]:
            labels, split, index = self.FORMAT.labels, arrays["split"], 0
            for name in self.FORMAT.splits[split]:
                images, numbers = read_cifar(arrays["files"][name], name, len(labels))
                for image, number in zip(images, numbers, strict=True):
                    named = dict(zip(labels, map(int, number), strict=True))
                    yield index, {"id": f"{split}_{index:05d}", "image": _png(image), **named}
                    index += 1


BUILDERS: dict[type[PublishedFiles], type[Published]] = {Idx: IdxBuilder, Cifar: CifarBuilder}
"""What reads each format of the registry."""


def published_builder(name: str) -> type[Published] | None:
    """The builder of a set whose row names a format of published files; None for any other set."""
    row = SOURCES.get(name)
    if row is None or not isinstance(row.reader, PublishedFiles):
        return None
    stock = row.reader.stock_builder()
    described = {
        "__doc__": row.images,
        "__module__": __name__,
        "name": name,
        "VERSION": stock.VERSION,
        "STOCK": stock,
        "FORMAT": row.reader,
        "url_infos": stock.url_infos,
    }
    with skip_registration():
        return type(name, (BUILDERS[type(row.reader)],), described)


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", compress_level=1)
    return buffer.getvalue()
