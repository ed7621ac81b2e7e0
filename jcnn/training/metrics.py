"""The course of a run, one JSON object a line: `metrics.jsonl`.

Every line ends in a check: the beginning of the SHA-256 of all lines up to it. So a line that was changed, lost, added or moved
is noticed, and where.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jcnn.disk import flush, naming, write_atomically
from jcnn.training.errors import MetricsError

Record = dict[str, Any]
DIGITS = 12
"""Hexadecimal digits of a check."""


class Timing(NamedTuple):
    """How long a run has taken, all its processes together.

    Attributes:
        seconds: training, evaluations and checkpoints included, compilation not.
        compile_seconds: compiling.
        images_per_second: training images over the time of the steps alone; 0 if there was none.
    """

    seconds: float
    compile_seconds: float
    images_per_second: float


class MetricsFile:
    """Appends records; every one is in the file, a line of its own, when `append` returns."""

    def __init__(self, path: Path, resume_at: int) -> None:
        """Opens the file, keeping what it holds up to step `resume_at`: later lines belong to steps that will be done again.

        Raises:
            MetricsError: the file is damaged, or ends before that step; it is left as it is.
            OSError: the file cannot be read or written; names it.
        """
        self.records = [record for record in read(path) if record["step"] <= resume_at] if resume_at else []
        if resume_at and path.exists() and (not self.records or self.records[-1]["step"] != resume_at):
            last = self.records[-1]["step"] if self.records else 0
            raise MetricsError(f"{path} ends at step {last}, expected step {resume_at}: lines are missing; {_way_out(path)}")
        self._path = path
        self._check = ""
        lines = []
        for record in self.records:
            lines.append(_line(record, self._check))
            self._check = _check(record, self._check)
        write_atomically(path, "".join(lines).encode())

    def append(self, record: Record) -> None:
        """Adds one record at the end.

        Raises:
            OSError: the file cannot be written; names it.
        """
        with naming(self._path), self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(_line(record, self._check))
        self._check = _check(record, self._check)
        self.records.append(record)

    def flush(self) -> None:
        """Returns once all lines are on the disk.

        Raises:
            OSError: they cannot be written; names the file.
        """
        with naming(self._path):
            descriptor = os.open(self._path, os.O_RDONLY)
            try:
                flush(descriptor)
            finally:
                os.close(descriptor)


def read(path: Path) -> list[Record]:
    """The records of a file, none where there is none; a last line that a killed process left half-written is passed over.

    Raises:
        MetricsError: any other line is not what was written.
        OSError: the file cannot be read; names it.
    """
    try:
        with naming(path):
            content = path.read_bytes()
    except FileNotFoundError:
        return []
    *lines, torn = content.split(b"\n")
    records: list[Record] = []
    check = ""
    for number, line in enumerate(lines, 1):
        record = _parsed(line, check)
        if record is None:
            raise MetricsError(f"{path}, line {number} is not what was written; {_way_out(path)}")
        records.append(record)
        check = _check(record, check)
    # A whole line before the last byte: that byte was the end of the line, and the line is not torn but changed.
    if _parsed(torn[:-1], check) is not None:
        raise MetricsError(f"{path}, line {len(records) + 1} has lost its end; {_way_out(path)}")
    return records


def timing(records: Sequence[Record]) -> Timing:
    """How long the run of these records has taken."""
    trained = [record for record in records if record["split"] == "train"]
    busy = sum(record["images"] / record["images_per_second"] for record in trained)
    images = sum(record["images"] for record in trained)
    last = records[-1] if records else {"seconds": 0.0, "compile_seconds": 0.0}
    return Timing(last["seconds"], last["compile_seconds"], images / busy if busy else 0.0)


def _line(record: Record, before: str) -> str:
    return json.dumps({**record, "check": _check(record, before)}) + "\n"


def _check(record: Record, before: str) -> str:
    """The check of a record after a line whose check was `before`."""
    return hashlib.sha256(f"{before}{json.dumps(record)}".encode()).hexdigest()[:DIGITS]


def _parsed(line: bytes, before: str) -> Record | None:
    """The record of a line; None if it is not, byte for byte, the line that was written after one with that check."""
    try:
        record = json.loads(line)
        del record["check"]
        return record if line + b"\n" == _line(record, before).encode() else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _way_out(path: Path) -> str:
    return (
        "it was damaged, edited by hand, or written by another version: put it back as it was, or move "
        f"{path.name} away to go on without the curves up to there"
    )
