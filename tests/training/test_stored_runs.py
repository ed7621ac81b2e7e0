"""Runs read back from the disk: finished or not, of this version or an earlier one; what is none is named."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jcnn
from jcnn import Conv, Dense, Flatten
from jcnn.network_data import to_data
from jcnn.training import Config
from jcnn.training.metrics import MetricsFile, read
from jcnn.training.stored_runs import NoRunError, read_run, read_runs
from tests.training.small_runs import as_older, course, write_run


def test_the_results_of_a_run(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", Config(epochs=2), course(2, errors=[20, 4], images=10_000)))
    assert run.results() == {
        "test accuracy": "99.96 %",
        "test errors": "4 of 10,000",
        "test loss": "0.25",
        "training accuracy, unaugmented": "99.99 %",
        "epochs": "2",
        "training time": "4.0 s",
        "compile time": "3.0 s",
        "training speed": "250 images/s",
    }
    assert [run.choice(name) for name in ("network", "epochs", "optimizer", "nothing")] == ["small", "2", "sgd", "–"]


def test_a_run_of_an_earlier_version(tmp_path: Path) -> None:
    records = as_older(course(2, errors=[20, 1], images=100_000))
    results = read_run(write_run(tmp_path / "run", Config(epochs=2), records)).results()
    assert results["test accuracy"] == "> 99.99 %"
    assert results["test errors"] == results["training accuracy, unaugmented"] == "–"


def test_a_run_that_is_not_finished_and_one_that_has_only_begun(tmp_path: Path) -> None:
    half = read_run(write_run(tmp_path / "half", Config(epochs=5), course(2, errors=[20, 4])))
    assert half.results()["epochs"] == "2 of 5"
    begun = read_run(write_run(tmp_path / "begun", Config(epochs=5), []))
    assert begun.results()["epochs"] == "0 of 5"
    assert {begun.results()[name] for name in ("test accuracy", "test errors", "test loss", "training speed")} == {"–"}


def test_a_run_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """To the same bits, its old records kept as they are."""
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
    data, network = (images, np.arange(8) % 2), (Flatten(), Dense(2))
    recipe = jcnn.Recipe(epochs=2, batch_size=4, augment=False)

    def stop(_: int, metrics: Mapping[str, Any], __: object) -> None:
        if metrics["split"] == "test":
            raise KeyError

    whole = jcnn.fit(network, data, data, recipe=recipe)
    with pytest.raises(KeyError):
        jcnn.fit(network, data, data, recipe=recipe, out=tmp_path / "run", callbacks=[stop])
    path = tmp_path / "run/metrics.jsonl"
    older = as_older(read(path))
    assert all("errors" not in record for record in older)
    path.unlink()
    metrics = MetricsFile(path, 0)
    for record in older:
        metrics.append(record)
    resumed = jcnn.fit(network, data, data, recipe=recipe, out=tmp_path / "run", resume=True, report=False)
    jax.tree.map(np.testing.assert_array_equal, resumed.params, whole.params)
    assert resumed.records[: len(older)] == older
    assert read_run(tmp_path / "run").results()["test errors"].endswith(" of 8")


def test_the_layers_of_a_network_without_a_name(tmp_path: Path) -> None:
    layers = (Conv(2, 3), Flatten(), Dense(10))
    values = {**Config().to_json(), "network": to_data(layers), "optimizer": {"optax": {"tree": "*"}}}
    run = read_run(write_run(tmp_path / "run", values, []))
    assert run.choice("network") == str(layers)
    deep = {**values, "network": to_data(layers * 40)}
    assert len(read_run(write_run(tmp_path / "deep", deep, [])).choice("network")) == 401


def test_what_is_no_run_is_named_every_one_of_them(tmp_path: Path) -> None:
    good = write_run(tmp_path / "good", Config(epochs=1), course(1, errors=[2]))
    empty = tmp_path / "empty"
    empty.mkdir()
    damaged = write_run(tmp_path / "damaged", Config(epochs=1), course(1, errors=[2]))
    metrics = damaged / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes().replace(b"train", b"tsain", 1))
    edited = write_run(tmp_path / "edited", Config(epochs=1), course(1, errors=[2]))
    config = edited / "config.json"
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    again = tmp_path / "empty/../good"
    given = [good, empty, damaged, tmp_path / "nowhere", edited, metrics, good, again]
    with pytest.raises(NoRunError) as caught:
        read_runs(given)
    reasons = str(caught.value).split("; ")
    for folder, reason in (
        (empty, "is no run, it has no config.json: expected the folder of a run"),
        (damaged, "cannot be read: "),
        (tmp_path / "nowhere", "is not there: expected the folder of a run"),
        (edited, "cannot be read: "),
        (metrics, "is a file: expected the folder of a run"),
        (good, "is given twice"),
        (again, f"is the same folder as {good}"),
    ):
        assert any(found.startswith(f"{folder} {reason}") for found in reasons), (folder, reasons)
    assert "metrics.jsonl, line 1 is not what was written" in str(caught.value)
    assert [run.folder for run in read_runs([good])] == [good]
