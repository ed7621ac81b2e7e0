"""A training run from its config to its result: steps, metrics, evaluations, checkpoints; resumed, interrupted, failed."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from jcnn import data, printing
from jcnn.data.dataset import Dataset
from jcnn.disk import write_atomically
from jcnn.layers import Network, Ops
from jcnn.network import Params
from jcnn.presets import preset
from jcnn.training import checkpoint, lock, settings
from jcnn.training.checkpoint import Checkpoint, CheckpointError, versions
from jcnn.training.config import NAME as CONFIG_NAME
from jcnn.training.config import Config, differences, stored_config, to_text
from jcnn.training.errors import TrainingError
from jcnn.training.evaluation import Evaluation, evaluator
from jcnn.training.metrics import MetricsFile, Record, timing
from jcnn.training.progress import ProgressBar
from jcnn.training.signals import Interrupted, noted_signals
from jcnn.training.step import State, fastest_ops, initial_state, make_run_steps, schedule

if TYPE_CHECKING:
    from rich.console import Console

STEPS_PER_CALL = 20


class Result(NamedTuple):
    """A finished run.

    Attributes:
        out: its folder.
        network: its layers.
        params: the final parameters.
        records: the metrics of the whole run, also of the parts before it was resumed.
        evaluation: of the final parameters, on the test images.
        test: the test images.
        ops: formulation and gradient it was trained with.
        seconds: time spent training, evaluations and checkpoints included, compilation not; of the whole run, also of the
            parts before it was resumed.
        compile_seconds: time spent compiling, of the whole run.
        images_per_second: training images over the time of the steps alone, of the whole run.
    """

    out: Path
    network: Network
    params: Params
    records: list[Record]
    evaluation: Evaluation
    test: Dataset
    ops: Ops
    seconds: float
    compile_seconds: float
    images_per_second: float


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    data_dir: Path | None = None,
    originals: Path | None = None,
    console: "Console | None" = None,
) -> Result:
    """Trains a network and leaves `config.json`, `metrics.jsonl` and `checkpoints/` in a folder.

    Args:
        config: the recipe.
        out: the run's folder, made if missing; nobody else trains in it meanwhile.
        resume: go on from the newest good checkpoint in `out`, if there is one; the final parameters are bit for bit those of a
            run that was never interrupted (same machine and number of threads).
        data_dir: where data sets lie, as in `jcnn.data.load`.
        originals: a folder of original files, as in `jcnn.data.load`.
        console: where progress and warnings are shown; None: the standard error.

    Returns:
        A `Result`.

    Raises:
        ValueError: a config that does not fit the data, or a network that does not fit the images.
        DataError: images that cannot be had, none at all, or labels that are none of the classes.
        TrainingError: a loss or parameters that are not finite; `out` holds another run, or one that is being trained; or its
            metrics are damaged.
        CheckpointError: a checkpoint that cannot be written, or none that can be trusted.
        Interrupted: after SIGTERM or Ctrl-C, the state saved.
    """
    config.check()
    console = console or printing.console(stderr=True)

    def tell(text: str) -> None:
        console.print(printing.plain(text), soft_wrap=True)

    try:
        with lock.held(out, tell), settings.fixed(config.dtype):
            return _train(config, out, resume, data_dir, originals, console, tell)
    except OSError as error:
        if error.filename != str(out):
            raise
        raise CheckpointError(f"cannot write to {out}: {error.strerror}") from error


def _train(
    config: Config,
    out: Path,
    resume: bool,
    data_dir: Path | None,
    originals: Path | None,
    console: "Console",
    tell: Callable[[str], None],
) -> Result:
    """`train`, in a folder that is its own."""

    def load(split: str) -> Dataset:
        return data.load(
            config.data,
            split,
            data_dir=data_dir,
            originals=originals,
            image_size=config.image_size,
            tell=tell,
        ).checked()

    images, test = load("train"), load("test")
    per_epoch = len(images.images) // config.batch_size
    if per_epoch == 0:
        raise ValueError(
            f"batch_size={config.batch_size}: expected at most the {len(images.images)} training images of {config.data}"
        )
    total = per_epoch * config.epochs
    network = preset(config.network, images.input_shape, images.classes)
    template = jax.eval_shape(lambda: initial_state(config, network, images.input_shape, total))
    found = _open(out, config, images, total, template, resume, tell)
    state, first = found or (initial_state(config, network, images.input_shape, total), 0)
    metrics = MetricsFile(out / "metrics.jsonl", first)
    if first and not metrics.records:
        tell(f"warning: {out / 'metrics.jsonl'} is missing: the curves and times of the first {first} steps are lost")

    ops = fastest_ops()
    evaluate = evaluator(network, test, config.dtype, ops)
    spent = timing(metrics.records)
    folder = out / "checkpoints"

    def save(state: State, step: int) -> None:
        metrics.flush()  # before the checkpoint, whose step they have to reach
        checkpoint.save(
            folder,
            state,
            step=step,
            seed=config.seed,
            config=config.to_json(),
            data=_identity(images),
            settings={**settings.found(), **settings.machine()},
        )

    if first < total:
        pixels, labels = jax.device_put((images.images, images.labels))
        started = time.perf_counter()
        steps = make_run_steps(config, network, len(images.images), ops).lower(state, pixels, labels, 0, 0).compile()
        compile_seconds = spent.compile_seconds + time.perf_counter() - started
        run = _Run(config, per_epoch, total, metrics, save, folder, compile_seconds, time.perf_counter() - spent.seconds)
        with noted_signals() as signalled, ProgressBar(console, config.epochs, total) as bar:
            state = run.go(
                lambda state, first, last: steps(state, pixels, labels, first, last), evaluate, state, first, signalled, bar
            )
    return Result(out, network, state.params, metrics.records, evaluate(state.params), test, ops, *timing(metrics.records))


class _Run(NamedTuple):
    """The loop's fixed parts."""

    config: Config
    per_epoch: int
    total: int
    metrics: MetricsFile
    save: Callable[[State, int], None]
    folder: Path
    compile_seconds: float
    started: float
    """When a run that was never interrupted would have begun its first step, by `time.perf_counter`."""

    def go(
        self,
        steps: Callable[..., Any],
        evaluate: Callable[[Params], Evaluation],
        state: State,
        first: int,
        signalled: Callable[[], int | None],
        bar: ProgressBar,
    ) -> State:
        """Does all steps from `first` on; returns the final state."""
        rate = schedule(self.config, self.total)
        step = first
        while step < self.total:
            last = min(step + STEPS_PER_CALL, self.total, (step // self.per_epoch + 1) * self.per_epoch)
            began = time.perf_counter()
            state, progress = steps(state, step, last)
            progress = jax.device_get(progress)
            took = time.perf_counter() - began
            if progress.failed:
                raise TrainingError(self._failure(_what_failed(progress), int(progress.step), progress, step))
            seen = (last - step) * self.config.batch_size
            record: Record = {
                "split": "train",
                "step": last,
                "epoch": last / self.per_epoch,
                "loss": float(progress.loss_sum) / (last - step),
                "accuracy": int(progress.correct) / seen,
                "learning_rate": float(np.asarray(rate(last - 1))),
                "images": seen,
                "images_per_second": seen / took,
                **self._spent(),
            }
            self.metrics.append(record)
            bar.update(last, record["epoch"], record["loss"], record["accuracy"], seen / took)
            step = last
            if step % self.per_epoch == 0:
                result = evaluate(state.params)
                if not np.isfinite(result.loss):
                    raise TrainingError(self._failure("the loss of the test images after", step - 1, progress, step))
                self.metrics.append(
                    {
                        "split": "test",
                        "step": step,
                        "epoch": step / self.per_epoch,
                        "loss": result.loss,
                        "accuracy": result.accuracy,
                        **self._spent(),
                    }
                )
                self.save(state, step)
            if (number := signalled()) is not None and step < self.total:
                if step % self.per_epoch:
                    self.save(state, step)
                raise Interrupted(number, f"stopped at step {step} of {self.total}, state saved; --resume goes on from there")
        return state

    def _spent(self) -> dict[str, float]:
        """The seconds of the whole run so far."""
        return {"seconds": time.perf_counter() - self.started, "compile_seconds": self.compile_seconds}

    def _failure(self, what: str, step: int, progress: Any, first: int) -> str:
        losses = [record["loss"] for record in self.metrics.records if record["split"] == "train"]
        if step > first:
            losses.append(float(progress.last_loss))
        finite = f"the last finite loss was {losses[-1]:.4g}" if losses else "no loss was finite"
        good = next(iter(checkpoint.candidates(self.folder)), None)
        config = self.config
        advice = [f"a smaller --learning-rate (now {config.learning_rate:g})"]
        if config.warmup < 0.1:
            advice.append(f"a longer --warmup (now {config.warmup:g})")
        if config.dtype != "float32":
            advice.append(f"--dtype float32 (now {config.dtype})")
        return (
            f"{what} step {step} (epoch {step // self.per_epoch + 1}) is not finite; {finite}; "
            f"try {' or '.join(advice)}; the last good checkpoint is {good or 'none, the run had not reached its first'}"
        )


def _what_failed(progress: Any) -> str:
    if np.isfinite(progress.failed_loss):
        return f"the loss, {progress.failed_loss:.4g}, is finite, but a parameter after the update of"
    return "the loss of"


def _open(
    out: Path, config: Config, images: Dataset, total: int, template: State, resume: bool, tell: Callable[[str], None]
) -> tuple[State, int] | None:
    """Prepares the run's folder; the state and the step to go on from, if any."""
    stored = out / CONFIG_NAME
    if not resume and stored.exists():
        raise TrainingError(f"{out} holds a run already: add --resume to go on with it, or give another --out")
    began = settings.found()

    def use(found: Checkpoint) -> tuple[State, int]:
        if text := differences(config, found.manifest["config"]):
            raise CheckpointError(f"{found.path} is of another config: {text}; use the stored values, or another --out")
        if found.manifest["data"]["fingerprint"] != images.fingerprint:
            raise CheckpointError(
                f"{found.path}: the images of {config.data} are not those that it was trained on; use another --out"
            )
        if found.step > total:
            raise CheckpointError(f"{found.path} is refused: it is of step {found.step} of {total}")
        state = checkpoint.restore(found, template)
        now = {**versions(), **began, **settings.machine()}
        if text := settings.differing(now, {**found.manifest["versions"], **found.manifest.get("settings", {})}):
            tell(f"warning: {found.path} was computed otherwise: {text}; the result may differ in its last bits")
        return state, found.step

    state = None
    if resume:
        before = stored_config(out)
        if before and (text := differences(config, before.to_json())):
            raise TrainingError(f"{out} was started with another config: {text}; use the stored values, or another --out")
        state = checkpoint.load_newest(out / "checkpoints", lambda text: tell(f"warning: {text}"), use)
        if state and before is None:
            tell(f"warning: {stored} is missing: written anew, as the checkpoint has it")
    if not state and began:
        listed = ", ".join(f"{name}={value}" for name, value in began.items())
        tell(f"note: set from outside, and may change the result: {listed}; the report keeps it")
    write_atomically(stored, to_text(config).encode())
    return state


def _identity(images: Dataset) -> dict[str, Any]:
    return {
        "name": images.name,
        "input_shape": images.input_shape,
        "class_names": images.class_names,
        "fingerprint": images.fingerprint,
    }
