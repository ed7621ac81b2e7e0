"""Contenders as processes: started, asked, ended. One that dies or stays silent is an error with its name, never a wait."""

import json
import os
import select
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class WorkerError(Exception):
    """A contender that died, stayed silent, or cannot do what it was asked; the message begins with its name."""


@dataclass
class Worker:
    """A running contender.

    Attributes:
        name: its module in `contenders`.
        python: the interpreter it runs in.
        environment: variables added to ours.
        patience: seconds after which a silent contender is given up.
        command: what runs instead of the module, for tests.
        started_at: when its process was started, in seconds since the epoch.
        ready_at: when it had imported what it needs.
        versions: what it says it computes with.
    """

    name: str
    python: str
    environment: dict[str, str] = field(default_factory=dict)
    patience: float = 900
    command: list[str] | None = None

    def __post_init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        # Whatever is set for the process that compares, the contenders find JAX and PyTorch as they come, on the CPU.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("XLA_", "JAX_"))}
        command = self.command or [self.python, "-m", f"experiments.benchmarks.contenders.{self.name}"]
        self.started_at = time.time()
        self._process = subprocess.Popen(  # noqa: S603 (our own programs)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env={**inherited, "JAX_PLATFORMS": "cpu", **self.environment},
        )
        self.versions: dict[str, str] = self._reply("start")["versions"]
        self.ready_at = time.time()

    def ask(self, do: str, **request: Any) -> Any:
        """The answer to a request.

        Raises:
            WorkerError: the contender died, stayed silent, or says it cannot.
        """
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it died; the missing reply tells
        return self._reply(do)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _reply(self, do: str) -> Any:
        assert self._process.stdout is not None  # noqa: S101
        # A reply is one line, and the next comes only when asked for: what is readable is it, or the end.
        ready, _, _ = select.select([self._process.stdout], [], [], self.patience)
        line = self._process.stdout.readline() if ready else b""
        if not ready or not line:
            happened = f"silent for {self.patience:.0f} s" if not ready else f"ended with status {self._process.wait()}"
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()[-500:]
            self.close()
            raise WorkerError(f"{self.name}, asked to {do}: {happened}; it said: {said or 'nothing'}")
        reply = json.loads(line)
        if "error" in reply:
            raise WorkerError(f"{self.name}, asked to {do}: {reply['error']}")
        return reply["ok"]
