"""The course of a run, one JSON object a line: `metrics.jsonl`."""

import json
from pathlib import Path
from typing import Any

from jcnn.training.checkpoint import write_atomically

Record = dict[str, Any]


class MetricsFile:
    """Appends records; every one is in the file, a line of its own, when `append` returns."""

    def __init__(self, path: Path, resume_at: int) -> None:
        """Opens the file, keeping what it holds up to step `resume_at`: later lines belong to steps that will be done again.

        Raises:
            OSError: the file cannot be written.
        """
        self.records = [record for record in read(path) if record["step"] <= resume_at] if resume_at else []
        write_atomically(path, "".join(_line(record) for record in self.records).encode())
        self._path = path

    def append(self, record: Record) -> None:
        """Adds one record at the end.

        Raises:
            OSError: the file cannot be written; names it.
        """
        try:
            with self._path.open("a") as file:
                file.write(_line(record))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self.records.append(record)


def read(path: Path) -> list[Record]:
    """The records of a file, none where there is none; a last line that a killed process left half-written is passed over."""
    lines = path.read_text().splitlines() if path.exists() else []
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def _line(record: Record) -> str:
    return json.dumps(record) + "\n"
