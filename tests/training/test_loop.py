"""A whole run in this process: what it leaves behind, and what it refuses to start."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from jcnn.training import Config, TrainingError, restore_run, train

CONFIG = Config(network="lecture", epochs=2, batch_size=128)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(CONFIG, tmp_path_factory.mktemp("run")).out


def test_what_a_run_leaves(finished: Path) -> None:
    assert Config(**json.loads((finished / "config.json").read_text())) == CONFIG
    records = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if record["split"] == "test"] == [11, 22]  # 1,438 // 128 steps an epoch
    assert [record["epoch"] for record in records if record["split"] == "train"] == [1.0, 2.0]
    assert all(record["images_per_second"] > 0 for record in records if record["split"] == "train")
    assert [path.name[:19] for path in sorted((finished / "checkpoints").iterdir())] == [
        "checkpoint-00000011",
        "checkpoint-00000022",
    ]


def test_a_run_is_read_back(finished: Path) -> None:
    restored = restore_run(finished, pytest.fail)
    assert restored.input_shape == (8, 8, 1)
    assert restored.class_names == tuple("0123456789")
    assert [sorted(layer) for layer in restored.params if layer] == [["b", "w"]] * 5


def test_another_recipe_is_refused(finished: Path) -> None:
    with pytest.raises(TrainingError, match=r"another config: epochs=3 \(stored: 2\)"):
        train(replace(CONFIG, epochs=3), finished, resume=True)


def test_a_run_is_not_written_over(finished: Path) -> None:
    before = (finished / "metrics.jsonl").read_bytes()
    with pytest.raises(TrainingError, match="holds a run already: add --resume"):
        train(CONFIG, finished)
    assert (finished / "metrics.jsonl").read_bytes() == before


def test_a_batch_larger_than_the_set(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"batch_size=1500: expected at most the 1438 training images of digits"):
        train(replace(CONFIG, batch_size=1500), tmp_path)


def test_a_terminal_sees_a_bar_and_a_file_sees_nothing(tmp_path: Path) -> None:
    terminal, file = StringIO(), StringIO()
    config = replace(CONFIG, epochs=1)
    train(config, tmp_path / "a", console=Console(file=terminal, force_terminal=True, width=120))
    train(config, tmp_path / "b", console=Console(file=file, force_terminal=False))
    assert "images/s" in terminal.getvalue()
    assert "loss" in terminal.getvalue()
    assert "epoch" in terminal.getvalue()
    assert file.getvalue() == ""
