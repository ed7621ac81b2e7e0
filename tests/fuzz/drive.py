"""Sends cases to a worker, and notices where it ends or does not come back.

`python -m tests.fuzz.drive` makes every call and counts.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

QUICK = 5.0
"""Seconds of processor time after which a call counts as one that hangs."""
PATIENCE = 60.0
"""Seconds after which it is ended."""

Case = tuple[str, dict[str, str]]


class Outcome(NamedTuple):
    """What came of one case: "ok", "refused", "obscure", "hang" or "abort", and why."""

    name: str
    kinds: dict[str, str]
    word: str
    why: str


class Worker:
    """A process that makes calls, started anew after it ended."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, case: Case) -> Outcome:
        """The outcome of one case."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,  # what lies in a buffer of ours would not wake `select`
                env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "0"},
            )
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(case).encode() + b"\n")
        self.process.stdin.flush()
        if self._line(600) is None:
            return self._ended(case, "before the call")
        answer = self._line(self.patience)
        if answer is None:
            return self._ended(case, "in the call")
        word, why, seconds = json.loads(answer)
        if seconds > QUICK and not why.endswith(" numbers"):
            return Outcome(*case, "hang", f"{seconds:.1f} s: {word} {why}")
        return Outcome(*case, word, why)

    def _line(self, patience: float) -> bytes | None:
        assert self.process is not None
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], patience)
        return self.process.stdout.readline() or None if ready else None

    def _ended(self, case: Case, when: str) -> Outcome:
        assert self.process is not None
        status = self.process.poll()
        if status is None:
            try:
                status = self.process.wait(1)
            except subprocess.TimeoutExpired:
                self.stop()
                return Outcome(*case, "hang", f"{self.patience:.0f} s and more, {when}")
        self.stop()
        return Outcome(*case, "abort", f"the process ended with {status}, {when}")

    def stop(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def outcomes(cases: Iterable[Case]) -> Iterator[Outcome]:
    """What came of each of these cases."""
    worker = Worker()
    try:
        for case in cases:
            yield worker.ask(case)
    finally:
        worker.stop()


def cases() -> list[Case]:
    """Every argument of every call, replaced by every kind in turn."""
    from tests.fuzz.calls import ALL
    from tests.fuzz.values import TRACED, VALUES

    kinds = [*VALUES, *TRACED]
    return [(name, {argument: kind}) for name, call in ALL.items() for argument in call.arguments for kind in kinds]


def main() -> None:
    """Makes every call, or those of the names given, and prints what is wrong."""
    chosen = [case for case in cases() if len(sys.argv) == 1 or case[0] in sys.argv[1:]]
    start, counts = time.monotonic(), Counter[str]()
    for outcome in outcomes(chosen):
        counts[outcome.word] += 1
        if outcome.word not in ("ok", "refused"):
            print(outcome.name, outcome.kinds, outcome.word, " ".join(outcome.why.split())[:300], flush=True)  # noqa: T201
    print(len(chosen), "calls in", round(time.monotonic() - start), "s:", dict(counts))  # noqa: T201


if __name__ == "__main__":
    main()
