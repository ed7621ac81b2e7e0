"""Where changes are tried: in the candidate's process, on a few cases that it fails, before the grader looks at the rest.

Imports nothing of ours: the process in which a candidate runs alone loads this file too (`grading/candidate_process.py`).
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Pieces = Sequence[Sequence[Any]]
"""(first byte, byte behind the last, what stands there instead) of each piece of the source that is replaced."""

LONGEST = 0.25
"""Seconds of processor time that loading, and one call, may take: a change can make a loop endless."""

CLOSE = 1e-6
"""Beside the largest right number. What passes is looked at again, and judged as any candidate is."""


class Try(NamedTuple):
    """A case to try changes on.

    Attributes:
        args: the arguments.
        options: the keyword arguments.
        right: the outputs that are due, by name.
        wrong: those that are wrong in some case.
    """

    args: dict[str, Any]
    options: dict[str, Any]
    right: dict[str, Array]
    wrong: Sequence[str]


Load = Callable[[dict[str, Any]], Callable[..., Any]]
"""From the names of a module to the candidate in it, as it is called in jcnn's way."""

Perform = Callable[[Callable[..., Any], dict[str, Any], dict[str, Any], Sequence[str]], Any]
"""Calls a candidate with care."""


class Workshop:
    """A candidate's source, and its variants."""

    def __init__(self, text: bytes, namespace: dict[str, Any], load: Load, perform: Perform) -> None:
        """A workshop.

        Args:
            text: the source.
            namespace: the names that a module has before it is executed.
            load: finds the candidate.
            perform: calls it.
        """
        self._text, self._namespace, self._load, self._perform = text, namespace, load, perform

    def variant(self, pieces: Pieces) -> Callable[..., Any] | None:
        """The candidate with these pieces replaced; None where that is none."""
        text = self._text
        for begin, end, new in sorted(map(tuple, pieces), reverse=True):
            text = text[:begin] + new.encode() + text[end:]
        try:
            with _limited():
                code: CodeType = compile(text, self._namespace["__file__"], "exec", dont_inherit=True)
                names = dict(self._namespace)
                exec(code, names)  # noqa: S102 (the candidate's own source, in its own process)
                return self._load(names)
        except BaseException:  # noqa: BLE001 (whatever a variant does)
            return None

    def screen(self, variants: Sequence[Pieces], tries: Sequence[Try], seconds: float) -> list[int]:
        """Which variants, of those that there is time for, have an output that is right in all tries, and was not in one."""
        end = time.process_time() + seconds
        passed = []
        for number, pieces in enumerate(variants):
            if time.process_time() > end:
                break
            candidate = self.variant(pieces)
            if candidate and self._right(candidate, tries):
                passed.append(number)
        return passed

    def _right(self, candidate: Callable[..., Any], tries: Sequence[Try]) -> list[str]:
        right = list(tries[0].wrong) if tries else []
        for one in tries:
            try:
                with _limited():
                    outcome = self._perform(candidate, one.args, one.options, list(one.right))
            except BaseException:  # noqa: BLE001 (the alarm may come at any place)
                return []
            if outcome.problem or outcome.declined or len(outcome.leaves) != len(one.right):
                return []
            got = dict(zip(one.right, outcome.leaves, strict=True))
            right = [name for name in right if _is_close(got[name], one.right[name])]
            if not right:
                break
        return right


def _is_close(got: Array | None, right: Array) -> bool:
    if got is None or got.shape != right.shape:
        return False
    scale = float(np.abs(right).max(initial=0.0))
    return bool((np.abs(got - right) <= CLOSE * scale).all())


class _TooLongError(BaseException):
    """A variant took too long."""


@contextmanager
def _limited() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        with suppress(TypeError):
            signal.signal(signal.SIGVTALRM, before)
