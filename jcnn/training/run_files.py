"""What a run keeps: in its folder config, metrics and checkpoints, or nothing but the metrics in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from jcnn.data.dataset import Dataset
from jcnn.disk import write_atomically
from jcnn.training import checkpoint, settings
from jcnn.training.checkpoint import Checkpoint, versions
from jcnn.training.config import NAME, differences, stored_values, to_text
from jcnn.training.errors import CheckpointError, Spelling, TrainingError
from jcnn.training.metrics import MetricsFile, Record
from jcnn.training.step import State


class Keeper(Protocol):
    """Takes what a run has to keep."""

    @property
    def records(self) -> list[Record]:
        """The metrics of the whole run."""
        ...

    def append(self, record: Record) -> None:
        """Takes one line of the metrics."""
        ...

    def save(self, state: State, step: int) -> None:
        """Takes the whole state after so many steps."""
        ...

    def last_good(self) -> Path | None:
        """The newest checkpoint, if there is one."""
        ...


class Memory:
    """Keeps the metrics, and nothing on the disk."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self._records: list[Record] = []

    @property
    def records(self) -> list[Record]:
        """The metrics of the whole run."""
        return self._records

    def append(self, record: Record) -> None:
        """Takes one line of the metrics."""
        self._records.append(record)

    def save(self, state: State, step: int) -> None:
        """Forgets it."""

    def last_good(self) -> Path | None:
        """None: there are no checkpoints."""


class RunFiles:
    """A run's folder, which is its own: `config.json`, `metrics.jsonl` and `checkpoints/`."""

    def __init__(
        self, out: Path, values: dict[str, Any], images: Dataset, tell: Callable[[str], None], spelling: Spelling
    ) -> None:
        """Names the run: all its choices, and the images that it trains on."""
        self._out = out
        self._checkpoints = out / "checkpoints"
        self._values = values
        self._images = images
        self._tell = tell
        self._spelling = spelling
        self._metrics: MetricsFile | None = None
        self._began = settings.found()

    @property
    def records(self) -> list[Record]:
        """The metrics of the whole run."""
        return self._opened().records

    def append(self, record: Record) -> None:
        """Adds one line to the metrics."""
        self._opened().append(record)

    def save(self, state: State, step: int) -> None:
        """Writes a checkpoint."""
        self._opened().flush()  # before the checkpoint, whose step they have to reach
        checkpoint.save(
            self._checkpoints,
            state,
            step=step,
            seed=self._values["seed"],
            config=self._values,
            data=_identity(self._images),
            settings={**settings.found(), **settings.machine()},
        )

    def last_good(self) -> Path | None:
        """The newest checkpoint, if there is one."""
        return next(iter(checkpoint.candidates(self._checkpoints)), None)

    def open(self, template: State, total: int, *, resume: bool) -> tuple[State, int] | None:
        """Prepares the folder; the state and the step to go on from, if any.

        Args:
            template: the structure of the state.
            total: steps of the whole run.
            resume: whether to go on with what is there.

        Raises:
            TrainingError: the folder holds another run, or one that nobody asked to go on with.
            CheckpointError: there are checkpoints, and none can be used.
        """
        found = self._newest(template, total) if resume else self._unused()
        if not found and self._began:
            listed = ", ".join(f"{name}={value}" for name, value in self._began.items())
            self._tell(f"note: set from outside, and may change the result: {listed}; the report keeps it")
        write_atomically(self._out / NAME, to_text(self._values).encode())
        first = found[1] if found else 0
        self._metrics = MetricsFile(self._out / "metrics.jsonl", first)
        if first and not self._metrics.records:
            self._tell(
                f"warning: {self._out / 'metrics.jsonl'} is missing: the curves and times of the first {first} steps are lost"
            )
        return found

    def _opened(self) -> MetricsFile:
        if self._metrics is None:
            raise RuntimeError(f"{self._out} has not been opened")
        return self._metrics

    def _unused(self) -> None:
        if (self._out / NAME).exists():
            resume, out = map(self._spelling, ("resume", "out"))
            raise TrainingError(f"{self._out} holds a run already: add {resume} to go on with it, or give another {out}")

    def _newest(self, template: State, total: int) -> tuple[State, int] | None:
        before = stored_values(self._out)
        if before and (text := differences(self._values, before)):
            raise TrainingError(
                f"{self._out} was started with another config: {text}; use the stored values, "
                f"or another {self._spelling('out')}"
            )
        state = checkpoint.load_newest(
            self._checkpoints,
            lambda text: self._tell(f"warning: {text}"),
            lambda found: self._use(found, template, total),
        )
        if state and before is None:
            self._tell(f"warning: {self._out / NAME} is missing: written anew, as the checkpoint has it")
        return state

    def _use(self, found: Checkpoint, template: State, total: int) -> tuple[State, int]:
        out = self._spelling("out")
        if text := differences(self._values, found.manifest["config"]):
            raise CheckpointError(f"{found.path} is of another config: {text}; use the stored values, or another {out}")
        if found.manifest["data"]["fingerprint"] != self._images.fingerprint:
            raise CheckpointError(
                f"{found.path}: the images of {self._images.name} are not those that it was trained on; use another {out}"
            )
        if found.step > total:
            raise CheckpointError(f"{found.path} is refused: it is of step {found.step} of {total}")
        state = checkpoint.restore(found, template)
        now = {**versions(), **self._began, **settings.machine()}
        if text := settings.differing(now, {**found.manifest["versions"], **found.manifest.get("settings", {})}):
            self._tell(f"warning: {found.path} was computed otherwise: {text}; the result may differ in its last bits")
        return state, found.step


def _identity(images: Dataset) -> dict[str, Any]:
    return {
        "name": images.name,
        "input_shape": images.input_shape,
        "class_names": images.class_names,
        "fingerprint": images.fingerprint,
    }
