"""Decoded images on the disk: NumPy arrays that are mapped into memory, and trusted only once their digests are checked.

A cache is a folder with `manifest.json` and, for each split, `<split>-images.npy` and `<split>-labels.npy`. It appears whole or
not at all. It counts as long as every byte of it is as it was written, and the prepared set it was made from is unchanged, or
gone.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from jcnn.data.dataset import DataError, Dataset
from jcnn.disk import flush, naming

FORMAT = 2
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
    aside = place.with_name(f".{place.name}")  # one name: what a killed process left there is written over
    try:
        _remove(aside)
        aside.mkdir(parents=True)
        for split, dataset in datasets.items():
            for name in ARRAYS:
                path = aside / f"{split}-{name}.npy"
                with naming(path), path.open("wb") as file:
                    np.save(file, getattr(dataset, name), allow_pickle=False)
                    file.flush()
                    flush(file.fileno())
        first = next(iter(datasets.values()))
        manifest = {
            "format": FORMAT,
            "name": first.name,
            "class_names": first.class_names,
            "attribution": first.attribution,
            "source": {"path": os.path.relpath(source, place), "state": _state(source)},
            "splits": {
                split: {
                    "fingerprint": dataset.fingerprint,
                    "shape": dataset.images.shape,
                    "sha256": {name: _sha256(aside / f"{split}-{name}.npy") for name in ARRAYS},
                }
                for split, dataset in datasets.items()
            },
        }
        path = aside / "manifest.json"
        with naming(path):
            path.write_bytes(_text(manifest))
        _remove(place)
        with naming(place):
            aside.rename(place)
    except BaseException:
        with suppress(OSError):
            _remove(aside)
        raise


def read(place: Path, split: str) -> Dataset | None:
    """One split from a cache, its images mapped into memory; None where there is no cache.

    Raises:
        DataError: the cache is there but must not be trusted; says why.
    """
    manifest = read_manifest(place)
    if manifest is None:
        return None
    try:
        return _read(place, split, manifest)
    except DataError:
        raise
    except Exception as error:  # whatever damage may cause, it has one cure
        raise DataError(f"{split} cannot be read: {str(error) or type(error).__name__}") from error


def _read(place: Path, split: str, manifest: dict[str, Any]) -> Dataset:
    source = place / manifest["source"]["path"]
    if source.exists() and _state(source) != manifest["source"]["state"]:
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


def _state(source: Path) -> dict[str, Any]:
    """What changes when a prepared set is made anew: the names, sizes and times of its files."""
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(source.iterdir()) if path.is_file()}
