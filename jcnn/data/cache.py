"""Decoded images on the disk: NumPy arrays that are mapped into memory, and trusted only once their fingerprint is checked.

A cache is a folder with `manifest.json` and, for each split, `<split>-images.npy` and `<split>-labels.npy`. It appears whole or
not at all. It counts as long as its content has the fingerprints it was written with and the prepared set it was made from is
unchanged, or gone.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jcnn.data.dataset import DataError, Dataset, fingerprint

FORMAT = 1
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
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for split, dataset in datasets.items():
            for name in ARRAYS:
                with (aside / f"{split}-{name}.npy").open("wb") as file:
                    np.save(file, getattr(dataset, name), allow_pickle=False)
                    file.flush()
                    os.fsync(file.fileno())
        first = next(iter(datasets.values()))
        manifest = {
            "format": FORMAT,
            "name": first.name,
            "class_names": first.class_names,
            "attribution": first.attribution,
            "source": {"path": os.path.relpath(source, place), "state": _state(source)},
            "splits": {
                split: {"fingerprint": dataset.fingerprint, "shape": dataset.images.shape}
                for split, dataset in datasets.items()
            },
        }
        (aside / "manifest.json").write_text(json.dumps({**manifest, "digest": _digest(manifest)}, indent=1))
        shutil.rmtree(place, ignore_errors=True)
        aside.rename(place)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def read(place: Path, split: str) -> Dataset | None:
    """One split from a cache, its images mapped into memory; None where there is no cache.

    Raises:
        DataError: the cache is there but must not be trusted; says why.
    """
    manifest = read_manifest(place)
    if manifest is None:
        return None
    source = place / manifest["source"]["path"]
    try:
        changed = source.exists() and _state(source) != manifest["source"]["state"]
    except OSError as error:
        raise DataError(f"{source.resolve()} cannot be looked at: {error.strerror}") from error
    if changed:
        raise DataError(f"{source.resolve()} changed since")
    expected = manifest["splits"][split]
    try:
        images = np.load(place / f"{split}-images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(place / f"{split}-labels.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{split} cannot be read: {error}") from error
    if list(images.shape) != expected["shape"] or (images.dtype, labels.dtype) != (np.uint8, np.int32):
        raise DataError(f"{split} has shape {images.shape}, expected {tuple(expected['shape'])}")
    if fingerprint(images, labels) != expected["fingerprint"]:
        raise DataError(f"the content of {split} changed")
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
        manifest = json.loads(path.read_text())
        if manifest.pop("digest") == _digest(manifest) and manifest["format"] == FORMAT:
            return manifest
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    raise DataError(f"{path} is damaged or of another version")


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _state(source: Path) -> dict[str, Any]:
    """What changes when a prepared set is made anew: the names, sizes and times of its files."""
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(source.iterdir()) if path.is_file()}
