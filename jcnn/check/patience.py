"""How long a candidate is waited for: by the processor time that it takes, so that a busy machine is not held against it."""

import time
from collections.abc import Callable

from jcnn.check.cases import Case
from jcnn.check.outcome import Outcome

_WAITING = 3
"""So many seconds in which it does not compute, as others do or as it sleeps, count as one."""


class Patience:
    """Counts what a candidate takes for its answers."""

    def __init__(self, answer: Callable[[Case], Outcome]) -> None:
        """`answer`: what the candidate does with a case."""
        self._answer = answer
        self.used = 0.0

    def answer(self, case: Case) -> Outcome:
        """The same, counted."""
        began = time.monotonic()
        outcome = self._answer(case)
        passed = time.monotonic() - began
        self.used += min(passed, max(outcome.seconds, passed / _WAITING))
        return outcome
