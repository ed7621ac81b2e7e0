"""What a person sees while a network trains: one bar on a terminal, nothing elsewhere."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


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
            accuracy=f"{accuracy:.1%}",
            speed=f"{images_per_second:,.0f}",
        )


def _bar(console: "Console", steps: int) -> "tuple[Progress, TaskID]":
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
