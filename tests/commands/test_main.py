"""The command as a person meets it: what it prints, how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jcnn
from jcnn import endings
from jcnn.commands import summary
from jcnn.data import load
from tests.commands.running import folder, run
from tests.draws import DEFAULT, DRAWS

__all__ = ["folder"]

QUICK = ("--network", "lecture", "--epochs", "1", "--batch-size", "128")


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


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"] if DRAWS > DEFAULT else ["bfloat16"])
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


def test_summary_with_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("summary", "--plan") == 0
    assert "dw by" in capsys.readouterr().out.splitlines()[0]


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    assert "all is well" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("train", "--batch-size", "-1"), "batch_size=-1: expected at least 1", id="negative batch"),
        pytest.param(("train", "--batch-size", "9999"), "expected at most the 1438 training images", id="batch too large"),
        pytest.param(("train", "--learning-rate", "0"), "learning_rate=0.0: expected a positive number", id="no learning rate"),
        pytest.param(("train", "--learning-rate", "nan"), "learning_rate=nan", id="NaN learning rate"),
        pytest.param(("train", "--momentum", "1"), "momentum=1.0: expected a number from 0 to below 1", id="momentum 1"),
        pytest.param(("train", "--warmup", "2"), "warmup=2.0: expected a number from 0 to 1", id="warm-up above 1"),
        pytest.param(("train", "--weight-decay", "-1"), "weight_decay=-1.0", id="negative weight decay"),
        pytest.param(("train", "--seed", "-1"), "seed=-1: expected an integer from 0", id="negative seed"),
        pytest.param(("train", "--out", "broken", "--resume"), "config.json is no config of this version", id="damaged config"),
        pytest.param(("summary", "--network", "big"), "network 'big'", id="summary of an unknown network"),
        pytest.param(("summary", "--input-shape", "8", "8"), "expected three sizes", id="two sizes"),
        pytest.param(("summary", "--network", "lecture", "--input-shape", "2", "2", "1"), "layer 10", id="an image too small"),
        pytest.param(("predict",), "no run in runs/", id="no run"),
        pytest.param(("predict", "a.png", "--top", "0"), "top=0: expected at least 1", id="no class to show"),
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
    ("arguments", "message"),
    [
        pytest.param(("--data", "cats"), "dataset 'cats': expected one of digits", id="unknown dataset"),
        pytest.param(("--data", "minst"), "did you mean mnist?", id="misspelt dataset"),
        pytest.param(("--data", "tfds:mnits"), "did you mean mnist", id="misspelt dataset of another"),
        pytest.param(("--data", "tfds:../x"), "dataset 'tfds:../x': expected", id="no name of a dataset"),
        pytest.param(("--network", "big"), "network 'big': expected one of small, lecture, lenet5", id="unknown network"),
        pytest.param(("--network", "lenet"), "did you mean lenet5?", id="misspelt network"),
        pytest.param(("--epochs", "0"), "epochs=0: expected at least 1", id="no epochs"),
        pytest.param(("--image-size", "0"), "image_size=0: expected at least 1", id="images of no size"),
        pytest.param(("--out", "taken"), "taken: File exists", id="the folder is a file"),
        pytest.param(("--out", "taken/run"), "taken: File exists", id="the folder is in a file"),
        pytest.param(("--originals", "nowhere"), "nowhere: no such folder", id="no originals"),
        pytest.param(("--data-dir", "taken"), "taken: expected a folder", id="the data folder is a file"),
    ],
)
def test_what_does_not_exist_is_refused_before_a_run_is_announced(
    arguments: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "taken").write_text("")
    assert run("train", *arguments) == endings.ERROR
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["taken"]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"jcnn {jcnn.__version__}\n"


def test_nothing_asked_for_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == endings.USAGE
    assert "doctor" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("--debug", "summary"), ("summary", "--debug"), ("summary",)], ids=" ".join)
def test_an_internal_error_is_a_line_and_on_request_its_place(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        jnp.zeros(3).reshape(2, 2)

    monkeypatch.setattr(summary, "summary", broken)
    assert run(*arguments) == endings.INTERNAL
    *trace, last = capsys.readouterr().err.splitlines()
    assert last.startswith("jcnn: internal error: TypeError: cannot reshape array")
    assert "--debug" in last
    assert any("in broken" in line for line in trace) == ("--debug" in arguments)
    assert ("--debug" in arguments) == bool(trace)


@pytest.mark.parametrize("output", ["without a reader", "full", "closed"])
def test_output_that_goes_nowhere(output: str) -> None:
    if output == "full" and not Path("/dev/full").exists():
        pytest.skip("no full device here")
    code = "from jcnn.commands.main import main; main(['summary'])"
    if output == "without a reader":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full" if output == "full" else os.devnull, os.O_WRONLY)
    if output == "closed":
        code = f"import os; os.close(1); import sys; sys.stdout = None; {code}"
    ended = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert ended.stderr == ("jcnn: No space left on device\n" if output == "full" else "")
    assert ended.returncode != endings.INTERNAL


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("dance",), id="unknown command"),
        pytest.param(("train", "--epochs", "many"), id="no number"),
        pytest.param(("train", "--schedule", "steps"), id="unknown schedule"),
        pytest.param(("train", "--dtype", "int8"), id="unknown dtype"),
        pytest.param(("train", "--epoch", "3"), id="unknown option"),
    ],
)
def test_wrong_usage_ends_with_two(arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 2
