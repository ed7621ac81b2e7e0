"""Telling a person's Ctrl-C from a KeyboardInterrupt that somebody else raises."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Within it the function it gives says whether the signal of Ctrl-C came; what the signal does is as before."""
    came = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    # Python hands signals to its main thread only; and what is not Python's own to handle is left as it is.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield came.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        came.set()
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGINT, before)
