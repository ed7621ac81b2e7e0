"""What lies in a folder of pictures: which files are of which class, and what is passed over."""

import hashlib
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from jcnn.data.dataset import DataError, held_out
from jcnn.data.findings import Bad

TRAIN = ("train",)
TEST = ("test", "validation", "valid", "val")
"""Names of the folders of a split; of those for testing the first that is there counts."""

HIDDEN = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "icon\r"})
"""What systems leave behind, beside all that begins with a dot."""

NO_SUFFIX = frozenset({"BUFR", "GRIB", "HDF5", "MPEG"})
"""Formats of Pillow whose usual files are no pictures."""

BEGINS = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"8BPS",
    b"qoif",
    b"\0\0\0\x0cjP  ",
    b"RIFF",
)
"""How pictures begin, by which a file without their suffix is known for one; RIFF is WebP or sound."""


class File(NamedTuple):
    """A file that is taken for a picture, and the number of its class."""

    path: Path
    label: int


class Tree(NamedTuple):
    """A folder of pictures.

    Attributes:
        root: its absolute path.
        class_names: the names of the classes' folders, in order.
        files: of "train" and "test", class by class, by path.
        bad: folders that cannot be looked into.
        said: what is passed over or does not match, a line each.
        state: a digest of the names, sizes and times of all files.
    """

    root: Path
    class_names: tuple[str, ...]
    files: Mapping[str, list[File]]
    bad: list[Bad]
    said: list[str]
    state: str


def scan(path: Path) -> Tree:
    """Looks through a folder of pictures: one subfolder a class, or `train/` and `test/` with one subfolder a class each.

    Classes are the subfolders with pictures in them, at any depth, sorted by name. Those of `test/` are matched with those of
    `train/` by name. Without `test/`, or one without classes, a fifth of every class is held out, the first in the order of
    SHA-256 of their paths.

    Hidden files are passed over, and so are those that are no pictures by their suffix and first bytes; they are counted.

    Raises:
        FileNotFoundError, NotADirectoryError: no such folder.
        DataError: there are no classes.
    """
    root = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 (links are kept as they are written)
    if not root.exists():
        raise FileNotFoundError(2, "no such folder of pictures", str(root))
    if not root.is_dir():
        raise NotADirectoryError(20, "expected a folder of pictures", str(root))
    walk = _Walk(root)
    folders = walk.folders(root)
    train, test = (_named(folders, names) for names in (TRAIN, TEST))
    split = train is not None and bool(walk.folders(train, count=False))
    if test is not None and not split and walk.folders(test, count=False):
        raise DataError(
            f"{root} has a folder {test.name} of folders, and none called train: expected both, or one subfolder for each class"
        )
    if split and train is not None:
        walk.pass_over([folder.name for folder in folders if folder not in (train, test)], "folders beside train and test")
        classes = walk.classes(walk.folders(train))
        tests = walk.classes(walk.folders(test)) if test is not None else {}
        if test is not None and test.name.lower() != TEST[0]:
            walk.said.append(f"there is no folder test: {test.name} stands in")
    else:
        classes, tests = walk.classes(folders), {}
    if not classes:
        raise DataError(
            f"{train if split else root} has no subfolders with pictures in them: expected one for each class, or train and "
            f"test with one for each class{walk.in_words()}"
        )
    files = _files(classes)
    names = tuple(classes)
    tested = _matched(tests, names, walk.said)
    if test is not None and split and not tested:
        walk.said.append(f"{test.name} has no pictures of the classes of train: of every class a fifth is held out")
    if tested:
        chosen = {"train": files, "test": tested}
    else:
        mask = held_out([file.label for file in files], [file.path.relative_to(root).as_posix() for file in files])
        chosen = {
            "train": [file for file, tests in zip(files, mask, strict=True) if not tests],
            "test": [file for file, tests in zip(files, mask, strict=True) if tests],
        }
    if not chosen["test"]:
        raise DataError(f"{root} has too few pictures to hold a fifth of every class out for testing: expected a folder test")
    return Tree(root, names, chosen, walk.bad, [*walk.said, *walk.counts()], walk.state())


class Found(NamedTuple):
    """The pictures in a folder, at any depth: their paths, what cannot be looked into, and what is passed over, a line each."""

    paths: list[Path]
    bad: list[Bad]
    said: list[str]


def pictures_in(folder: Path) -> Found:
    """All files in a folder that are taken for pictures; what is passed over is counted, as by `scan`.

    Raises:
        OSError: it cannot be looked into.
    """
    walk = _Walk(folder)
    return Found(list(walk.pictures(folder)), walk.bad, walk.counts())


def _named(folders: list[Path], names: tuple[str, ...]) -> Path | None:
    by_name = {folder.name.lower(): folder for folder in folders}
    return next((by_name[name] for name in names if name in by_name), None)


def _files(classes: Mapping[str, list[Path]]) -> list[File]:
    return [File(path, label) for label, paths in enumerate(classes.values()) for path in paths]


def _matched(tests: Mapping[str, list[Path]], names: tuple[str, ...], said: list[str]) -> list[File]:
    """The test files of known classes; the others, and classes without any, are said."""
    known = {unicodedata.normalize("NFC", name): label for label, name in enumerate(names)}
    of_label: dict[int, list[Path]] = {}
    for name, paths in tests.items():
        label = known.get(unicodedata.normalize("NFC", name))
        if label is None:
            near = next((other for other in names if other.casefold() == name.casefold()), None)
            meant = f"; is {near} meant?" if near else ""
            said.append(f"test has a class {name} that train lacks: its {len(paths):,} pictures are left out{meant}")
        else:
            of_label.setdefault(label, []).extend(paths)
    if tests and (missing := [name for label, name in enumerate(names) if label not in of_label]):
        said.append(f"test has no pictures of {len(missing):,} of the {len(names):,} classes: {', '.join(missing)}")
    return [File(path, label) for label in sorted(of_label) for path in of_label[label]]


class _Walk:
    """Looks through folders, and keeps what is to be said of them."""

    def __init__(self, root: Path) -> None:
        self.bad: list[Bad] = []
        self.said: list[str] = []
        self._root = root
        self._passed: Counter[str] = Counter()
        self._such_as: dict[str, str] = {}
        self._digest = hashlib.sha256()
        self._suffixes = _suffixes()

    def folders(self, folder: Path, *, count: bool = True) -> list[Path]:
        """The subfolders that are not hidden, by name; files among them belong to no class."""
        found = []
        for entry in self._entries(folder):
            if _is_hidden(entry.name):
                self._pass(entry.path, "hidden files", count=count)
            elif _is_folder(entry):
                found.append(Path(entry.path))
            else:
                self._pass(entry.path, "files in no class's folder", count=count)
        return found

    def classes(self, folders: list[Path]) -> dict[str, list[Path]]:
        """The pictures of every folder that has some, by the folder's name."""
        found = {_printable(folder.name): list(self.pictures(folder)) for folder in folders}
        self.pass_over([name for name, paths in found.items() if not paths], "folders without pictures")
        return {name: paths for name, paths in found.items() if paths}

    def pass_over(self, names: list[str], what: str) -> None:
        """Says that these are left out."""
        if names:
            self.said.append(f"left out: {len(names):,} {what}, {', '.join(names[:10])}{', …' if len(names) > 10 else ''}")

    def counts(self) -> list[str]:
        """How many files are passed over, a line for each reason."""
        return [f"passed over: {count:,} {kind} (such as {self._such_as[kind]})" for kind, count in self._passed.items()]

    def in_words(self) -> str:
        """The same at the end of a message."""
        return "".join(f"; {line}" for line in (*self.said, *self.counts()))

    def state(self) -> str:
        """A digest of all files that were looked at."""
        return self._digest.hexdigest()

    def pictures(self, folder: Path, above: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
        """Its pictures and those of the folders in it, by name.

        Args:
            folder: where to look.
            above: the folders that it lies in, by device and number.
        """
        with suppress(OSError):
            found = folder.stat()
            here = (found.st_dev, found.st_ino)
            if here in above:  # a link to a folder that it lies in
                self._pass(str(folder), "links that lead in a circle")
                return
            above = (*above, here)
        for entry in self._entries(folder):
            if _is_hidden(entry.name):
                self._pass(entry.path, "hidden files")
            elif _is_folder(entry):
                yield from self.pictures(Path(entry.path), above)
            elif self._is_picture(entry):
                self._digest.update(repr((os.fsencode(entry.path), *_stamp(entry))).encode())
                yield Path(entry.path)
            else:
                self._pass(entry.path, "files that are no pictures")

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if folder == self._root:
                raise
            bad = Bad(str(folder), f"cannot be looked into: {error.strerror or error}")
            if bad not in self.bad:
                self.bad.append(bad)
            return []

    def _is_picture(self, entry: os.DirEntry[str]) -> bool:
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (of a name, many times)
        if suffix in self._suffixes:
            return True
        try:
            if not stat.S_ISREG(entry.stat().st_mode):
                return False
            with open(entry.path, "rb") as file:  # noqa: PTH123
                return file.read(16).startswith(BEGINS)
        except OSError:
            return False

    def _pass(self, path: str, kind: str, *, count: bool = True) -> None:
        if count:
            self._passed[kind] += 1
            self._such_as.setdefault(kind, os.path.relpath(path, self._root))


def _suffixes() -> frozenset[str]:
    formats = Image.registered_extensions()
    return frozenset(suffix for suffix, name in formats.items() if name in Image.OPEN and name not in NO_SUFFIX)


def _printable(name: str) -> str:
    """A name that can be stored and shown, also of a folder whose bytes are no text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in HIDDEN


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _stamp(entry: os.DirEntry[str]) -> tuple[int, int]:
    try:
        found = entry.stat()
    except OSError:  # a link to nothing
        return -1, -1
    return found.st_size, found.st_mtime_ns
