"""Runs as they lie on the disk, finished or not: their choices and their metrics, read without JAX's help."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jcnn.network_data import from_data
from jcnn.percentages import percent, share
from jcnn.training import metrics
from jcnn.training.config import NAME, choice, in_words, stored_values
from jcnn.training.errors import MetricsError, as_command
from jcnn.training.metrics import Record, timing

SHOWN = 400
"""Characters of a choice at most."""


class NoRunError(ValueError):
    """Folders that hold no runs; the message names every one of them, and says why."""


class StoredRun(NamedTuple):
    """A run's folder and what is in it.

    Attributes:
        folder: as it was given.
        values: the choices by name, as its files hold them.
        records: its metrics so far.
    """

    folder: Path
    values: dict[str, Any]
    records: list[Record]

    def choice(self, name: str) -> str:
        """One of its choices, as text; "–" where it has none of that name."""
        value = in_words(self.values).get(name, choice(self.values, name))
        if name not in self.values and value is None:
            return "–"
        text = _layers(value) if name == "network" and isinstance(value, dict) else str(value)
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

    def last(self, split: str) -> Record | None:
        """The last record of a split, if there is one."""
        return next((record for record in reversed(self.records) if record["split"] == split), None)

    def results(self) -> dict[str, str]:
        """What came out, by name; "–" for what was not recorded."""
        test, known, trained = self.last("test"), self.last("unaugmented"), self.last("train")
        spent = timing(self.records)
        epochs = self.values["epochs"]
        done = f"{trained['epoch']:.4g}" if trained else "0"
        return {
            "test accuracy": _accuracy(test),
            "test errors": f"{test['errors']:,} of {test['images']:,}" if test and "errors" in test else "–",
            "test loss": f"{test['loss']:.4g}" if test else "–",
            "training accuracy, unaugmented": _accuracy(known),
            "epochs": done if done == f"{epochs:.4g}" else f"{done} of {epochs}",
            "training time": f"{spent.seconds:,.1f} s",
            "compile time": f"{spent.compile_seconds:,.1f} s",
            "training speed": f"{spent.images_per_second:,.0f} images/s" if spent.images_per_second else "–",
        }


def read_runs(folders: Sequence[Path]) -> list[StoredRun]:
    """The runs in these folders.

    Raises:
        NoRunError: some of them hold none, or one that cannot be trusted; every one is named, with the reason.
    """
    runs: list[StoredRun] = []
    refused: list[str] = []
    seen: dict[Path, Path] = {}
    for folder in folders:
        first = seen.get(folder.resolve())
        if first is not None:
            refused.append(f"{folder} is given twice" if first == folder else f"{folder} is the same folder as {first}")
            continue
        seen[folder.resolve()] = folder
        try:
            runs.append(read_run(folder))
        except NoRunError as error:
            refused.append(str(error))
    if refused:
        raise NoRunError("; ".join(refused))
    return runs


def read_run(folder: Path) -> StoredRun:
    """The run in a folder.

    Raises:
        NoRunError: it holds none, or one whose files cannot be trusted; names it.
    """
    if not folder.is_dir():
        raise NoRunError(f"{folder} is {'a file' if folder.exists() else 'not there'}: {EXPECTED}")
    try:
        values = stored_values(folder, as_command)
        records = metrics.read(folder / "metrics.jsonl")
    except (OSError, ValueError, MetricsError) as error:
        raise NoRunError(f"{folder} cannot be read: {error}") from error
    if values is None:
        raise NoRunError(f"{folder} is no run, it has no {NAME}: {EXPECTED}")
    return StoredRun(folder, values, records)


EXPECTED = "expected the folder of a run, as `jcnn train`, or `jcnn.fit` with out, leaves it"


def _accuracy(record: Record | None) -> str:
    """Exact where the record counts, as those of earlier versions do not."""
    if record is None:
        return "–"
    if "errors" not in record:
        return percent(record["accuracy"], 2)
    return share(record["images"] - record["errors"], record["images"], least=2)


def _layers(value: dict[str, Any]) -> str:
    """The layers of a network that has no name."""
    try:
        return str(from_data(value))
    except Exception:  # noqa: BLE001 (whatever happens when the module of somebody's own layer is imported)
        return str(value)
