"""The metrics file: whole lines, resumable, any change noticed by line, and errors that name it."""

from pathlib import Path

import numpy as np
import pytest

from jcnn.training.errors import MetricsError
from jcnn.training.metrics import MetricsFile, read, timing


def written(path: Path, *steps: int) -> MetricsFile:
    metrics = MetricsFile(path, 0)
    for step in steps:
        metrics.append({"split": "train", "step": step, "loss": 0.1, "accuracy": 1e-5 * step})
    return metrics


def test_records_are_read_back(tmp_path: Path) -> None:
    metrics = written(tmp_path / "metrics.jsonl", 1, 2)
    assert read(tmp_path / "metrics.jsonl") == metrics.records
    assert [record["step"] for record in metrics.records] == [1, 2]


def test_numbers_that_json_has_no_name_for(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl", 0)
    metrics.append({"step": 1, "loss": float("nan"), "accuracy": -0.0, "seconds": float("inf")})
    assert repr(read(tmp_path / "metrics.jsonl")) == repr(metrics.records)


def test_resuming_drops_what_will_be_done_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 2, 3)
    resumed = MetricsFile(path, 2)
    assert [record["step"] for record in resumed.records] == [1, 2]
    assert read(path) == resumed.records
    resumed.append({"split": "train", "step": 4})
    assert [record["step"] for record in read(path)] == [1, 2, 4]


def test_starting_over_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1)
    assert MetricsFile(path, 0).records == []


def test_a_last_line_cut_anywhere_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 2)
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for end in range(first, len(content)):
        path.write_bytes(content[:end])
        assert [record["step"] for record in read(path)] == [1]
    assert [record["step"] for record in MetricsFile(path, 1).records] == [1]
    assert path.read_bytes() == content[:first]


def test_any_flipped_bit_is_noticed_by_name_and_line(tmp_path: Path) -> None:
    """In any place of any line, its end included; and the file is left as it is."""
    path = tmp_path / "metrics.jsonl"
    written(path, *range(1, 8))
    content = path.read_bytes()
    ends = [position for position, byte in enumerate(content) if byte == ord("\n")]
    drawn = np.random.default_rng(0).choice(8 * len(content), 200, replace=False)
    flips = {*drawn.tolist(), *(8 * end + bit for end in ends for bit in range(8))}
    for flip in flips:
        damaged = bytearray(content)
        damaged[flip // 8] ^= 1 << flip % 8
        path.write_bytes(damaged)
        line = content[: flip // 8].count(b"\n") + 1
        with pytest.raises(MetricsError, match=rf"metrics\.jsonl, line {line} (is not what was written|has lost its end)"):
            MetricsFile(path, 7)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    ("order", "line"),
    [
        pytest.param((0, 2, 3), 2, id="lost"),
        pytest.param((0, 1, 1, 2, 3), 3, id="doubled"),
        pytest.param((0, 2, 1, 3), 2, id="moved"),
        pytest.param((1, 2, 3), 1, id="the first lost"),
    ],
)
def test_whole_lines_out_of_place(tmp_path: Path, order: tuple[int, ...], line: int) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 2, 3, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[index] for index in order))
    with pytest.raises(MetricsError, match=f"line {line} is not what was written"):
        read(path)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"split": "train", "step": 5, "loss": 0.1}', id="of a version without checks"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"3", id="a number"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="nested deep"),
    ],
)
def test_a_line_of_another_hand(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1)
    with path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(MetricsError, match="line 2 is not what was written"):
        read(path)


def test_lines_that_are_missing_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 1, 2)
    before = path.read_bytes()
    with pytest.raises(MetricsError, match=r"metrics\.jsonl ends at step 2, expected step 3: lines are missing"):
        MetricsFile(path, 3)
    assert path.read_bytes() == before


def test_the_times_of_a_run_are_those_of_all_its_parts() -> None:
    records = [
        {"split": "train", "images": 100, "images_per_second": 50.0, "seconds": 3.0, "compile_seconds": 1.0},
        {"split": "train", "images": 300, "images_per_second": 100.0, "seconds": 6.0, "compile_seconds": 4.0},
        {"split": "test", "seconds": 7.0, "compile_seconds": 4.0},
    ]
    assert timing(records) == (7.0, 4.0, 80.0)
    assert timing([]) == (0.0, 0.0, 0.0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full, a device that is always full, is Linux's own")
def test_a_full_disk_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    metrics = written(path)
    path.unlink()
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: .*metrics\.jsonl"):
        metrics.append({"split": "train", "step": 1})
    assert metrics.records == []
