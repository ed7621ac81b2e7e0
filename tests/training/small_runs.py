"""Runs on the disk that nobody had to train: choices and metrics as a training writes them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jcnn.training import Config
from jcnn.training.config import to_text
from jcnn.training.metrics import MetricsFile, Record

OLDER = ("images", "errors")
"""What evaluations of earlier versions did not record."""


def write_run(folder: Path, config: Config | dict[str, Any], records: Sequence[Record]) -> Path:
    folder.mkdir(parents=True)
    values = config.to_json() if isinstance(config, Config) else config
    (folder / "config.json").write_text(to_text(values), "utf-8")
    metrics = MetricsFile(folder / "metrics.jsonl", 0)
    for record in records:
        metrics.append(record)
    return folder


def course(epochs: int, *, errors: Sequence[int], images: int = 1000, seconds: float = 2.0, rate: float = 0.1) -> list[Record]:
    """The metrics of so many epochs, with as many errors on the test images after each."""
    records: list[Record] = []
    for epoch in range(1, epochs + 1):
        spent = {"seconds": seconds * epoch, "compile_seconds": 3.0}
        records.append(
            {"split": "train", "step": 10 * epoch, "epoch": float(epoch), "loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch,
             "learning_rate": rate, "images": 500, "images_per_second": 250.0, **spent}
        )  # fmt: skip
        for split, wrong in (("unaugmented", 1), ("test", errors[epoch - 1])):
            records.append(
                {"split": split, "step": 10 * epoch, "epoch": float(epoch), "loss": 0.5 / epoch, "accuracy": 1 - wrong / images,
                 "images": images, "errors": wrong, **spent}
            )  # fmt: skip
    return records


def as_older(records: Sequence[Record]) -> list[Record]:
    """The same as a version wrote it that counted no errors and saw no training images unaugmented."""
    kept = [record for record in records if record["split"] != "unaugmented"]
    return [
        record if record["split"] == "train" else {name: value for name, value in record.items() if name not in OLDER}
        for record in kept
    ]
