"""Thousands of made-up pictures of mixed formats, some of them broken: they train, the broken are listed, a killed run goes on.

A small form by default; in the deep tests the command itself, on 5,000 pictures with 20 broken ones.
"""

import csv
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jcnn import data
from jcnn.training import checkpoint, make_predict, restore_run
from jcnn.training.evaluation import probabilities
from jcnn.training.step import fastest_ops
from tests.data import image_files
from tests.data.image_files import chunk, exif, png, saved, tiff
from tests.draws import DRAWS

CLASSES = ("level", "slanted", "upright")
PATIENCE = 1500

Maker = Callable[[np.ndarray], bytes]


def stripes(index: int) -> np.ndarray:
    """RGB stripes of a class, of a size, phase and colour of their own."""
    random = np.random.default_rng(index)
    height, width = random.integers(24, 56, 2)
    rows, columns = np.mgrid[:height, :width]
    along = (rows, rows + columns, columns)[index % len(CLASSES)]
    wave = np.sin(along * 0.9 + random.uniform(0, 6))[..., None] * random.uniform(0.3, 1, 3)
    return (128 + 100 * wave + random.normal(0, 15, (height, width, 3))).clip(0, 255).astype(np.uint8)


def of(kind: str, mode: str | None = None, **options: Any) -> Maker:
    def make(rgb: np.ndarray) -> bytes:
        image = Image.fromarray(rgb)
        return saved(image if mode is None else image.convert(mode), kind, **options)

    return make


def turned(rgb: np.ndarray) -> bytes:
    return png(np.ascontiguousarray(np.rot90(rgb)), image_files.RGB, chunk(b"eXIf", exif(6)))


MAKERS: dict[str, Maker] = {
    "png": of("PNG"),
    "jpg": of("JPEG", quality=95),
    "bmp": of("BMP"),
    "gif": of("GIF", "P"),
    "webp": of("WEBP", quality=95),
    "ppm": of("PPM"),
    "tga": of("TGA", "RGBA"),
    "tif": of("TIFF", "CMYK"),
    "jp2": of("JPEG2000"),
    "qoi": of("QOI"),
    "grey.png": of("PNG", "L"),
    "la.png": of("PNG", "LA"),
    "16.png": lambda rgb: png(rgb.astype(np.uint16) * 257, image_files.RGB),
    "16.tiff": lambda rgb: tiff(rgb[..., :1].astype(np.uint16) * 257, 1),
    "f.tiff": lambda rgb: tiff(rgb[..., :1].astype(np.float32) / 255, 1),
    "turned.png": turned,
}

DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda _: b"",
    lambda content: content[: len(content) // 3],
    lambda _: b"<html>404</html>",
    lambda content: png(np.zeros((4, 4, 3), np.uint8), image_files.RGB, size=(50_000, 50_000)) + content,
)


def make_set(root: Path, count: int, broken: int) -> list[str]:
    """So many pictures in turn of every class and format; the names of the broken ones."""
    names = []
    wrong = {*np.linspace(3, count - 1, broken).astype(int).tolist()}
    for index in range(count):
        suffix, make = [*MAKERS.items()][index % len(MAKERS)]
        path = root / CLASSES[index % len(CLASSES)] / f"{index:05d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = make(stripes(index))
        if index in wrong:
            path = path.with_name(f"{index:05d}.png")
            content = DAMAGES[len(names) % len(DAMAGES)](content)
            names.append(str(path.relative_to(root)))
        path.write_bytes(content)
    return names


def assert_same_bits(out: Path, other: Path) -> None:
    ours, theirs = (checkpoint.load(checkpoint.candidates(run / "checkpoints")[0]) for run in (out, other))
    assert ours.step == theirs.step
    assert {name: array.tobytes() for name, array in ours.arrays.items()} == {
        name: array.tobytes() for name, array in theirs.arrays.items()
    }


SMALL = """
import os, signal, sys
from pathlib import Path
from jcnn import Dense, Flatten, Recipe, data, fit
def die(step, metrics, state):
    if step == 10 and sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
train = data.folder("set", image_size=8, broken="skip", tell=print)
recipe = Recipe(epochs=4, batch_size=16, augment=False)
for name in sys.argv[1:]:
    resume = Path(name, "config.json").exists()
    fit((Flatten(), Dense(3)), train, recipe=recipe, out=name, resume=resume, callbacks=(die,), report=False)
"""


def test_some_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python, on a hundred, in a network that is compiled in a moment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JCNN_DATA_DIR", "data")
    broken = make_set(tmp_path / "set", 120, 5)

    def run(*names: str) -> subprocess.CompletedProcess[str]:
        child = [sys.executable, "-c", SMALL, *names]
        return subprocess.run(child, check=False, timeout=PATIENCE, env=environment(), capture_output=True, text=True)

    died = run("killed")
    assert died.returncode == -9, died.stderr
    (line,) = [line for line in died.stdout.splitlines() if "cannot be read" in line]
    assert sorted(re.findall(r"set/(\S+): ", line.partition("cannot be read: ")[2])) == sorted(broken)
    done = run("whole", "killed")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""  # what was decoded is read again
    assert_same_bits(Path("killed"), Path("whole"))


RECIPE = ("--network", "lecture", "--epochs", "6", "--batch-size", "64", "--image-size", "24", "--learning-rate", "0.02")


@pytest.mark.skipif(DRAWS < 2000, reason="minutes: in the deep tests")
@pytest.mark.slow
def test_five_thousand_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JCNN_DATA_DIR", "data")
    broken = make_set(tmp_path / "set", 5000, 20)
    options = ("--data", "folder:set", *RECIPE)

    refused = train_by_command(*options, "--out", "refused")
    assert refused.returncode == 1
    assert named(refused.stderr) == sorted(broken)
    assert not Path("refused/config.json").exists()

    whole = train_by_command(*options, "--broken", "skip", "--out", "whole")
    assert whole.returncode == 0, whole.stderr
    assert named(whole.stderr) == sorted(broken)
    assert float(re.findall(r"([\d.]+)% of \d+ test images right", whole.stdout)[0]) > 90

    killed = start(*options, "--broken", "skip", "--out", "killed")
    while not [*Path("killed/checkpoints").glob("*.npz")]:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    resumed = train_by_command("--resume", "--out", "killed")
    assert resumed.returncode == 0, resumed.stderr
    assert_same_bits(Path("killed"), Path("whole"))

    predicted = command("predict", "set", "--run", "whole", "--csv", "out.csv")
    assert predicted.returncode == 1
    with Path("out.csv").open(newline="") as file:
        rows = {row["image"].removeprefix("set/"): row for row in csv.DictReader(file)}
    assert sorted(name for name, row in rows.items() if row["error"]) == sorted(broken)
    restored = restore_run(Path("whole"), pytest.fail)
    predict = make_predict(restored.network, restored.dtype, fastest_ops())
    from jcnn.data.tree import scan

    tree = scan(Path("set"))
    for split in ("train", "test"):
        images = data.load("folder:set", split, image_size=24, broken="skip", tell=pytest.fail).images
        names = [str(file.path.relative_to(tree.root)) for file in tree.files[split]]
        shown = probabilities(predict(restored.params, images))
        kept = [name for name in names if name not in broken]
        assert len(kept) == len(images)
        found = np.array([[float(rows[name][label]) for label in CLASSES] for name in kept])
        np.testing.assert_allclose(found, shown, atol=1e-5)


def named(said: str) -> list[str]:
    return sorted({*re.findall(r"set/((?:level|slanted|upright)/\S+\.png): ", said)})


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jcnn", "train", *arguments]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def train_by_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return command("train", *arguments)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jcnn", *arguments],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def environment() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
