"""Folders of pictures as data sets: which files count, what is said of the others, and what comes out."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jcnn.data import DataError, check, folder, load, reading
from jcnn.data.load import data_folder
from jcnn.data.pixels import Pixels
from tests.data.image_files import RGB, exif, png

SIDE = 8


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "data"
    monkeypatch.setenv("JCNN_DATA_DIR", str(place))
    return place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten pictures of each of two classes, in different formats of RGB, 8×8; a class's folder has folders itself."""
    for label, name in enumerate(("cat", "dog")):
        for index in range(10):
            save(tmp_path / "set" / name / ("more" if index > 7 else ".") / f"{index}.{SUFFIXES[index % 3]}", label, index)
    return tmp_path / "set"


SUFFIXES = ("png", "bmp", "tiff")


def pixels_of(label: int, index: int) -> np.ndarray:
    return np.random.default_rng((label, index)).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def save(path: Path, label: int, index: int, pixels: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels_of(label, index) if pixels is None else pixels).save(path)
    return path


def both(path: Path, **options: Any) -> tuple[Any, Any, list[str]]:
    """Both splits, and what was told."""
    told: list[str] = []
    train = folder(path, tell=told.append, **options)
    return train, folder(path, "test", tell=told.append, **options), told


def known(images: np.ndarray, labels: np.ndarray) -> set[tuple[int, bytes]]:
    return {(int(label), image.tobytes()) for image, label in zip(images, labels, strict=True)}


ALL = {(label, pixels_of(label, index).tobytes()) for label in (0, 1) for index in range(10)}


def test_one_subfolder_a_class(root: Path) -> None:
    train, test, told = both(root)
    assert train.class_names == test.class_names == ("cat", "dog")
    assert np.bincount(test.labels).tolist() == [2, 2]
    assert known(train.images, train.labels) | known(test.images, test.labels) == ALL
    assert len(train.labels) + len(test.labels) == len(ALL)
    assert isinstance(train.images, np.memmap)
    assert train.pixels == Pixels(channels=3)
    assert told == []
    assert load(f"folder:{root}").fingerprint == train.fingerprint


def test_the_held_out_fifth_does_not_hang_on_other_pictures(root: Path) -> None:
    _, before, _ = both(root)
    save(root / "cat/0a.png", 0, 99)
    _, after, _ = both(root)
    assert known(after.images, after.labels) >= known(before.images, before.labels)


def split(root: Path) -> Path:
    """The same as train/, with a part of it as test/."""
    place = root.with_name("split")
    shutil.copytree(root, place / "train")
    for name in ("cat", "dog"):
        (place / "test" / name).mkdir(parents=True)
        shutil.move(place / f"train/{name}/0.png", place / f"test/{name}/0.png")
    return place


def test_train_and_test(root: Path) -> None:
    train, test, told = both(split(root))
    assert (len(train.labels), test.labels.tolist(), told) == (18, [0, 1], [])
    assert known(test.images, test.labels) == {(label, pixels_of(label, 0).tobytes()) for label in (0, 1)}


def test_classes_are_matched_by_name(root: Path) -> None:
    place = split(root)
    (place / "test/cat").rename(place / "test/Cat")
    save(place / "test/mouse/1.png", 9, 9)
    save(place / "train/ant/1.png", 9, 8)
    train, test, told = both(place)
    assert train.class_names == test.class_names == ("ant", "cat", "dog")
    assert test.labels.tolist() == [2]
    text = "\n".join(told)
    assert "a class Cat that train lacks: its 1 pictures are left out; is cat meant?" in text
    assert "a class mouse that train lacks" in text
    assert "test has no pictures of 2 of the 3 classes: ant, cat" in text


def test_names_in_other_forms_of_unicode_are_one(root: Path) -> None:
    place = split(root)
    (place / "train/cat").rename(place / "train/ko\u0308ter")
    (place / "test/cat").rename(place / "test/k\u00f6ter")
    _, test, told = both(place)
    assert (test.labels.tolist(), told) == ([0, 1], [])


def test_validation_stands_in(root: Path) -> None:
    place = split(root)
    (place / "test").rename(place / "val")
    _, test, told = both(place)
    assert len(test.labels) == 2
    assert told == [f"{place}: there is no folder test: val stands in"]


def test_a_class_called_train(root: Path) -> None:
    (root / "cat").rename(root / "train")
    shutil.rmtree(root / "train/more")
    assert both(root)[0].class_names == ("dog", "train")


def test_what_is_passed_over_is_counted(root: Path) -> None:
    for name in (".DS_Store", ".git/1.png", "cat/Thumbs.db", "cat/._0.png", "cat/notes.txt", "dog/a.csv", "stray.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"what is no picture")
    (root / "empty").mkdir()
    os.mkfifo(root / "cat/pipe")
    (root / "cat/round").symlink_to(root / "cat")
    (root / "cat/0.png").rename(root / "cat/without suffix")
    train, test, told = both(root)
    assert known(train.images, train.labels) | known(test.images, test.labels) == ALL
    text = "\n".join(told)
    assert "passed over: 4 hidden files" in text
    assert "passed over: 3 files that are no pictures" in text
    assert "passed over: 1 files in no class's folder (such as stray.png)" in text
    assert "passed over: 1 links that lead in a circle" in text
    assert "left out: 1 folders without pictures, empty" in text


BROKEN: dict[str, Callable[[Path], object]] = {
    "empty.png": lambda path: path.write_bytes(b""),
    "text.jpg": lambda path: path.write_bytes(b"no image"),
    "short.png": lambda path: path.write_bytes(png(pixels_of(7, 7), RGB)[:-30]),
    "huge.png": lambda path: path.write_bytes(png(pixels_of(7, 7), RGB, size=(60000, 60000))),
    "pipe.png": os.mkfifo,
    "nowhere.png": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("beside", [0, 1], ids=["in this process", "by another"])
def test_broken_ones_are_all_named(root: Path, beside: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PARALLEL", 1 if beside else 1000)
    monkeypatch.setattr(reading, "_cores", lambda: beside)
    for name, make in BROKEN.items():
        make(root / "dog" / name)
    with pytest.raises(DataError, match="6 of 26 images cannot be read") as error:
        folder(root, tell=print)
    assert all(f"dog/{name}: " in str(error.value) for name in BROKEN)
    assert "--broken skip" in str(error.value)
    train, test, told = both(root, broken="skip")
    assert known(train.images, train.labels) | known(test.images, test.labels) == ALL
    (line,) = told
    assert line.startswith(f"{root}: left out, since they cannot be read: ")
    assert all(f"dog/{name}: " in line for name in BROKEN)
    (report,) = data_folder().glob("jcnn/folder-*/report.txt")
    named = [line.split(": ")[0] for line in report.read_text().split("\n\n")[1].splitlines()]
    assert sorted(named) == [str(root / "dog" / name) for name in sorted(BROKEN)]


DIES = """
import os, pathlib
real = pathlib.Path.open
pathlib.Path.open = lambda self, *given: os.kill(os.getpid(), 9) if self.name == "3.png" else real(self, *given)
"""


def test_a_process_that_a_file_brings_down_costs_that_file_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = reading._PROGRAM.replace("main()", f"{DIES}main()")
    assert program != reading._PROGRAM
    monkeypatch.setattr(reading, "_PROGRAM", program)
    files = sorted((root / "cat").glob("*.*"))
    found = list(reading.read_all(files, reading.Task(Pixels()), processes=2))
    bad = [str(read) for read in found if isinstance(read, Exception)]
    assert bad == [f"{root}/cat/3.png cannot be read: the process that read it ended by signal 9"]
    assert len(found) == len(files)


def test_processes_beside_read_the_same(root: Path) -> None:
    files = [*sorted(root.rglob("*.*")), root / "missing.png"]
    for task in (reading.Task(), reading.Task(Pixels(channels=4), (5, 7))):
        alone, beside = (list(reading.read_all(files, task, processes=processes)) for processes in (0, 2))
        for one, other in zip(alone, beside, strict=True):
            if isinstance(one, Exception):
                assert str(one) == str(other)
            else:
                np.testing.assert_equal(other, one)


def test_pictures_of_one_split_in_the_other_are_named(root: Path) -> None:
    place = split(root)
    Image.open(place / "train/cat/1.bmp").save(place / "test/dog/copy.png")
    _, _, told = both(place)
    assert told == [
        f"{place}: 1 pictures of test are in train too, pixel by pixel: test/dog/copy.png is train/cat/1.bmp, of another class"
    ]


def test_sizes_that_differ_need_one(root: Path) -> None:
    save(root / "cat/large.png", 0, 0, np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(DataError, match=r"differ in size, from 8×8 \(.*\) to 20×30 \(.*large.png\): .*--image-size 64"):
        folder(root)
    train, test, told = both(root, image_size=4)
    assert train.images.shape[1:] == test.images.shape[1:] == (4, 4, 3)
    assert any("21 of 21 images, 8×8 to 20×30, came to 4×4 by pad" in line for line in told)


def test_grey_unless_there_are_colours(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for index in range(5):
            save(tmp_path / "grey" / name / f"{index}.png", 0, 0, pixels_of(0, index)[..., 0])
    assert both(tmp_path / "grey")[0].images.shape[-1] == 1
    save(tmp_path / "grey/a/colours.png", 0, 50)
    train, _, _ = both(tmp_path / "grey")
    assert train.images.shape[-1] == 3
    grey, _, told = both(tmp_path / "grey", pixels=Pixels(channels=1))
    assert grey.images.shape[-1] == 1
    assert any("1 of 11 images: colours, made grey (such as " in line for line in told)


def test_turned_and_inverted(root: Path) -> None:
    shutil.rmtree(root)
    for index in range(5):
        (root / "a").mkdir(parents=True, exist_ok=True)
        (root / f"a/{index}.png").write_bytes(png(pixels_of(0, index), RGB, exif_chunk(6)))
    train, test, _ = both(root, pixels=Pixels(polarity="inverted"))
    expected = {(0, (255 - np.rot90(pixels_of(0, index), -1)).tobytes()) for index in range(5)}
    assert known(train.images, train.labels) | known(test.images, test.labels) == expected


def exif_chunk(orientation: int) -> bytes:
    from tests.data.image_files import chunk

    return chunk(b"eXIf", exif(orientation))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a new picture": lambda root: save(root / "cat/new.png", 0, 77),
    "one that is gone": lambda root: (root / "cat/1.bmp").unlink(),
    "another content": lambda root: save(root / "cat/1.bmp", 0, 78),
    "another class": lambda root: (root / "cat/1.bmp").rename(root / "dog/1a.bmp"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_decoded_once_and_anew_when_a_file_changes(root: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder(root)
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["jcnn.data.folder"], "read_all", None)
        assert folder(root).fingerprint == before.fingerprint
    (root / "cat/notes.txt").write_text("no picture")
    time.sleep(0.01)
    CHANGES[change](root)
    told: list[str] = []
    assert folder(root, tell=told.append).fingerprint != before.fingerprint
    assert "changed since" in told[0]


def test_every_way_of_reading_has_a_place_of_its_own(root: Path) -> None:
    first = folder(root)
    assert folder(root, pixels=Pixels(polarity="inverted")).fingerprint != first.fingerprint
    assert folder(root, image_size=4).images.shape[1] == 4
    assert folder(root).fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        pytest.param(lambda root: root / "nowhere", FileNotFoundError, "no such folder of pictures", id="missing"),
        pytest.param(lambda root: root / "cat/0.png", NotADirectoryError, "expected a folder of pictures", id="a file"),
        pytest.param(lambda root: root / "cat/more", DataError, "no subfolders with pictures", id="no classes"),
        pytest.param(
            lambda root: (split(root) and shutil.rmtree(root.with_name("split") / "train")) or root.with_name("split"),
            DataError,
            "none called train",
            id="only test",
        ),
    ],
)
def test_folders_that_are_no_set(root: Path, make: Callable[[Path], Path], error: type[Exception], message: str) -> None:
    path = make(root)
    with pytest.raises(error, match=message):
        folder(path)
    with pytest.raises(error, match=message):
        check(f"folder:{path}")


def test_too_few_to_hold_some_out(tmp_path: Path) -> None:
    save(tmp_path / "set/a/0.png", 0, 0)
    with pytest.raises(DataError, match="too few pictures to hold a fifth of every class out"):
        folder(tmp_path / "set")


def test_none_that_can_be_read(tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / "set/a").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"set/a/{index}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"none of its 5 pictures can be read: .*4\.png: is no image"):
        folder(tmp_path / "set", broken="skip")


def test_where_nothing_can_be_kept(root: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/jcnn").write_text("a file")
    train, _, told = both(root)
    assert any("cannot be kept" in line for line in told)
    assert len(train.labels) == 16
    assert not isinstance(train.images, np.memmap)


KILLED = """
import os, sys
from jcnn.data import folder, reading
import jcnn.data.folder
seen = 0
real = reading.Task.read
def read(self, path):
    global seen
    seen += self.pixels is not None
    if seen == 12:
        os.kill(os.getpid(), 9)
    return real(self, path)
reading.Task.read = read
folder(sys.argv[1])
"""


def test_killed_while_decoding(root: Path, data_dir: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(root)], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert not list(data_dir.glob("jcnn/*/manifest.json"))
    assert len(folder(root).labels) == 16
    assert [path.name for path in data_dir.glob("jcnn/.*")] == []


def test_the_manifest_says_how_files_were_read(root: Path, data_dir: Path) -> None:
    folder(root, pixels=Pixels(alpha="black"))
    (manifest,) = data_dir.glob("jcnn/folder-*/manifest.json")
    assert json.loads(manifest.read_text())["pixels"] == Pixels(channels=3, alpha="black").as_data()
