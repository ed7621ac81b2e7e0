"""A polite end: SIGTERM and Ctrl-C are noted, and the training loop stops where it can save."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):  # noqa: N818 (no error: the run did as it was asked)
    """The run was asked to stop and has saved its state.

    Attributes:
        number: the signal that asked.
    """

    def __init__(self, number: int, message: str) -> None:
        """Keeps the signal's number beside the message."""
        super().__init__(message)
        self.number = number


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
