"""`jcnn grade`: a verdict on a function of somebody's own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from jcnn.check.grading.grade import grade_file
from jcnn.check.grading.isolated import MEMORY, TIMEOUT
from jcnn.check.hints import LEVELS
from jcnn.check.operations import kind_of
from jcnn.check.styles.adapt import STYLES
from jcnn.check.styles.expected import expected
from jcnn.check.styles.layouts import LAYOUTS
from jcnn.commands.choices import one_of
from jcnn.disk import write_atomically
from jcnn.endings import UsageError
from jcnn.printing import plain, print_result


@dataclass(frozen=True)
class Grade:
    """Grade a function of yours: adversarial cases, a verdict, and what is wrong with it in a sentence.

    It runs in a process of its own, from which only arrays come back; whatever it does there is a sentence of the report.
    Exits with 0 for agrees, rounding and kink, with 1 for a bug.
    """

    kind: Annotated[str, tyro.conf.arg(name="as")]
    """The operation it should be, such as conv_backward."""
    function: tyro.conf.Positional[str] = ""
    """package.module:function (the current folder counts) or path/to/file.py:function."""
    layout: Annotated[Literal["NHWC", "NCHW"] | None, one_of(*LAYOUTS)] = None
    """Where the channels are: NHWC, or NCHW with filters (C_out, C_in, FH, FW); by default as the style has them."""
    style: Annotated[Literal["jcnn", "cs231n", "torch"], one_of(*STYLES)] = "jcnn"
    """How it is written: as jcnn's own; as conv_forward_naive(x, w, b, conv_param) and conv_backward_naive(dout, cache) of
    Stanford's course; as a subclass of torch.autograd.Function. The last two are NCHW by default."""
    signature: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print what is expected of such a function, and grade nothing."""
    hint: Annotated[Literal[1, 2, 3] | None, one_of(*LEVELS)] = None
    """Help step by step in place of the report: where it is wrong; what is seen there; how it differs."""
    html: Path | None = None
    """Write the report to this file too, as a page that needs nothing else."""
    timeout: float = TIMEOUT
    """Seconds for each case; importing the function may take three times as long."""
    memory: float = MEMORY
    """GiB that the function may use, where the system counts them."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON in place of the table."""

    def run(self, console: Console) -> int:
        """Prints the report."""
        if self.signature:
            _print_lines(console, str(expected(kind_of(self.kind), self.layout or STYLES[self.style].layout, self.style)))
            return 0
        if not self.function:
            raise UsageError("give the function to grade: package.module:function or path/to/file.py:function")
        if self.html and self.hint:
            raise UsageError("--html is the whole report, and --hint is less: give one of them")
        report = grade_file(
            self.function, self.kind, layout=self.layout, style=self.style, timeout=self.timeout, memory=self.memory
        )
        if self.hint is None:
            print_result(console, report, as_json=self.json)
        else:
            hint = report.hint(self.hint)
            text = json.dumps({"verdict": report.verdict, "hint": hint}, ensure_ascii=False) if self.json else hint
            _print_lines(console, text)
        if self.html:
            from jcnn.figures.graded import render_report

            write_atomically(self.html, render_report(report).encode())
        return 1 if report.verdict == "bug" else 0


def _print_lines(console: Console, text: str) -> None:
    for line in text.splitlines():
        console.print(plain(line), soft_wrap=True)
