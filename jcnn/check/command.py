"""The commands `jcnn check` and `jcnn grade`."""

import json as json_format
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from rich.console import Console

from jcnn.check.grading.grade import grade_file
from jcnn.check.grading.isolated import MEMORY, TIMEOUT
from jcnn.check.selfcheck.matrix import check


@dataclass(frozen=True)
class Check:
    """Check our own operations: every formulation, both gradients, every dtype, against sums written out in float64.

    Exits with 0 if all agree, else with 1.
    """

    operations: tyro.conf.Positional[tuple[str, ...]] = ()
    """Operations to check, such as conv, or conv_backward for its gradients alone; by default all."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON in place of the table."""

    def run(self, console: Console) -> int:
        """Prints the matrix."""
        matrix = check(self.operations or None)
        _print(console, matrix, as_json=self.json)
        return 0 if matrix.verdict == "agrees" else 1


@dataclass(frozen=True)
class Grade:
    """Grade a function of yours: adversarial cases, a verdict, and what is wrong with it in a sentence.

    It runs in a process of its own, from which only arrays come back; whatever it does there is a sentence of the report.
    Exits with 0 for agrees, rounding and kink, with 1 for a bug.
    """

    function: tyro.conf.Positional[str]
    """package.module:function (the current folder counts) or path/to/file.py:function."""
    kind: Annotated[str, tyro.conf.arg(name="as")]
    """The operation it should be, such as conv_backward."""
    timeout: float = TIMEOUT
    """Seconds for each case; importing the function may take three times as long."""
    memory: float = MEMORY
    """GiB that the function may use, where the system counts them."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON in place of the table."""

    def run(self, console: Console) -> int:
        """Prints the report."""
        report = grade_file(self.function, self.kind, timeout=self.timeout, memory=self.memory)
        _print(console, report, as_json=self.json)
        return 1 if report.verdict == "bug" else 0


def _print(console: Console, result: Any, *, as_json: bool) -> None:
    if as_json:
        # As it is: Rich would put pictures in place of words between colons.
        console.file.write(_writable(result.to_json(), console.encoding) + "\n")
        return
    # Through a pipe there is no width to keep to.
    shown = result if console.is_terminal else str(result)
    console.print(shown, soft_wrap=not console.is_terminal, markup=False, highlight=False, emoji=False)


def _writable(document: str, encoding: str) -> str:
    """The same JSON in characters that the encoding has."""
    try:
        document.encode(encoding)
    except UnicodeEncodeError:
        return json_format.dumps(json_format.loads(document), indent=2)
    return document
