"""A whole run in this process: what it leaves behind, and what it refuses to start."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from rich.console import Console

from jcnn import data
from jcnn.commands.train import train as train_by_name
from jcnn.data.dataset import DataError
from jcnn.training import (
    CheckpointError,
    Config,
    MetricsError,
    Result,
    TrainingError,
    checkpoint,
    fitting,
    restore_run,
    stored_config,
)
from jcnn.training.evaluation import Evaluation
from jcnn.training.run_files import write_report

CONFIG = Config(network="lecture", epochs=2, batch_size=128)
train = partial(train_by_name, report=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train_by_name(CONFIG, out)
    return out


def test_what_a_run_leaves(finished: Path) -> None:
    assert stored_config(finished) == CONFIG
    records = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if record["split"] == "test"] == [11, 22]  # 1,438 // 128 steps an epoch
    assert [record["epoch"] for record in records if record["split"] == "train"] == [1.0, 2.0]
    assert all(record["images_per_second"] > 0 for record in records if record["split"] == "train")
    assert [record["images"] for record in records if record["split"] == "train"] == [1408, 1408]
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


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a person runs it: without the tests' own settings, which a run would tell of."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    with jax.default_matmul_precision(None):
        yield


@pytest.mark.usefixtures("nothing_set")
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
    with pytest.raises(
        TrainingError,
        match=r"is finite, but a parameter or statistic after the update of step 0 \(epoch 1\) is not finite",
    ):
        train(config, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("*"))


def test_test_images_whose_loss_is_not_finite_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters may be finite and still too large for what they are multiplied with."""
    test = data.load("digits", "test")
    overflowed = Evaluation(np.ones((1, 10)), test.labels, loss=np.inf, accuracy=0.0)
    monkeypatch.setattr(fitting, "evaluator", lambda *_, **__: lambda *_: overflowed)
    with pytest.raises(TrainingError, match=r"the loss of the test images after step 10 \(epoch 1\) is not finite; .* try a"):
        train(CONFIG, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("*"))


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A finished run of one's own."""
    return shutil.copytree(finished, tmp_path / "copied")


def resume(out: Path, config: Config = CONFIG) -> tuple[Result, str]:
    """The result, and what was told meanwhile."""
    said = StringIO()
    return train(config, out, resume=True, console=Console(file=said, width=1000)), said.getvalue()


def test_resuming_a_finished_run_changes_nothing(copied: Path) -> None:
    """Its times are those it took, and its report is the same, byte for byte."""
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    result, _ = resume(copied)
    write_report(result)
    assert {path: path.read_bytes() for path in before} == before
    assert min(result.seconds, result.compile_seconds, result.images_per_second) > 0
    last = json.loads((copied / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
    assert (result.seconds, result.compile_seconds) == (last["seconds"], last["compile_seconds"])


def test_the_times_of_a_resumed_run_are_those_of_all_its_parts(copied: Path) -> None:
    checkpoint.candidates(copied / "checkpoints")[0].unlink()
    before = [json.loads(line) for line in (copied / "metrics.jsonl").read_text("utf-8").splitlines()]
    half = max((record for record in before if record["step"] == 11), key=lambda record: record["seconds"])
    result, _ = resume(copied)
    assert result.seconds > half["seconds"]
    assert result.compile_seconds > half["compile_seconds"]
    assert [record["step"] for record in result.records] == [record["step"] for record in before]
    assert [record["loss"] for record in result.records] == [record["loss"] for record in before]


def test_metrics_that_are_missing_are_told_by_name(copied: Path) -> None:
    (copied / "metrics.jsonl").unlink()
    result, said = resume(copied)
    assert f"{copied}/metrics.jsonl is missing: the curves and times of the first 22 steps are lost" in said
    assert result.records == []


def test_metrics_that_end_too_early_are_refused_and_left(copied: Path) -> None:
    path = copied / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b'"step": 22' not in line))
    before = path.read_bytes()
    with pytest.raises(MetricsError, match=r"metrics\.jsonl ends at step 11, expected step 22"):
        resume(copied)
    assert path.read_bytes() == before


def test_a_damaged_config_is_refused_and_left(copied: Path) -> None:
    path = copied / "config.json"
    damaged = path.read_bytes().replace(b'"seed": 0', b'"seed": 1')
    path.write_bytes(damaged)
    for config in (CONFIG, replace(CONFIG, seed=1)):
        with pytest.raises(ValueError, match=r"config\.json is not what was written"):
            resume(copied, config)
    assert path.read_bytes() == damaged


def test_a_config_that_is_missing_is_told_by_name_and_written_anew(copied: Path) -> None:
    path = copied / "config.json"
    before = path.read_bytes()
    path.unlink()
    _, said = resume(copied)
    assert f"{path} is missing" in said
    assert path.read_bytes() == before


def test_a_run_without_a_checkpoint_yet_keeps_its_recipe(copied: Path) -> None:
    shutil.rmtree(copied / "checkpoints")
    with pytest.raises(TrainingError, match=r"another config: seed=5 \(stored: 0\)"):
        resume(copied, replace(CONFIG, seed=5))


def test_other_settings_than_before_are_told(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    _, said = resume(copied)
    assert re.search(r"warning: .*checkpoint-00000022.* OMP_NUM_THREADS is 3 \(it was unset\)", said)


@pytest.mark.usefixtures("nothing_set")
def test_settings_that_may_change_the_result_are_told_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3\x1b[31m")
    said = StringIO()
    train(replace(CONFIG, epochs=1), tmp_path, console=Console(file=said, width=1000))
    assert said.getvalue() == (
        "note: set from outside, and may change the result: OMP_NUM_THREADS=3\\x1b[31m; the report keeps it\n"
    )
    kept = checkpoint.load(checkpoint.candidates(tmp_path / "checkpoints")[0]).manifest["settings"]
    assert kept["OMP_NUM_THREADS"] == "3\x1b[31m"


def test_checkpoints_beyond_the_end_are_refused(copied: Path) -> None:
    newest = checkpoint.candidates(copied / "checkpoints")[0]
    found = checkpoint.load(newest)
    tree: dict[str, dict[str, object]] = {}
    for name, array in found.arrays.items():
        top, rest = name.split("/", 1)
        tree.setdefault(top, {})[rest] = array
    manifest = found.manifest
    beyond = checkpoint.save(copied / "checkpoints", tree, step=23, seed=0, config=manifest["config"], data=manifest["data"])
    result, said = resume(copied)
    assert f"{beyond} is refused: it is of step 23 of 22" in said
    assert result.records[-1]["step"] == 22


def test_other_images_are_refused(copied: Path) -> None:
    newest = checkpoint.candidates(copied / "checkpoints")[0]
    found = checkpoint.load(newest)
    shutil.rmtree(copied / "checkpoints")
    other = {**found.manifest["data"], "fingerprint": "0" * 64}
    checkpoint.save(copied / "checkpoints", {}, step=22, seed=0, config=found.manifest["config"], data=other)
    with pytest.raises(CheckpointError, match="the images of digits are not those that it was trained on"):
        resume(copied)
