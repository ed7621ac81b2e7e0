"""TensorBoard's event files: what is in them, and what is said where their library is missing."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jcnn
from jcnn import Dense, Flatten
from jcnn.training import TensorBoard
from jcnn.training.tensorboard import curves
from tests.commands.running import folder, run

__all__ = ["folder"]

RNG = np.random.default_rng(0)
DATA = RNG.integers(0, 256, (20, 4, 4, 1), dtype=np.uint8), np.arange(20) % 3
TEST = DATA[0][:7], DATA[1][:7]
RECIPE = jcnn.Recipe(epochs=3, batch_size=5, augment=False)


def events(board: Path) -> Iterator[Any]:
    """The events of all files, in the order in which they were begun: a length and its check, the event and its check."""
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

    for path in sorted(board.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            yield Event.FromString(content[12 : 12 + length])
            content = content[12 + length + 4 :]


def shown(board: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows: of every curve step and value; a session that starts at a step takes back that and all later."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(board):
        if event.session_log.status == 1:
            found = {tag: [point for point in points if point[0] < event.step] for tag, points in found.items()}
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def expected(records: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record in records:
        for tag, value in curves(record).items():
            found.setdefault(tag, []).append((record["step"], pytest.approx(value, rel=1e-6)))
    return found


def fit(**options: Any) -> jcnn.training.Result:
    return jcnn.fit((Flatten(), Dense(3)), DATA, TEST, recipe=RECIPE, report=False, **options)


def test_which_curves_a_record_has() -> None:
    train = {"split": "train", "step": 4, "epoch": 1.0, "loss": 2.0, "accuracy": 0.75, "learning_rate": 0.1, "images": 8,
             "images_per_second": 9.0, "seconds": 3.0, "compile_seconds": 1.0}  # fmt: skip
    assert curves(train) == {
        "loss/train": 2.0, "accuracy/train": 0.75, "error/train": 0.25, "learning_rate": 0.1, "images_per_second": 9.0,
        "epoch": 1.0, "seconds": 3.0,
    }  # fmt: skip
    test = {"split": "test", "step": 4, "epoch": 1.0, "loss": 2.0, "accuracy": 0.9, "images": 10, "errors": 1, "seconds": 3.0}
    assert curves(test) == {"loss/test": 2.0, "accuracy/test": 0.9, "error/test": 0.1}


def test_the_files_hold_what_was_recorded(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    with TensorBoard(tmp_path / "board") as board:
        assert not (tmp_path / "board").exists()
        result = fit(callbacks=[board])
    assert shown(tmp_path / "board") == expected(result.records)


def test_a_resumed_run_goes_on_and_replaces_what_is_done_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    whole = fit()

    def stop(step: int, metrics: dict[str, Any], _: object) -> None:
        if step == 8 and metrics["split"] == "test":
            raise KeyError

    with pytest.raises(KeyError):
        fit(out=tmp_path / "run", callbacks=[TensorBoard(tmp_path / "board"), stop])
    # As if killed before the last checkpoint: those steps are done again.
    newest = max((tmp_path / "run/checkpoints").iterdir())
    newest.unlink()
    resumed = fit(out=tmp_path / "run", resume=True, callbacks=[TensorBoard(tmp_path / "board")])
    found = shown(tmp_path / "board")
    for tag in ("loss/train", "loss/test", "accuracy/unaugmented", "error/test", "learning_rate"):
        assert found[tag] == expected(whole.records)[tag]
    assert found == expected(resumed.records)


def test_the_command_writes_them_beside_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboardX")
    from jcnn.training.metrics import read

    arguments = ("--network", "lenet5", "--epochs", "1", "--batch-size", "512", "--out", "run")
    assert run("train", *arguments, "--tensorboard") == 0
    assert "tensorboard --logdir run/tensorboard" in capsys.readouterr().out
    assert shown(folder / "run/tensorboard") == expected(read(folder / "run/metrics.jsonl"))


def test_without_the_library_the_extra_is_named_before_anything_is_trained(folder: Path) -> None:
    code = "import sys; sys.modules['tensorboardX'] = None; from jcnn.commands.main import main; main(sys.argv[1:])"
    environment = {"PYTHONPATH": str(Path(jcnn.__file__).parents[1]), "PATH": "", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", code, "train", "--epochs", "1", "--tensorboard"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('jcnn: TensorBoard\'s event files need tensorboardX: pip install "jcnn[tensorboard]"')
    assert not list(folder.iterdir())
