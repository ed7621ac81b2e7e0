"""`jcnn data`, and training on a set of TensorFlow Datasets from the command to the report."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jcnn.data import load
from jcnn.data.registry import SOURCES
from tests.commands.running import folder, run
from tests.data.small_sets import LABELS, grating, small_mnist, write_originals

__all__ = ["folder"]

QUICK = ("--network", "lecture", "--epochs", "4", "--batch-size", "30", "--learning-rate", "0.02", "--no-augment")


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JCNN_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_train_resume_predict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "--data", "tfds:gratings", *QUICK) == 0
    said = capsys.readouterr().out
    accuracy = float(re.search(r"([\d.]+) % of 90 test images", said)[1])  # pyright: ignore[reportOptionalSubscript]
    assert accuracy > 90
    assert "report: runs/tfds-gratings-lecture-001/report.html" in said
    page = (folder / "runs/tfds-gratings-lecture-001/report.html").read_text()
    assert "gratings/1.0.0" in page

    newest = max((folder / "runs/tfds-gratings-lecture-001/checkpoints").glob("*.npz"))
    content = newest.read_bytes()
    newest.unlink()
    assert run("train", "--resume") == 0
    capsys.readouterr()
    assert newest.read_bytes() == content

    pixels, label = grating(5000)
    Image.fromarray(pixels).save("grating.png")
    assert run("predict", "grating.png") == 0
    assert LABELS[label] in capsys.readouterr().out


def test_resumed_with_other_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "--data", "tfds:gratings_of_sizes", "--image-size", "16", *QUICK, "--epochs", "1", "--out", "r") == 0
    assert run("train", "--resume", "--out", "r") == 0
    assert run("train", "--resume", "--out", "r", "--image-size", "18") == 1
    assert "r was started with another config: image_size=18 (stored: 16)" in capsys.readouterr().err


def test_list(capsys: pytest.CaptureFixture[str], data_dir: Path) -> None:
    def rows() -> dict[str, list[str]]:
        assert run("data", "list") == 0
        lines = [[cell.strip() for cell in line.split("│")] for line in capsys.readouterr().out.splitlines()]
        return {cells[0]: cells[1:] for cells in lines if len(cells) == 6}

    assert rows()["digits"] == ["8×8×1", "10", "train 1,438, test 359", "", "embedded"]
    assert rows()["cifar100"][-1] == "not prepared"
    load("tfds:gratings")
    found = rows()["gratings"]
    assert found[:3] == ["12×12×1", "3", "train 300, test 90"]
    assert float(found[3].removesuffix(" MB")) > 0
    assert found[4] == "ready"

    manifest = data_dir / "jcnn/gratings/manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace("slanted", "crooked"))
    assert run("data", "list") == 0
    assert "damaged, made anew when used" in " ".join(capsys.readouterr().out.split()).replace("│ ", "")
    manifest.unlink()
    assert rows()["gratings/1.0.0"][2:] == ["train 300, test 90", rows()["gratings/1.0.0"][3], "prepared"]
    info = data_dir / "gratings/1.0.0/dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    assert run("data", "list") == 0
    assert "prepared as tfrecord" in capsys.readouterr().out
    info.write_text("{")
    assert run("data", "list") == 0
    assert "damaged" in capsys.readouterr().out


def test_prepare(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setitem(SOURCES, "mnist", small_mnist("http://jcnn.invalid"))
    write_originals(folder / "originals")
    assert run("data", "prepare", "mnist") == 1
    assert "--originals" in capsys.readouterr().err
    assert run("data", "prepare", "mnist", "--originals", "originals", "--data-dir", "other") == 0
    assert "mnist train: 80 images of 28×28×1, 10 classes, SHA-256" in capsys.readouterr().out
    assert (folder / "other/mnist/3.0.1").exists()
    assert not list(data_dir.rglob("*.npy"))


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", "show", "digits", "--split", "test", "--per-class", "5") == 0
    assert "contact sheet: digits-test.png" in capsys.readouterr().out
    assert run("data", "show", "tfds:gratings", "--out", "sheet.png") == 0
    assert run("data", "show", "digits", "--out", "plain") == 0
    assert capsys.readouterr().out.endswith("contact sheet: plain.png\n")
    for name in ("digits-test.png", "sheet.png", "plain.png"):
        with Image.open(folder / name) as sheet:
            assert np.asarray(sheet.convert("L")).std() > 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("data", "show", "digits", "--split", "val"), "split='val': expected 'train' or 'test'", id="split"),
        pytest.param(("data", "show", "digits", "--per-class", "0"), "per_class=0: expected at least 1", id="no images"),
        pytest.param(("data", "show", "digits", "--out", "nowhere/a.png"), "nowhere/a.png: No such file", id="no folder"),
        pytest.param(("data", "show", "digits", "--out", "."), "expected a file for the contact sheet", id="a folder"),
        pytest.param(("data", "prepare", "cats"), "dataset 'cats': expected one of digits, mnist", id="unknown"),
        pytest.param(("data", "prepare", "mnist", "--originals", "nowhere"), "nowhere: no such folder", id="no originals"),
        pytest.param(("train", "--image-size", "0"), "image_size=0: expected at least 1", id="size 0"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_errors_take_one_line(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 1
    said = capsys.readouterr().err.splitlines()
    assert message in said[-1]
    assert said[-1].startswith("jcnn: ")
