"""A folder of pictures as a data set: decoded once, by all cores, and kept as the decoded images of any other set are.

What is lost, guessed, passed over or left out is told once, when it is decoded, and stays in `report.txt` beside the images.
"""

import errno
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from jcnn import printing
from jcnn.data import cache
from jcnn.data.dataset import DataError, Dataset
from jcnn.data.findings import Bad, Findings
from jcnn.data.load import AS_FILES_HAVE, Wanted, load
from jcnn.data.pictures import Header, Picture, PictureError
from jcnn.data.pixels import Broken, Pixels
from jcnn.data.reading import Task, read_all
from jcnn.data.registry import FOLDER
from jcnn.data.tree import File, Tree, scan

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

REPORT = "report.txt"
BLOCK = 1 << 24
"""Bytes of pixels that are gathered before they are written."""

TWINS = 10
"""Pictures in both splits that are named."""


def folder(
    path: Path | str,
    split: str = "train",
    *,
    data_dir: Path | None = None,
    image_size: int | None = None,
    pixels: Pixels = AS_FILES_HAVE,
    broken: Broken = "refuse",
    tell: Callable[[str], None] | None = None,
) -> Dataset:
    """The pictures in a folder: one subfolder a class, or `train/` and `test/` with one subfolder a class each.

    Classes are sorted by name; those of `test/` are matched by name, and missing and unknown ones told. Without `test/` (or
    `validation/`, `valid/`, `val/`) a fifth of every class is held out. Hidden files and those that are no pictures are passed
    over and counted. Pictures that are in both splits, pixel by pixel, are told.

    Decoded by as many processes as there are cores, once: the images are kept in the data folder, and made anew when a file
    changes, comes or goes. They are mapped from there, and may be larger than memory.

    Args:
        path: the folder.
        split: "train" or "test".
        data_dir: where decoded images are kept, as in `load`.
        image_size: bring every picture to this height and width; None: they all have one size.
        pixels: how files become images: channels, polarity, what is transparent, how they come to one size.
        broken: pictures that cannot be read are refused, all named, or with "skip" left out, all named.
        tell: told what takes long, was lost, guessed or left out; None: printed on the standard error.

    Returns:
        uint8 images (N, H, W, C), mapped from the disk, int32 labels, class names, a fingerprint.

    Raises:
        ValueError: no such split or size, or options that mean nothing.
        OSError: no such folder.
        DataError: no classes, broken pictures, pictures of different sizes, or no room for the decoded images.
    """
    name = f"{FOLDER}{path}"
    return load(name, split, data_dir=data_dir, image_size=image_size, pixels=pixels, broken=broken, tell=tell)


def load_folder(name: str, split: str, data_folder: Path, wanted: Wanted, tell: Callable[[str], None]) -> Dataset:
    """`folder`, by the name that a data set has; the options are checked."""
    from jcnn.data.exclusive import exclusive

    tree = scan(Path(name.removeprefix(FOLDER)))
    place = _place(data_folder, tree.root, wanted)

    def state(_: Path) -> dict[str, Any]:
        return {"files": tree.state}

    try:
        if (found := cache.read(place, split, state)) is not None:
            return found
    except DataError as error:
        tell(f"the decoded images in {place} are made anew: {error}")
    with exclusive(place.with_name(f"{place.name}.lock"), f"decodes {tree.root}", tell):
        try:
            if (found := cache.read(place, split, state)) is not None:  # another process was faster
                return found
        except DataError:
            pass
        with _decoded(tree, place, wanted, tell) as aside:
            found = cache.read(place, split, state) if aside is None else _in_memory(cache.read(aside, split, state))
    if found is None:
        raise DataError(f"the decoded images in {place} were removed while they were read: run again")
    return found


def _place(data_folder: Path, root: Path, wanted: Wanted) -> Path:
    chosen = {"path": str(root), "size": wanted.image_size, "broken": wanted.broken, **wanted.pixels.options()}
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]
    return data_folder / "jcnn" / f"folder-{digest}"


def _in_memory(found: Dataset | None) -> Dataset | None:
    return None if found is None else found._replace(images=np.array(found.images))


@contextmanager
def _decoded(tree: Tree, place: Path, wanted: Wanted, tell: Callable[[str], None]) -> Iterator[Path | None]:
    """Decodes all pictures into the cache; where that cannot be written, into a folder that is gone afterwards.

    Yields:
        None: they are in the cache; else the folder.
    """
    with tempfile.TemporaryDirectory(prefix="jcnn-decoded-", ignore_cleanup_errors=True) as other:
        target = place
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place.parent):
                pass
        except OSError as error:
            target = Path(other) / place.name
            tell(f"the decoded images cannot be kept in {place} ({error.strerror}); they will be decoded again next time")
        try:
            with cache.begun(target) as aside:
                _decode(tree, target, aside, wanted, tell)
        except OSError as error:
            room = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            advice = "make room, or give" if room else "give"
            raise DataError(
                f"the decoded images of {tree.root} cannot be written: {error}; {advice} another folder with --data-dir "
                "(or JCNN_DATA_DIR)"
            ) from error
        yield None if target == place else target


def _decode(tree: Tree, place: Path, aside: Path, wanted: Wanted, tell: Callable[[str], None]) -> None:
    from rich.progress import Progress

    findings = Findings()
    findings.bad.extend(tree.bad)
    console = printing.console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        known, size = _known(tree, wanted, findings, bar)
        splits, digests = {}, {}
        for split, files in tree.files.items():
            digests[split] = {}
            splits[split] = _write(aside, split, files, Task(known, size), findings, digests[split], bar)
    _refuse(tree, wanted, findings, splits)
    said = [*tree.said, *findings.lines(known, size), *_twins(digests, tree)]
    if findings.bad:
        said.insert(0, f"left out, since they cannot be read: {findings.listed()}")
    for line in said:
        tell(f"{tree.root}: {line}")
    _report(aside / REPORT, said, findings.bad)
    described = Dataset(
        f"{FOLDER}{tree.root}",
        "train",
        np.zeros(0),
        np.zeros(0, np.int32),
        tree.class_names,
        "",
        f"pictures in {tree.root}",
        known,
    )
    cache.finish(place, aside, described, splits, tree.root, {"files": tree.state})


def _known(tree: Tree, wanted: Wanted, findings: Findings, bar: "Progress") -> tuple[Pixels, tuple[int, int]]:
    """In how many channels and in which size the pictures are read: as asked, or as all of them have it."""
    pixels, size = wanted.pixels, None if wanted.image_size is None else (wanted.image_size, wanted.image_size)
    if pixels.channels is not None and size is not None:
        return pixels, size
    paths = [file.path for files in tree.files.values() for file in files]
    sizes: dict[tuple[int, int], Path] = {}
    channels, bad = 1, []
    for path, read in zip(paths, _shown(read_all(paths, Task()), bar, "looking at", len(paths)), strict=True):
        if isinstance(read, Header):
            sizes.setdefault(read.size, path)
            channels = max(channels, read.channels)
        elif isinstance(read, PictureError):
            bad.append(_bad(path, read))
    if not sizes:
        findings.bad.extend(bad)
        raise DataError(f"{tree.root}: none of its {len(paths):,} pictures can be read: {findings.listed()}")
    if size is None and len(sizes) > 1:
        (low, such), (high, other) = ((found, sizes[found]) for found in (min(sizes), max(sizes)))
        raise DataError(
            f"the pictures in {tree.root} differ in size, from {low[0]}×{low[1]} ({such}) to {high[0]}×{high[1]} ({other}): "
            "give one for all, such as --image-size 64"
        )
    return replace(pixels, channels=pixels.channels or channels), size or next(iter(sizes))


def _write(
    aside: Path,
    split: str,
    files: Sequence[File],
    task: Task,
    findings: Findings,
    digests: dict[bytes, File],
    bar: "Progress",
) -> dict[str, Any]:
    """Reads the pictures of a split and writes those that can be read; what the manifest says of it."""
    pixels, size = task
    assert pixels is not None and size is not None  # noqa: S101, PT018 (for the type checker)
    shape = (*size, pixels.channels or 3)
    labels: list[int] = []
    waiting: list[np.ndarray] = []
    some = max(1, BLOCK // int(np.prod(shape)))
    growing = cache.Growing(aside, split, shape)
    with growing:
        reading = _shown(read_all([file.path for file in files], task), bar, f"decoding {split}", len(files))
        for file, read in zip(files, reading, strict=True):
            if not isinstance(read, Picture):
                findings.bad.append(_bad(file.path, read))
                continue
            findings.take(str(file.path), read)
            digests.setdefault(hashlib.sha256(read.pixels.tobytes()).digest(), file)
            labels.append(file.label)
            waiting.append(read.pixels)
            if len(waiting) == some:
                growing.add(np.stack(waiting))
                waiting.clear()
        if waiting:
            growing.add(np.stack(waiting))
    return growing.end(np.array(labels, np.int32))


def _shown(read: Iterable[T], bar: "Progress", what: str, total: int) -> Iterator[T]:
    task = bar.add_task(what, total=total)
    for one in read:
        yield one
        bar.advance(task)


def _bad(path: Path, error: object) -> Bad:
    return Bad(str(path), str(error).removeprefix(f"{path} "))


def _refuse(tree: Tree, wanted: Wanted, findings: Findings, splits: dict[str, Any]) -> None:
    if why := findings.refused(str(tree.root), wanted.broken):
        raise DataError(why)
    for split, described in splits.items():
        if not described["shape"][0]:
            raise DataError(f"{tree.root}: none of the pictures of {split} can be read: {findings.listed()}")


def _twins(digests: dict[str, dict[bytes, File]], tree: Tree) -> Iterator[str]:
    """Pictures that are in both splits: what is learned of them is tested with them."""
    shared = [(digests["train"][digest], file) for digest, file in digests["test"].items() if digest in digests["train"]]
    if shared:
        named = [
            f"{file.path.relative_to(tree.root)} is {twin.path.relative_to(tree.root)}"
            + ("" if file.label == twin.label else ", of another class")
            for twin, file in shared[:TWINS]
        ]
        more = f"; and {len(shared) - TWINS:,} more" if len(shared) > TWINS else ""
        yield f"{len(shared):,} pictures of test are in train too, pixel by pixel: {'; '.join(named)}{more}"


def _report(path: Path, said: Sequence[str], bad: Sequence[Bad]) -> None:
    """All that was said, and every broken file on a line of its own."""
    lines = [*said, "", *(f"{one.name}: {one.why}" for one in bad)]
    path.write_text("\n".join(map(printing.visible, lines)) + "\n", "utf-8", "backslashreplace")
