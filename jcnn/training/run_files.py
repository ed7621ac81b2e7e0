"""What a run leaves in its folder: config, metrics, checkpoints and its report; or nothing but the metrics in memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from jcnn.data.dataset import Dataset
from jcnn.data.ground import ground
from jcnn.disk import write_atomically
from jcnn.percentages import share
from jcnn.training import checkpoint, settings
from jcnn.training.augmented_examples import augmented_examples
from jcnn.training.checkpoint import Checkpoint, versions
from jcnn.training.config import NAME, choice, differences, in_words, stored_values, to_text
from jcnn.training.errors import CheckpointError, Spelling, TrainingError
from jcnn.training.evaluation import Evaluation
from jcnn.training.metrics import MetricsFile, Record
from jcnn.training.reproduction import reproduction
from jcnn.training.step import State

if TYPE_CHECKING:
    from jcnn.training.fitting import Result


REPORT = "report.html"


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
        self._identity = _identity(images)
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
            data=self._identity,
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
        self._check_places()
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

    def _check_places(self) -> None:
        """Refuses what stands in the way of something that is only written later."""
        report = self._out / REPORT
        for path, in_the_way, expected in (
            (self._checkpoints, self._checkpoints.exists() and not self._checkpoints.is_dir(), "a folder, or nothing yet"),
            (report, report.is_dir(), "a file, or nothing yet"),
        ):
            if in_the_way:
                raise CheckpointError(
                    f"{path} is in the way: expected {expected}; move it, or give another {self._spelling('out')}"
                )

    def _unused(self) -> None:
        if (self._out / NAME).exists():
            resume, out = map(self._spelling, ("resume", "out"))
            raise TrainingError(f"{self._out} holds a run already: add {resume} to go on with it, or give another {out}")

    def _newest(self, template: State, total: int) -> tuple[State, int] | None:
        before = stored_values(self._out, self._spelling)
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
        "dtype": images.images.dtype.name,
        "class_names": images.class_names,
        "fingerprint": images.fingerprint,
        "pixels": None if images.pixels is None else images.pixels.as_data(),
        "ground": ground(images.images),
    }


def write_report(result: "Result") -> Path:
    """Writes `report.html` into the run's folder and returns its path.

    Raises:
        ValueError: the run has no folder.
        OSError: it cannot be written.
    """
    from jcnn.figures.report import Run, render  # they bring Matplotlib

    if result.out is None:
        raise ValueError("result has no out: expected that of a run with a folder, where its report belongs")
    config, untested = result.config, result.train._replace(images=result.train.images[:0], labels=result.train.labels[:0])
    test = untested if result.test is None else result.test
    run = Run(
        title=f"{_word(config['network'], 'a network')} on {config['data']}",
        config={
            name: _word(value, WITHOUT_NAME.get(name, ""))
            for name, value in {**config, "optimizer": choice(config, "optimizer"), **in_words(config)}.items()
        },
        environment={**versions(), **settings.machine(), **settings.found()},
        numbers={
            **_tested(result.evaluation),
            **_unaugmented(result.records),
            "training time": f"{result.seconds:.1f} s",
            "compile time": f"{result.compile_seconds:.1f} s",
            "training speed": f"{result.images_per_second:,.0f} images/s",
            "gradients": f"{result.ops.gradient}, {result.ops.formulation} convolutions",
        },
        network=result.network,
        params=result.params,
        records=result.records,
        test=test,
        probabilities=np.zeros((0, test.classes)) if result.evaluation is None else result.evaluation.probabilities,
        attribution=test.attribution,
        state=result.state,
        augmented=augmented_examples(result.network, result.train, result.config),
        reproduction=reproduction(config, len(result.train.labels), result.train.fingerprint),
    )
    with settings.fixed(config["dtype"]):
        page = render(run)
    path = result.out / REPORT
    write_atomically(path, page.encode())
    return path


WITHOUT_NAME = {"network": "its layers are listed above", "optimizer": "an Optax transformation that has no name here"}
"""What stands for a choice that is no word and no number."""


def _word(value: Any, otherwise: str) -> Any:
    return otherwise if isinstance(value, dict) else value


def _tested(found: Evaluation | None) -> dict[str, str]:
    if found is None:
        return {}
    return {
        "test accuracy": share(found.right, len(found.labels), least=2),
        "test errors": f"{found.errors:,} of {len(found.labels):,}",
        "test loss": f"{found.loss:.4g}",
    }


def _unaugmented(records: Sequence[Record]) -> dict[str, str]:
    """How well the training images are known in the end; nothing of runs that did not ask."""
    found = [record for record in records if record["split"] == "unaugmented"]
    if not found:
        return {}
    errors, images = found[-1]["errors"], found[-1]["images"]
    return {"training accuracy, unaugmented": f"{share(images - errors, images, least=2)} of {images:,}"}
