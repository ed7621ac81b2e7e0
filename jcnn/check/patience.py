"""How long a candidate is waited for: by the processor time that it takes, so that a busy machine is not held against it."""

import time
from collections.abc import Callable

from jcnn.check.cases import Case
from jcnn.check.outcome import Outcome

LONGEST = 60.0
"""Seconds by the clock after which also one that waits instead of computing has had its time."""


class Patience:
    """Counts what a candidate takes for its answers."""

    def __init__(self, answer: Callable[[Case], Outcome]) -> None:
        """`answer`: what the candidate does with a case."""
        self._answer = answer
        self._waited = 0.0
        self.used = 0.0

    def answer(self, case: Case) -> Outcome:
        """The same, counted."""
        began = time.monotonic()
        outcome = self._answer(case)
        self._waited += time.monotonic() - began
        self.used += outcome.seconds
        return outcome

    def ends(self, seconds: float) -> bool:
        """Whether it has computed for longer than that, or has been waited for too long."""
        return self.used > seconds or self._waited > LONGEST
