"""Decoded images on the disk: NumPy arrays that are mapped into memory, and trusted only once their digests are checked.

A cache is a folder with `manifest.json` and, for each split, `<split>-images.npy` and `<split>-labels.npy`. It appears whole or
not at all. It counts as long as every byte of it is as it was written, and the prepared set it was made from is unchanged, or
gone.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from jaxtyping import Int, UInt8

from jcnn.data.dataset import DataError, Dataset
from jcnn.data.memory_mapped import blocks
from jcnn.data.pixels import from_data
from jcnn.disk import flush, naming

FORMAT = 3
ARRAYS = ("images", "labels")


def write(place: Path, datasets: Mapping[str, Dataset], source: Path) -> None:
    """Writes a cache in place of any that is there.

    Args:
        place: its folder, whose lock the caller holds.
        datasets: what to keep, by split.
        source: the folder of the prepared set they were decoded from.

    Raises:
        OSError: it cannot be written; nothing half-made is left.
    """
    with begun(place) as aside:
        splits = {}
        for split, dataset in datasets.items():
            growing = Growing(aside, split, dataset.input_shape)
            with growing:
                for images in blocks(dataset.images):
                    growing.add(images)
            splits[split] = growing.end(dataset.labels)
        finish(place, aside, next(iter(datasets.values())), splits, source, state(source))


@contextmanager
def begun(place: Path) -> Iterator[Path]:
    """A folder beside a cache's place, for its files until they are whole; gone in the end unless it was given its name.

    Raises:
        OSError: it cannot be made.
    """
    aside = place.with_name(f".{place.name}")  # one name: what a killed process left there is written over
    try:
        _remove(aside)
        aside.mkdir(parents=True)
        yield aside
    finally:
        with suppress(OSError):
            _remove(aside)


class Growing:
    """A split that is being written, images after images; how many there will be is not known before the end."""

    def __init__(self, aside: Path, split: str, shape: tuple[int, ...]) -> None:
        """Names its files; the shape is that of one image."""
        self._paths = {name: aside / f"{split}-{name}.npy" for name in ARRAYS}
        self._shape = shape
        self._count = 0
        self._digest = hashlib.sha256()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        with naming(self._paths["images"]):
            self._file = self._paths["images"].open("wb")
            # NumPy leaves room in the header for a first size of any length.
            np.lib.format.write_array_header_1_0(self._file, self._header())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        file, self._file = self._opened(), None
        # Outside, since closing the file writes what is left of it.
        with naming(self._paths["images"]), file:
            if kind is None:
                file.seek(0)
                np.lib.format.write_array_header_1_0(file, self._header())
                file.flush()
                flush(file.fileno())

    def add(self, images: UInt8[np.ndarray, "n h w c"]) -> None:
        """Writes images after those that are there."""
        content = np.ascontiguousarray(images)
        with naming(self._paths["images"]):
            self._opened().write(content.data)
        self._digest.update(content.data)
        self._count += len(images)

    def end(self, labels: Int[np.ndarray, " n"]) -> dict[str, Any]:
        """Writes the labels; what the manifest says of the split."""
        path = self._paths["labels"]
        with naming(path), path.open("wb") as file:
            np.save(file, labels, allow_pickle=False)
            file.flush()
            flush(file.fileno())
        self._digest.update(np.ascontiguousarray(labels).data)
        return {
            "fingerprint": self._digest.hexdigest(),
            "shape": [self._count, *self._shape],
            "sha256": {name: _sha256(path) for name, path in self._paths.items()},
        }

    def _header(self) -> dict[str, Any]:
        return {"shape": (self._count, *self._shape), "fortran_order": False, "descr": "|u1"}

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            raise RuntimeError(f"{self._paths['images']} is not open")
        return self._file


def finish(
    place: Path, aside: Path, described: Dataset, splits: Mapping[str, Any], source: Path, source_state: Mapping[str, Any]
) -> None:
    """Writes the manifest, and gives the folder its name, in place of what has it.

    Args:
        place: the cache's folder.
        aside: what `begun` gave.
        described: any of its splits: name, class names, attribution and pixels.
        splits: what `Growing.end` gave, by split.
        source: the folder that it was made from.
        source_state: what `read` is to find there.
    """
    manifest = {
        "format": FORMAT,
        "name": described.name,
        "class_names": described.class_names,
        "attribution": described.attribution,
        "pixels": None if described.pixels is None else described.pixels.as_data(),
        "source": {"path": os.path.relpath(source, place), "state": source_state},
        "splits": splits,
    }
    path = aside / "manifest.json"
    with naming(path):
        path.write_bytes(_text(manifest))
    _remove(place)
    with naming(place):
        aside.rename(place)


def read(place: Path, split: str, source_state: Callable[[Path], Mapping[str, Any]] | None = None) -> Dataset | None:
    """One split from a cache, its images mapped into memory; None where there is no cache.

    Args:
        place: the cache's folder.
        split: "train" or "test".
        source_state: what changes when the folder does that it was made from; by default `state`.

    Raises:
        DataError: the cache is there but must not be trusted; says why.
    """
    manifest = read_manifest(place)
    if manifest is None:
        return None
    try:
        return _read(place, split, manifest, source_state or state)
    except DataError:
        raise
    except Exception as error:  # whatever damage may cause, it has one cure
        raise DataError(f"{split} cannot be read: {str(error) or type(error).__name__}") from error


def _read(place: Path, split: str, manifest: dict[str, Any], source_state: Callable[[Path], Mapping[str, Any]]) -> Dataset:
    source = place / manifest["source"]["path"]
    if source.exists() and source_state(source) != manifest["source"]["state"]:
        raise DataError(f"{source.resolve()} changed since")
    expected = manifest["splits"][split]
    for name in ARRAYS:
        if _sha256(path := place / f"{split}-{name}.npy") != expected["sha256"][name]:
            raise DataError(f"{path.name} is not what was written")
    images = np.load(place / f"{split}-images.npy", mmap_mode="r", allow_pickle=False)
    labels = np.array(np.load(place / f"{split}-labels.npy", mmap_mode="r", allow_pickle=False))
    if list(images.shape) != expected["shape"] or (images.dtype, labels.dtype) != (np.uint8, np.int32):
        raise DataError(f"{split} has shape {images.shape}, expected {tuple(expected['shape'])}")
    if labels.shape != images.shape[:1]:
        raise DataError(f"{split} has {len(images)} images and labels of shape {labels.shape}")
    return Dataset(
        manifest["name"],
        split,
        images,
        labels,
        tuple(manifest["class_names"]),
        expected["fingerprint"],
        manifest["attribution"],
        None if manifest["pixels"] is None else from_data(manifest["pixels"]),
    )


def read_manifest(place: Path) -> dict[str, Any] | None:
    """What a cache says of itself; None where there is no cache.

    Raises:
        DataError: damaged, or of another version.
    """
    path = place / "manifest.json"
    try:
        if path.exists() and not path.is_file():
            raise DataError("it is no file")  # noqa: TRY301 (told below, as all that may be wrong with it)
        content = path.read_bytes()
        manifest = json.loads(content)
        del manifest["digest"]
        if content == _text(manifest) and manifest["format"] == FORMAT:
            return manifest
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever damage may cause, it has one cure
        raise DataError(f"{path} is damaged: {str(error) or type(error).__name__}") from error
    raise DataError(f"{path} is damaged or of another version")


def _text(manifest: dict[str, Any]) -> bytes:
    """The content of `manifest.json`: what is said, and a digest of it."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    return json.dumps({**manifest, "digest": digest}, indent=1).encode()


def _sha256(path: Path) -> str:
    if not path.is_file():  # a pipe would keep us waiting
        raise DataError(f"{path} is no file")
    with naming(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    """Removes whatever is there: a folder with all in it, a file, a link, nothing.

    Raises:
        OSError: it cannot be removed; names it.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def state(source: Path) -> dict[str, Any]:
    """What changes when a prepared set is made anew: the names, sizes and times of its files."""
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(source.iterdir()) if path.is_file()}
