"""A whole run in this process: what it leaves behind, and what it refuses to start."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from jcnn import data
from jcnn.data.dataset import DataError
from jcnn.training import Config, TrainingError, loop, restore_run, train
from jcnn.training.evaluation import Evaluation

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


NONE = slice(0, 0)
UNUSABLE: dict[str, tuple[str, Any, str]] = {
    f"{name} {split}": (split, change, message)
    for split in ("train", "test")
    for name, change, message in (
        ("empty", lambda whole: whole._replace(images=whole.images[NONE], labels=whole.labels[NONE]), "there are none"),
        (
            "label too large",
            lambda whole: whole._replace(labels=np.where(np.arange(len(whole.labels)) == 7, 10, whole.labels)),
            r"label 10 of image 7 is out of range \(as are 0 more\); expected a class number from 0 to 9",
        ),
        ("label negative", lambda whole: whole._replace(labels=whole.labels - 1), r"label -1 of image \d+ is out of range"),
        ("labels missing", lambda whole: whole._replace(labels=whole.labels[1:]), r"images have labels of shape"),
    )
}


@pytest.mark.parametrize(("split", "change", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_images_that_nothing_can_be_learned_from_are_refused_by_name(
    split: str, change: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the run's folder is made."""
    sets = {name: data.load("digits", name) for name in ("train", "test")}
    sets[split] = change(sets[split])
    monkeypatch.setattr(data, "load", lambda _, name, **_options: sets[name])
    with pytest.raises(DataError, match=rf"the {split} images of digits: .*{message}"):
        train(CONFIG, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_last_update_is_looked_at_as_all_others(tmp_path: Path) -> None:
    """One step in all, whose loss is finite and whose parameters are beyond float16."""
    config = replace(CONFIG, epochs=1, batch_size=1438, learning_rate=1e8, warmup=0.0, schedule="constant", dtype="float16")
    with pytest.raises(TrainingError, match=r"is finite, but a parameter after the update of step 0 \(epoch 1\) is not finite"):
        train(config, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("*"))


def test_test_images_whose_loss_is_not_finite_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters may be finite and still too large for what they are multiplied with."""
    test = data.load("digits", "test")
    overflowed = Evaluation(np.ones((1, 10)), test.labels, loss=np.inf, accuracy=0.0)
    monkeypatch.setattr(loop, "evaluator", lambda *_: lambda _: overflowed)
    with pytest.raises(TrainingError, match=r"the loss of the test images after step 10 \(epoch 1\) is not finite; .* try a"):
        train(CONFIG, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("*"))
