"""The command as a person meets it: what it prints, how it ends."""

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from jcnn import cli, endings
from jcnn.data import load

QUICK = ("--network", "lecture", "--epochs", "1", "--batch-size", "128")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, and the settings of the process as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    before = jax.config.read("jax_enable_x64")
    yield tmp_path
    jax.config.update("jax_enable_x64", before)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    return int(end.value.code or 0)


def test_from_training_to_prediction(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", *QUICK, "--epochs", "10") == 0
    said = capsys.readouterr().out
    assert "training lecture on digits, seed 0, in runs/digits-lecture-001" in said
    assert said.endswith("report: runs/digits-lecture-001/report.html\n")
    page = (folder / "runs/digits-lecture-001/report.html").read_text()
    assert "<html" in page
    assert "UCI Machine Learning Repository" in page

    digits = load("digits", "test")
    chosen = [int(np.argmax(digits.labels == label)) for label in (0, 6)]
    for index in chosen:
        Image.fromarray(digits.images[index, ..., 0]).save(f"{digits.labels[index]}.png")
    assert run("predict", "0.png", "6.png") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[2]) for row in rows if row and row[0].endswith(".png")] == [("0.png", "0"), ("6.png", "6")]

    assert run("train", *QUICK) == 0
    assert "runs/digits-lecture-002" in capsys.readouterr().out
    assert run("train", "--resume", "--out", "runs/digits-lecture-001") == 0
    assert "runs/digits-lecture-001/report.html" in capsys.readouterr().out


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_numbers_to_compute_in(dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", *QUICK, "--dtype", dtype) == 0
    accuracy = float(capsys.readouterr().out.split("%")[0].split()[-1])
    assert accuracy > 20  # twice what guessing gives, after eleven steps


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        pytest.param(("--help",), ["train", "summary", "predict", "doctor"], id="all"),
        pytest.param(("train", "--help"), ["--learning-rate", "--resume", "--weight-decay", "--dtype"], id="train"),
        pytest.param(("predict", "--help"), ["--run", "Image files"], id="predict"),
        pytest.param(("summary", "--help"), ["--input-shape"], id="summary"),
        pytest.param(("doctor", "--help"), ["verdict"], id="doctor"),
    ],
)
def test_help(arguments: tuple[str, ...], lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 0
    said = capsys.readouterr().out
    assert all(line in said for line in lines)


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("summary", "--network", "lenet5", "--input-shape", "28", "28", "1") == 0
    said = capsys.readouterr().out
    assert "61,706" in said
    assert "Conv(6, 5, padding=2)" in said


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    assert "all is well" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("train", "--data", "cats"), "dataset 'cats': expected one of digits", id="unknown dataset"),
        pytest.param(
            ("train", "--network", "big"), "network 'big': expected one of small, lecture, lenet5", id="unknown network"
        ),
        pytest.param(("train", "--epochs", "0"), "epochs=0: expected at least 1", id="no epochs"),
        pytest.param(("train", "--batch-size", "-1"), "batch_size=-1: expected at least 1", id="negative batch"),
        pytest.param(("train", "--batch-size", "9999"), "expected at most the 1438 training images", id="batch too large"),
        pytest.param(("train", "--learning-rate", "0"), "learning_rate=0.0: expected a positive number", id="no learning rate"),
        pytest.param(("train", "--learning-rate", "nan"), "learning_rate=nan", id="NaN learning rate"),
        pytest.param(("train", "--momentum", "1"), "momentum=1.0: expected a number from 0 to below 1", id="momentum 1"),
        pytest.param(("train", "--warmup", "2"), "warmup=2.0: expected a number from 0 to 1", id="warm-up above 1"),
        pytest.param(("train", "--weight-decay", "-1"), "weight_decay=-1.0", id="negative weight decay"),
        pytest.param(("train", "--seed", "-1"), "seed=-1: expected an integer from 0", id="negative seed"),
        pytest.param(("train", "--out", "taken"), "taken: File exists", id="the folder is a file"),
        pytest.param(("train", "--out", "broken", "--resume"), "config.json is no config of this version", id="damaged config"),
        pytest.param(("summary", "--network", "big"), "network 'big'", id="summary of an unknown network"),
        pytest.param(("summary", "--input-shape", "8", "8"), "expected three sizes", id="two sizes"),
        pytest.param(("summary", "--network", "lecture", "--input-shape", "2", "2", "1"), "layer 10", id="an image too small"),
        pytest.param(("predict",), "no run in runs/", id="no run"),
        pytest.param(("predict", "a.png", "--run", "nowhere"), "nowhere holds no checkpoint", id="no such run"),
    ],
)
def test_errors_take_one_line(
    arguments: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "taken").write_text("")
    (folder / "broken").mkdir()
    (folder / "broken/config.json").write_text('{"epoch": 3}')
    assert run(*arguments) == endings.ERROR
    said = capsys.readouterr().err
    assert said.startswith("jcnn: ")
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("dance",), id="unknown command"),
        pytest.param((), id="no command"),
        pytest.param(("train", "--epochs", "many"), id="no number"),
        pytest.param(("train", "--schedule", "steps"), id="unknown schedule"),
        pytest.param(("train", "--dtype", "int8"), id="unknown dtype"),
        pytest.param(("train", "--epoch", "3"), id="unknown option"),
    ],
)
def test_wrong_usage_ends_with_two(arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 2
