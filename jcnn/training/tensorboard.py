"""Event files for TensorBoard, written while a run goes on."""

import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jcnn.disk import naming

RATES = ("learning_rate", "images_per_second", "epoch", "seconds")
"""What has one curve, whatever the split."""


class TensorBoard:
    """A callback for `fit` whose curves TensorBoard shows while the network learns.

    `with TensorBoard("runs/board") as board: jcnn.fit(…, callbacks=[board])`, and `tensorboard --logdir runs/board` beside it.
    Of train, unaugmented and test images there are loss, accuracy and error, over the step; of training also learning rate,
    images a second, epoch and seconds. What is told is in the files at once. A run that is resumed goes on in the same folder:
    steps that are done again replace those of before.
    """

    def __init__(self, folder: Path | str) -> None:
        """Prepares for event files in this folder, which is made with the first of them.

        Raises:
            ImportError: tensorboardX is not installed; names the extra of jcnn that brings it.
        """
        check_installed()
        self._folder = Path(folder)
        self._writer: Any = None

    def __call__(self, step: int, metrics: Mapping[str, Any], state: object = None) -> None:
        """Writes what was recorded after `step`; the network's state is left out.

        Raises:
            OSError: the files cannot be written; names the folder.
        """
        with naming(self._folder):
            if self._writer is None:
                self._writer = _writer(self._folder, step)
                self._closing = weakref.finalize(self, self._writer.close)  # also where nobody closes it
            self._writer.write_event(_event(step, summary=_summary(curves(metrics))))
            self._writer.flush()

    def close(self) -> None:
        """Ends the files."""
        if self._writer is not None:
            self._closing()
            self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def curves(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The values of a record by the names of their curves, such as loss/train."""
    split = metrics["split"]
    found = {f"{name}/{split}": metrics[name] for name in ("loss", "accuracy") if name in metrics}
    if "errors" in metrics:
        found[f"error/{split}"] = metrics["errors"] / metrics["images"]
    elif "accuracy" in metrics:
        found[f"error/{split}"] = 1 - metrics["accuracy"]
    if split == "train":
        found |= {name: metrics[name] for name in RATES if name in metrics}
    return found


def check_installed() -> None:
    """Refuses to begin without tensorboardX.

    Raises:
        ImportError: it is not installed; names the extra of jcnn that brings it.
    """
    try:
        import tensorboardX  # noqa: F401 (only whether it is there)  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(f'TensorBoard\'s event files need tensorboardX: pip install "jcnn[tensorboard]" ({error})') from error


def _writer(folder: Path, step: int) -> Any:
    """Writes at once: a `SummaryWriter` leaves it to a thread, which may not have written it when the process ends."""
    from tensorboardX.event_file_writer import EventsWriter  # pyright: ignore[reportMissingImports]
    from tensorboardX.proto.event_pb2 import SessionLog  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

    folder.mkdir(parents=True, exist_ok=True)
    # The name in order even among files of one second: TensorBoard reads them in that of their names.
    writer = EventsWriter(str(folder / "events"), f".{time.time_ns()}")
    # What a process that was killed has written of this step and later ones, TensorBoard forgets.
    writer.write_event(_event(step, session_log=SessionLog(status=SessionLog.START)))
    return writer


def _event(step: int, **what: Any) -> Any:
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

    return Event(wall_time=time.time(), step=step, **what)


def _summary(values: Mapping[str, float]) -> Any:
    from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
