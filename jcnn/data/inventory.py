"""What data sets there are: embedded, decoded, prepared, or only known by name."""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from jcnn.data.cache import read_manifest
from jcnn.data.dataset import DataError
from jcnn.data.registry import SOURCES, Embedded


class Entry(NamedTuple):
    """One data set as `jcnn data list` shows it.

    Attributes:
        name: the set's name.
        state: "ready" (decoded, a start takes no time), "prepared" (decoded at the next start), or what else is to be said.
        splits: the number of images of every split.
        shape: (H, W, C); empty where it is not known.
        classes: the number of classes; 0 where it is not known.
        size: bytes on the disk.
        place: its folder; None for what comes with jcnn, or is not there.
        source: the prepared set that was decoded, if it is there.
    """

    name: str
    state: str
    splits: Mapping[str, int] = MappingProxyType({})
    shape: tuple[int, ...] = ()
    classes: int = 0
    size: int = 0
    place: Path | None = None
    source: Path | None = None


def inventory(folder: Path) -> list[Entry]:
    """The sets in the package, everything in a data folder, and the sets that can be prepared by their bare name."""
    embedded = [_embedded(name, row.reader) for name, row in SOURCES.items() if isinstance(row.reader, Embedded)]
    caches = [path.parent for path in sorted((folder / "jcnn").glob("[!.]*/manifest.json"))]
    infos = sorted({*folder.glob("*/*/dataset_info.json"), *folder.glob("*/*/*/dataset_info.json")})
    places = [path.parent for path in infos if folder / "jcnn" not in path.parents]
    decoded = [_decoded(place) for place in caches]
    prepared = [_prepared(place, folder) for place in places if place not in {entry.source for entry in decoded}]
    there = {re.split("[/:]", entry.name)[0] for entry in embedded + decoded + prepared}
    unprepared = [Entry(name, "not prepared") for name in SOURCES if name not in there]
    return [*embedded, *decoded, *prepared, *unprepared]


def _embedded(name: str, reader: Embedded) -> Entry:
    splits = {split: reader.load(split) for split in ("train", "test")}
    counts = {split: len(dataset.labels) for split, dataset in splits.items()}
    return Entry(name, "embedded", counts, splits["train"].input_shape, splits["train"].classes)


def _decoded(place: Path) -> Entry:
    size = _size(place)
    try:
        manifest = read_manifest(place)
    except DataError as error:
        return Entry(place.name, f"damaged, made anew when used: {error}", size=size, place=place)
    if manifest is None:
        return Entry(place.name, "gone", place=place)
    try:
        return _described(place, manifest, size)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return Entry(place.name, f"damaged, made anew when used: {error!r}", size=size, place=place)


def _described(place: Path, manifest: dict[str, Any], size: int) -> Entry:
    shapes = {split: described["shape"] for split, described in manifest["splits"].items()}
    counts = {split: shape[0] for split, shape in shapes.items()}
    source = Path(os.path.normpath(place / manifest["source"]["path"]))
    size += _size(source)
    shape, classes = tuple(shapes["train"][1:]), len(manifest["class_names"])
    return Entry(manifest["name"], "ready", counts, shape, classes, size, place, source)


def _prepared(place: Path, folder: Path) -> Entry:
    name = str(place.relative_to(folder))
    try:
        info = json.loads((place / "dataset_info.json").read_text("utf-8"))
        counts = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
        written = info["fileFormat"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Entry(name, f"damaged: {error!r}", size=_size(place), place=place)
    state = "prepared" if written == "array_record" else f"prepared as {written}, which only TensorFlow reads"
    return Entry(name, state, counts, size=_size(place), place=place)


def _size(place: Path) -> int:
    """Bytes of the files that can be looked at."""
    size = 0
    with suppress(OSError):
        for path in place.rglob("*"):
            size += path.stat().st_size if path.is_file() else 0
    return size
