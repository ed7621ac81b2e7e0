"""`jcnn predict` with files of every kind."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jcnn import BatchNorm, Dense, Flatten, Recipe, endings, fit
from jcnn.data import load
from tests.commands.running import folder, run

__all__ = ["folder"]

QUICK = ("--network", "lecture", "--epochs", "1", "--batch-size", "128")
NAMES = ("good.png", "[red]good\x1b[31m.png", "-x.png")
"""Names of images that can be read; the second would change colours."""


def test_predict_goes_on_past_files_that_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert run("train", *QUICK, "--out", "run") == 0
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
