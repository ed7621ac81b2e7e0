"""The loop of a training run: some steps at a time, a record of each, and at the end of an epoch evaluation and checkpoint.

A person sees a bar meanwhile, on a terminal. SIGTERM and Ctrl-C are noted, and the loop stops where it can save.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import jax
import numpy as np

from jcnn.data.stream import calls
from jcnn.percentages import percent
from jcnn.training.errors import Interrupted, Spelling, TrainingError
from jcnn.training.evaluation import Evaluation, Occasional
from jcnn.training.metrics import Record, Timing
from jcnn.training.recipe import Recipe, schedule
from jcnn.training.run_files import Keeper
from jcnn.training.step import Progress, State, averaged

if TYPE_CHECKING:
    from rich import progress
    from rich.console import Console

Callback = Callable[[int, Mapping[str, Any], State], object]


class Outcome(NamedTuple):
    """The state after all steps, and the evaluation at the end of the last epoch, where there are test images."""

    state: State
    evaluation: Evaluation | None


class Loop:
    """A run's fixed parts, and its clock.

    Args:
        recipe: how to train.
        per_epoch: steps in an epoch.
        steps: `steps(state, first, last)`: does the steps first … last − 1.
        steps_per_call: the most of them that it does at once.
        evaluate: parameters and the network's state on the test images; None: there are none.
        unaugmented: the same on training images as they are; None: not at all.
        keeper: takes records and states.
        callbacks: called after every record.
        interruptible: whether SIGTERM and Ctrl-C end the run where its state is saved; they act as ever otherwise.
        spent: the time that earlier parts of the run took, and compiling for this one.
        spelling: how messages name an option.
        console: where the bar is shown.
    """

    def __init__(
        self,
        recipe: Recipe,
        per_epoch: int,
        *,
        steps: Callable[[State, int, int], tuple[State, Progress]],
        steps_per_call: int,
        evaluate: Callable[..., Evaluation] | None,
        unaugmented: Occasional | None = None,
        keeper: Keeper,
        callbacks: Sequence[Callback],
        interruptible: bool,
        spent: Timing,
        spelling: Spelling,
        console: "Console",
    ) -> None:
        """Starts the clock."""
        self._recipe = recipe
        self._per_epoch = per_epoch
        self._total = per_epoch * recipe.epochs
        self._steps = steps
        self._steps_per_call = steps_per_call
        self._evaluate = evaluate
        self._unaugmented = unaugmented
        self._keeper = keeper
        self._callbacks = callbacks
        self._interruptible = interruptible
        self._bar = ProgressBar(console, recipe.epochs, self._total)
        self._spelling = spelling
        self._rate = None if recipe.own_optimizer else schedule(recipe, self._total)
        self._compile_seconds = spent.compile_seconds
        # When a run that was never interrupted would have begun its first step.
        self._started = time.perf_counter() - spent.seconds

    def run(self, state: State, first: int) -> Outcome:
        """Does all steps from `first` on.

        Raises:
            TrainingError: a loss or parameters that are not finite.
            Interrupted: a signal asked to stop, and the state is saved.
        """
        with noted_signals() if self._interruptible else nullcontext(lambda: None) as asked, self._bar:
            outcome = self._run(state, first, asked)
        if (number := asked()) is not None:  # in the last moment, when all was saved
            resume = self._spelling("resume")
            raise Interrupted(number, f"stopped after the last of {self._total} steps, all saved; {resume} gives the result")
        return outcome

    def _run(self, state: State, first: int, asked: Callable[[], int | None]) -> Outcome:
        evaluation = None
        for start, step in calls(first, self._total, self._per_epoch, self._steps_per_call):
            state, progress, record = self._train(state, start, step)
            records = [record]
            if step % self._per_epoch == 0:
                weights = averaged(self._recipe, state)
                if self._unaugmented and self._unaugmented.due(step // self._per_epoch, self._recipe.epochs):
                    records.append(self._evaluated("unaugmented", self._unaugmented.evaluate(*weights), step, progress))
                if self._evaluate is not None:
                    evaluation = self._evaluate(*weights)
                    records.append(self._evaluated("test", evaluation, step, progress))
                self._keeper.save(state, step)
            # Last, so that an exception of theirs finds on the disk what they were told.
            self._call_back(step, records, state)
            if (number := asked()) is not None and step < self._total:
                self._interrupt(number, state, step)
        return Outcome(state, evaluation)

    def _train(self, state: State, first: int, last: int) -> tuple[State, Progress, Record]:
        """The steps first … last − 1, and their record, which is kept and shown."""
        began = time.perf_counter()
        state, progress = self._steps(state, first, last)
        progress = jax.device_get(progress)
        took = time.perf_counter() - began
        if progress.failed:
            raise TrainingError(self._failure(_what_failed(progress), int(progress.step), progress, first))
        seen = (last - first) * self._recipe.batch_size
        record: Record = {
            "split": "train",
            "step": last,
            "epoch": last / self._per_epoch,
            "loss": float(progress.loss_sum) / (last - first),
            "accuracy": int(progress.correct) / seen,
            **({} if self._rate is None else {"learning_rate": float(np.asarray(self._rate(last - 1)))}),
            "images": seen,
            "images_per_second": seen / took,
            **self._spent(),
        }
        self._keeper.append(record)
        self._bar.update(last, record["epoch"], record["loss"], record["accuracy"], seen / took)
        return state, progress, record

    def _evaluated(self, split: str, evaluation: Evaluation, step: int, progress: Progress) -> Record:
        """The record of an evaluation, which is kept."""
        if not np.isfinite(evaluation.loss):
            raise TrainingError(self._failure(f"the loss of the {split} images after", step - 1, progress, step))
        record: Record = {
            "split": split,
            "step": step,
            "epoch": step / self._per_epoch,
            "loss": evaluation.loss,
            "accuracy": evaluation.accuracy,
            "images": len(evaluation.labels),
            "errors": evaluation.errors,
            **self._spent(),
        }
        self._keeper.append(record)
        return record

    def _call_back(self, step: int, records: Sequence[Record], state: State) -> None:
        for record in records:
            for callback in self._callbacks:
                callback(step, dict(record), state)

    def _interrupt(self, number: int, state: State, step: int) -> None:
        if step % self._per_epoch:
            self._keeper.save(state, step)
        resume = self._spelling("resume")
        raise Interrupted(number, f"stopped at step {step} of {self._total}, state saved; {resume} goes on from there")

    def _spent(self) -> dict[str, float]:
        """The seconds of the whole run so far."""
        return {"seconds": time.perf_counter() - self._started, "compile_seconds": self._compile_seconds}

    def _failure(self, what: str, step: int, progress: Progress, first: int) -> str:
        losses = [record["loss"] for record in self._keeper.records if record["split"] == "train"]
        if step > first:
            losses.append(float(progress.last_loss))
        finite = f"the last finite loss was {losses[-1]:.4g}" if losses else "no loss was finite"
        good = self._keeper.last_good() or "none, the run had not reached its first"
        return (
            f"{what} step {step} (epoch {step // self._per_epoch + 1}) is not finite; {finite}; "
            f"try {' or '.join(self._advice())}; the last good checkpoint is {good}"
        )

    def _advice(self) -> list[str]:
        recipe, spelling = self._recipe, self._spelling
        if recipe.own_optimizer:
            advice = ["smaller steps of the optimizer"]
        else:
            advice = [f"a smaller {spelling('learning_rate')} (now {recipe.learning_rate:g})"]
        if not recipe.own_optimizer and recipe.warmup < 0.1:
            advice.append(f"a longer {spelling('warmup')} (now {recipe.warmup:g})")
        if recipe.dtype != "float32":
            advice.append(f"{spelling('dtype')} float32 (now {recipe.dtype})")
        return advice


def _what_failed(progress: Progress) -> str:
    if np.isfinite(progress.failed_loss):
        return f"the loss, {progress.failed_loss:.4g}, is finite, but a parameter or statistic after the update of"
    return "the loss of"


class ProgressBar:
    """A bar with epoch, loss, accuracy, images/s and the time left; silent where the console is no terminal."""

    def __init__(self, console: "Console", epochs: int, steps: int) -> None:
        """Prepares a bar over `steps` steps in `epochs` epochs."""
        self._epochs = epochs
        self._shown = _bar(console, steps) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._shown:
            self._shown[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            self._shown[0].stop()

    def update(self, step: int, epoch: float, loss: float, accuracy: float, images_per_second: float) -> None:
        """Shows where the run is after `step` steps."""
        if self._shown is None:
            return
        bar, task = self._shown
        bar.update(
            task,
            completed=step,
            epoch=f"{min(int(epoch) + 1, self._epochs)}/{self._epochs}",
            loss=f"{loss:.4f}",
            accuracy=percent(accuracy),
            speed=f"{images_per_second:,.0f}",
        )


def _bar(console: "Console", steps: int) -> "tuple[progress.Progress, progress.TaskID]":
    # Imported when there is somebody to see it: it takes longer than all the rest that a start imports of ours.
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]}  accuracy {task.fields[accuracy]}  {task.fields[speed]} images/s"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        expand=True,
    )
    return bar, bar.add_task("train", total=steps, epoch="–", loss="–", accuracy="–", speed="–")


@contextmanager
def noted_signals() -> Iterator[Callable[[], int | None]]:
    """While inside, SIGTERM and SIGINT only set what the yielded function returns: the signal's number, or None.

    A second one of the same kind acts as ever. Outside the main thread, where Python allows no handlers, nothing is noted.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
