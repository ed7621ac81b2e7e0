"""Datasets by name, and where they lie.

- `DATA_DIR/<set>/<version>/`: prepared by TensorFlow Datasets, as array_record.
- `DATA_DIR/downloads/<set>/`: what was downloaded; one folder a set, since sets share file names.
- `DATA_DIR/jcnn/<set>/`: the decoded images (`jcnn.data.cache`).

A folder of pictures, "folder:PATH", lies where it lies; of it, too, the decoded images are kept (`jcnn.data.folder`).
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, get_args
from urllib.parse import quote

import numpy as np

from jcnn import geometry, printing
from jcnn.data import cache
from jcnn.data.dataset import DataError, Dataset, fingerprint
from jcnn.data.pictures import picture_of
from jcnn.data.pixels import Broken, Pixels
from jcnn.data.registry import FOLDER, SOURCES, TFDS, Embedded, check_source

NAME = re.compile(r"[A-Za-z_]\w*(/[\w.+-]+)?(:\d+\.\d+\.\d+)?", re.ASCII)
"""A set of TensorFlow Datasets: its name, a config of it, a version."""

AS_FILES_HAVE = Pixels()


class Wanted(NamedTuple):
    """How the images of a set are asked for: their height and width, how files become them, what is done with broken ones."""

    image_size: int | None = None
    pixels: Pixels = AS_FILES_HAVE
    broken: Broken = "refuse"


def load(
    name: str,
    split: str = "train",
    *,
    data_dir: Path | None = None,
    originals: Path | None = None,
    image_size: int | None = None,
    pixels: Pixels = AS_FILES_HAVE,
    broken: Broken = "refuse",
    tell: Callable[[str], None] | None = None,
) -> Dataset:
    """The dataset of this name; prepared first if need be, and from then on read in well under a second.

    Args:
        name: of a row of `jcnn.data.registry`, such as "digits", the embedded handwritten digits, or "mnist"; or "tfds:NAME"
            for any set of labelled images in TensorFlow Datasets, also "tfds:NAME/CONFIG" and "tfds:NAME:VERSION"; or
            "folder:PATH" for a folder of pictures, as `jcnn.data.folder` takes it.
        split: "train" or "test". Where a set has no labelled split called test, "validation" stands in, or else a held-out
            fifth of "train".
        data_dir: where data sets lie; None: $JCNN_DATA_DIR, else $TFDS_DATA_DIR, else jcnn in the user's cache folder.
        originals: a folder with original files downloaded before, or with one such folder for each set by its name.
        image_size: bring every image to this height and width; None: as they are.
        pixels: how files become images: channels, polarity, what is transparent, how they come to one size.
        broken: images that cannot be read are refused, all named, or with "skip" left out.
        tell: told what takes long, was mended, lost or guessed; None: printed on the standard error.

    Returns:
        uint8 images (N, H, W, C), mapped from the disk where they were prepared, int32 labels, class names, a fingerprint.

    Raises:
        ValueError: no such name, split or size.
        DataError: the images cannot be had; the message says what is missing and the ways out.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split={split!r}: expected 'train' or 'test'")
    known = _check(name, image_size, pixels, broken)
    if name in SOURCES and isinstance(reader := SOURCES[name].reader, Embedded):
        return _as_asked(reader.load(split), image_size, pixels)
    tell, wanted = tell or printing.print_line, Wanted(image_size, pixels, broken)
    folder = data_folder(data_dir)
    if name.startswith(FOLDER):
        from jcnn.data.folder import load_folder

        return load_folder(name, split, folder, wanted, tell)
    place = cache_folder(folder, known, image_size, pixels, broken)
    try:
        if (found := cache.read(place, split)) is not None:
            return found
    except DataError as error:
        tell(f"the decoded images in {place} are not trusted, and made anew: {error}")
    from jcnn.data.exclusive import exclusive

    with exclusive(place.with_name(f"{place.name}.lock"), f"decodes {known}", tell):
        try:
            if (found := cache.read(place, split)) is not None:  # another process was faster
                return found
        except DataError:
            pass
        return _decoded(known, folder, originals_folder(originals, known), place, wanted, tell)[split]


def check(
    name: str,
    *,
    data_dir: Path | None = None,
    originals: Path | None = None,
    image_size: int | None = None,
    pixels: Pixels = AS_FILES_HAVE,
    broken: Broken = "refuse",
) -> None:
    """Refuses what `load` could not load whatever it downloads: no such set, size or folder. Quick, and nothing is written.

    Args:
        name: as in `load`; so are all others.
        data_dir: where data sets lie.
        originals: a folder with original files.
        image_size: a height and width.
        pixels: how files become images.
        broken: what is done with those that cannot be read.

    Raises:
        ValueError: no such name or size; the message says what there is.
        OSError: no such folder.
        DataError: TensorFlow Datasets knows no such set, or the folder has no pictures in subfolders.
    """
    known = _check(name, image_size, pixels, broken)
    folder = data_folder(data_dir)
    if name.startswith(FOLDER):
        from jcnn.data.folder import scan

        scan(Path(name.removeprefix(FOLDER)))
        return
    originals_folder(originals, known)
    if name.startswith(TFDS) and not cache_folder(folder, known, image_size, pixels, broken).exists():
        from jcnn.data.prepare import require_known

        require_known(known, folder)


def data_folder(given: Path | None = None) -> Path:
    """The data folder: the one given, else $JCNN_DATA_DIR, else $TFDS_DATA_DIR, else jcnn in the user's cache folder."""
    named = given or os.environ.get("JCNN_DATA_DIR") or os.environ.get("TFDS_DATA_DIR")
    if named:
        folder = Path(named).expanduser()
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(20, "expected a folder for data sets", str(folder))
        return folder
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jcnn"


def originals_folder(given: Path | None, name: str) -> Path | None:
    """The folder with a set's original files: one of the set's own name in the given folder, else the given folder.

    Raises:
        FileNotFoundError: the given folder does not exist.
    """
    if given is None:
        return None
    given = Path(given).expanduser()
    if not given.is_dir():
        raise FileNotFoundError(2, "no such folder (originals)", str(given))
    own = given / re.split("[/:]", name)[0]
    return own if own.is_dir() else given


def cache_folder(
    folder: Path, name: str, image_size: int | None, pixels: Pixels = AS_FILES_HAVE, broken: Broken = "refuse"
) -> Path:
    """Where the decoded images of a set lie in a data folder: a place of its own for every name, size and way of reading."""
    size = f"@{image_size}px" if image_size else ""  # no name has an @ once it is quoted
    chosen = {**pixels.chosen(), **({} if broken == "refuse" else {"broken": broken})}
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:8]
    return folder / "jcnn" / (quote(name, safe="") + size + (f"@{digest}" if chosen else ""))


def _check(name: str, image_size: int | None, pixels: Pixels, broken: Broken) -> str:
    """Refuses what has no meaning; the name that TensorFlow Datasets has for the set."""
    if image_size is not None and (not isinstance(image_size, int) or isinstance(image_size, bool) or image_size < 1):
        raise ValueError(f"image_size={image_size}: expected an integer, at least 1")
    if not isinstance(pixels, Pixels):
        raise TypeError(geometry.wrong("pixels", pixels, "a jcnn.data.Pixels"))
    pixels.check()
    geometry.choice("broken", broken, get_args(Broken))
    known = name.removeprefix(TFDS)
    if not name.startswith(FOLDER) and (known == name or not NAME.fullmatch(known)):
        check_source(name)
    return known


def _decoded(
    name: str, folder: Path, originals: Path | None, place: Path, wanted: Wanted, tell: Callable[[str], None]
) -> dict[str, Dataset]:
    """All splits of a set, prepared and decoded; kept in the cache if it can be written."""
    from rich.progress import Progress

    from jcnn.data.decode import decode
    from jcnn.data.prepare import as_data_error, prepared

    tell(f"preparing {name} in {folder}")
    builder = prepared(name, folder, originals, tell)
    source = Path(builder.data_path)
    console = printing.console(stderr=True)
    damaged = "it is damaged: move that folder away, and run again to have it prepared anew"
    with (
        as_data_error(f"{source} cannot be read", damaged),
        Progress(console=console, disable=not console.is_terminal, transient=True) as bar,
    ):
        task = bar.add_task(f"decoding {name}", total=None)
        found = decode(builder, *wanted, lambda done, total: bar.update(task, completed=done, total=total))
    for line in found.said:
        tell(f"{name}: {line}")
    attribution = ", ".join(filter(None, (f"TensorFlow Datasets, {builder.info.full_name}", builder.info.homepage)))
    row = SOURCES.get(name)
    class_names = (row and row.class_names) or found.class_names
    datasets = {
        split: Dataset(name, split, images, labels, class_names, fingerprint(images, labels), attribution, found.pixels)
        for split, (images, labels) in found.splits.items()
    }
    try:
        cache.write(place, datasets, source)
    except OSError as error:
        tell(f"the decoded images cannot be kept in {place} ({error.strerror or error}); they will be decoded again next time")
        return datasets
    try:
        return {split: cache.read(place, split) or dataset for split, dataset in datasets.items()}
    except DataError as error:
        tell(f"the decoded images in {place} do not last ({error}); they will be decoded again next time")
        return datasets


def _as_asked(dataset: Dataset, image_size: int | None, pixels: Pixels) -> Dataset:
    """An embedded set, whose images are pixels already."""
    if image_size is None and not pixels.chosen():
        return dataset
    size = None if image_size is None else (image_size, image_size)
    images = np.stack([picture_of(image, pixels, size).pixels for image in dataset.images])
    known = replace(pixels, channels=images.shape[-1])
    return dataset._replace(images=images, fingerprint=fingerprint(images, dataset.labels), pixels=known)
