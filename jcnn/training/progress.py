"""What a person sees while a network trains: one bar on a terminal, nothing elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class ProgressBar:
    """A bar with epoch, loss, accuracy, images/s and the time left; silent where the console is no terminal."""

    def __init__(self, console: Console, epochs: int, steps: int) -> None:
        """Prepares a bar over `steps` steps in `epochs` epochs."""
        self._epochs = epochs
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("loss {task.fields[loss]}  accuracy {task.fields[accuracy]}  {task.fields[speed]} images/s"),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("train", total=steps, epoch="–", loss="–", accuracy="–", speed="–")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def update(self, step: int, epoch: float, loss: float, accuracy: float, images_per_second: float) -> None:
        """Shows where the run is after `step` steps."""
        self._bar.update(
            self._task,
            completed=step,
            epoch=f"{min(int(epoch) + 1, self._epochs)}/{self._epochs}",
            loss=f"{loss:.4f}",
            accuracy=f"{accuracy:.1%}",
            speed=f"{images_per_second:,.0f}",
        )
