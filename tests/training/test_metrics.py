"""The metrics file: whole lines, resumable, and an error that names it."""

from pathlib import Path

import pytest

from jcnn.training.metrics import MetricsFile, read


def written(path: Path, *steps: int) -> MetricsFile:
    metrics = MetricsFile(path, 0)
    for step in steps:
        metrics.append({"split": "train", "step": step, "loss": 0.1})
    return metrics


def test_records_are_read_back(tmp_path: Path) -> None:
    metrics = written(tmp_path / "metrics.jsonl", 1, 2)
    assert read(tmp_path / "metrics.jsonl") == metrics.records
    assert [record["step"] for record in metrics.records] == [1, 2]


def test_resuming_drops_what_will_be_done_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 2, 3)
    resumed = MetricsFile(path, 2)
    assert [record["step"] for record in resumed.records] == [1, 2]
    assert read(path) == resumed.records


def test_starting_over_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1)
    assert MetricsFile(path, 0).records == []


def test_a_half_written_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1)
    with path.open("a") as file:
        file.write('{"split": "tra')
    assert [record["step"] for record in read(path)] == [1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full, a device that is always full, is Linux's own")
def test_a_full_disk_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = written(path)
    path.unlink()
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: .*metrics\.jsonl"):
        metrics.append({"split": "train", "step": 1})
    assert metrics.records == []
