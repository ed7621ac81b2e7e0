"""`jcnn predict` with files of every kind."""

import csv
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from jcnn import BatchNorm, Dense, Flatten, Recipe, apply, data, endings, fit
from jcnn.data import Pixels, load
from jcnn.training import restore_run
from tests.commands.running import folder, run
from tests.data import image_files
from tests.data.image_files import chunk, exif, png, saved, tiff
from tests.draws import DEFAULT, DRAWS

__all__ = ["folder"]

NAMES = ("good.png", "[red]good\x1b[31m.png", "-x.png")
"""Names of images that can be read; the second would change colours."""


@pytest.fixture
def digits(folder: Path) -> Path:
    """A run on the digits, white on black, and a file of one."""
    recipe = Recipe(epochs=1, batch_size=128, augment=False)
    fit((Flatten(), Dense(10)), load("digits"), recipe=recipe, out=folder / "run", report=False)
    Image.fromarray(load("digits", "test").images[0, ..., 0]).save(folder / "white.png")
    Image.fromarray(255 - load("digits", "test").images[0, ..., 0]).save(folder / "black.png")
    return folder


@pytest.mark.usefixtures("digits")
def test_predict_goes_on_past_files_that_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    digit = Image.fromarray(load("digits", "test").images[0, ..., 0])
    for name in NAMES:
        digit.save(folder / name)
    Image.new("L", (8, 8), 7).save(folder / "blank.png")
    digit.save(folder / "moving.gif", save_all=True, append_images=[digit.rotate(90), digit.rotate(180)])
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "folder.png").mkdir()
    (folder / "empty.png").write_bytes(b"")
    (folder / "\x1b[31mtext.png").write_text("no image")
    bad = ["pipe.png", "loop.png", "folder.png", "empty.png", "\x1b[31mtext.png", "missing.png", "/dev/zero", "n" * 300]
    good = ["good.png", "blank.png", NAMES[1], "moving.gif", "-x.png", "good.png"]
    mixed = [name for pair in itertools.zip_longest(bad, good) for name in pair if name]
    capsys.readouterr()
    assert run("predict", "--run", "run", "--top", "99", "--", *mixed) == endings.ERROR
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    named = [name.replace("\x1b", "\\x1b") for name in bad]
    lines = said.err.splitlines()
    assert [line.removeprefix("jcnn: ").split()[0] for line in lines] == named
    rows = [line for line in said.out.splitlines() if line.count("%") >= 2]
    assert [row.split()[0] for row in rows] == [name.replace("\x1b", "\\x1b") for name in good]
    assert ["blank" in row for row in rows] == [name == "blank.png" for name in good]
    assert ["first of 3" in row for row in rows] == [name == "moving.gif" for name in good]
    assert run("predict", "--run", "run", "missing.png") == endings.ERROR
    assert capsys.readouterr().out == ""


def test_a_run_on_floats_says_how_pictures_are_given_to_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = np.random.default_rng(0).random((8, 8, 8, 1), np.float32), np.arange(8) % 2
    recipe = Recipe(epochs=1, batch_size=8, augment=False)
    fit((BatchNorm(), Flatten(), Dense(2)), (images, labels), recipe=recipe, out=folder / "run", report=False)
    Image.new("L", (8, 8), 7).save(folder / "a.png")
    capsys.readouterr()
    assert run("predict", "--run", "run", "a.png") == 0
    said = capsys.readouterr()
    assert "a.png" in said.out
    assert said.err.startswith("warning: run was trained on images of float32, taken as they were; image files are given to it")


SHAPE = (6, 8, 4)
RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (12, *SHAPE), np.uint8)
WORDS = RANDOM.integers(0, 65536, (12, *SHAPE), np.uint16)


def laid(ground: int, pixels: np.ndarray) -> np.ndarray:
    alpha = pixels[..., -1:] / 255
    return np.floor(alpha * pixels[..., :-1] + (1 - alpha) * ground + 0.5 + 1e-9)


def of_mode(mode: str, kind: str, **options: Any) -> Callable[[int], bytes]:
    bands = len(Image.new(mode, (1, 1)).getbands())
    return lambda index: saved(Image.frombytes(mode, (8, 6), BYTES[index, ..., :bands].tobytes()), kind, **options)


KINDS: dict[str, tuple[Callable[[int], bytes], np.ndarray, Pixels]] = {
    "grey": (of_mode("L", "PNG"), BYTES[..., :1], Pixels()),
    "bright grey": (lambda index: saved(Image.fromarray(BYTES[index, ..., 0] | 128), "BMP"), BYTES[..., :1] | 128, Pixels()),
    "RGB": (of_mode("RGB", "TIFF"), BYTES[..., :3], Pixels()),
    "RGB for grey, inverted": (
        lambda index: saved(Image.fromarray(BYTES[index, ..., 0]).convert("RGB"), "PNG"),
        255 - BYTES[..., :1],
        Pixels(channels=1, polarity="inverted"),
    ),
    "16 bits": (lambda index: png(WORDS[index, ..., :1], image_files.GREY), np.rint(WORDS[..., :1] / 257), Pixels()),
    "16 bits of RGB": (lambda index: png(WORDS[index, ..., :3], image_files.RGB), np.rint(WORDS[..., :3] / 257), Pixels()),
    "turned": (
        lambda index: png(BYTES[index, ..., :3], image_files.RGB, chunk(b"eXIf", exif(6))),
        np.rot90(BYTES[..., :3], -1, (1, 2)),
        Pixels(),
    ),
    "transparent on black": (of_mode("RGBA", "PNG"), laid(0, BYTES), Pixels(alpha="black")),
    "alpha kept": (of_mode("RGBA", "WEBP", lossless=True, exact=True), BYTES, Pixels(channels=4)),
    "floats": (
        lambda index: tiff(WORDS[index, ..., :1].astype(np.float32), 1),
        np.rint(WORDS[..., :1] / 257),
        Pixels(value_range=(0, 65535)),
    ),
    "1 bit": (lambda index: saved(Image.fromarray(BYTES[index, ..., 0] > 99), "GIF"), 255 * (BYTES[..., :1] > 99), Pixels()),
}
"""Files, what their pixels are by the definition, and how they are read."""


@pytest.mark.parametrize("kind", KINDS if DRAWS > DEFAULT else ("grey", "16 bits of RGB", "turned"))
def test_a_file_s_prediction_is_that_of_its_array(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run says how its files are read: nothing has to be given again."""
    monkeypatch.setenv("JCNN_DATA_DIR", str(folder / "data"))
    make, arrays, pixels = KINDS[kind]
    for index in range(12):
        path = folder / "set" / "ab"[index % 2] / f"{index:02d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".png").write_bytes(make(index))
    train = data.folder(folder / "set", pixels=pixels, tell=lambda _: None)
    assert train.input_shape == arrays.shape[1:]
    network, recipe = (Flatten(), Dense(2)), Recipe(epochs=1, batch_size=8, augment=False)
    result = fit(network, train, recipe=recipe, out=folder / "run", report=False)
    assert restore_run(folder / "run", print).pixels == train.pixels
    capsys.readouterr()
    assert run("predict", "set", "--run", "run", "--csv", "-") == 0
    rows = {Path(row["image"]).stem: row for row in csv.DictReader(capsys.readouterr().out.splitlines())}
    expected = jax.nn.softmax(apply(network, result.params, arrays.astype(np.float32) / 255))
    found = np.array([[float(rows[f"{index:02d}"][name]) for name in "ab"] for index in range(12)])
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert [rows[f"{index:02d}"]["class"] for index in range(12)] == ["ab"[best] for best in found.argmax(-1)]


@pytest.mark.usefixtures("digits")
def test_ink_on_paper_is_said_and_not_turned_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    for options, other, wrong in (((), "inverted", 1), (("--polarity", "inverted"), "as-stored", 0)):
        capsys.readouterr()
        assert run("predict", "white.png", "black.png", "--run", "run", "--csv", "-", *options) == 0
        rows = [*csv.DictReader(capsys.readouterr().out.splitlines())]
        note = f"bright border, where training images have a dark one: --polarity {other} turns it"
        assert [row["note"] for row in rows] == [note if index == wrong else "" for index in (0, 1)]
        seen.append([row["probability"] for row in rows])
    assert seen[0] == seen[1][::-1]


def test_folders_and_tables(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (digits / "a/b").mkdir(parents=True)
    for index in range(70):
        Image.fromarray(load("digits", "test").images[index, ..., 0]).save(digits / "a/b" / f"{index}.png")
    for name, content in {".hidden.png": b"", "notes.txt": b"words", 'broken, "very".png': b"no image"}.items():
        (digits / "a" / name).write_bytes(content)
    (digits / "empty").mkdir()
    capsys.readouterr()
    assert run("predict", "a", "empty", "white.png", "--run", "run", "--csv", "out.csv") == endings.ERROR
    said = capsys.readouterr()
    assert said.out == "predictions: out.csv\n"
    assert "passed over: 1 hidden files" in said.err
    assert "passed over: 1 files that are no pictures (such as notes.txt)" in said.err
    with (digits / "out.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert len(rows) == 73
    assert "is no image" in rows['a/broken, "very".png']["error"]
    assert rows["empty"]["error"] == "empty has no pictures in it"
    # What is said of an image does not hang on the others, to the last bit.
    assert {**rows["white.png"], "image": ""} == {**rows["a/b/0.png"], "image": ""}
    for index in (0, 31, 32, 69):
        assert run("predict", f"a/b/{index}.png", "--run", "run", "--csv", "-") == 0
        (alone,) = csv.DictReader(capsys.readouterr().out.splitlines())
        assert alone == rows[f"a/b/{index}.png"]


def test_a_run_on_arrays_says_that_nobody_knows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = load("digits", "test")
    recipe = Recipe(epochs=1, batch_size=128, augment=False)
    fit((Flatten(), Dense(10)), (test.images, test.labels), recipe=recipe, out=folder / "run", report=False)
    Image.fromarray(test.images[0, ..., 0]).resize((40, 40)).save(folder / "a.png")
    capsys.readouterr()
    assert run("predict", "a.png", "--run", "run") == 0
    said = capsys.readouterr().err
    assert said.startswith("warning: run was trained on arrays, and nobody says how files became them")
    assert "1 of 1 images, 40×40, came to 8×8 by pad" in said
