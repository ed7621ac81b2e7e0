"""For Gradescope: grades what a student handed in and writes the file from which Gradescope takes score and feedback.

python -m jcnn.check.classroom.gradescope --as conv_backward

In Gradescope's container the submission lies in /autograder/submission, and the results belong in
/autograder/results/results.json.

Source: Gradescope's "Autograder Specifications", https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jcnn.check.classroom.folder import choose_file
from jcnn.check.classroom.score import OPTIONS, score_of, weights_of
from jcnn.check.grading.grade import grade_file
from jcnn.check.grading.isolated import MEMORY, TIMEOUT
from jcnn.check.report import Report
from jcnn.check.styles.adapt import STYLES
from jcnn.disk import write_atomically
from jcnn.geometry import choice

Visibility = Literal["visible", "hidden", "after_due_date", "after_published"]
VISIBILITIES: tuple[Visibility, ...] = ("visible", "hidden", "after_due_date", "after_published")


def results_of(report: Report, kind: str, *, points: float = 100.0, visibility: Visibility = "visible") -> dict[str, Any]:
    """What Gradescope reads of a report: a test for every part of the score, the diagnosis above them.

    Args:
        report: of the student's function.
        kind: what it was graded as.
        points: what the whole is worth.
        visibility: who sees the tests, and when.

    Returns:
        The content of `results.json`.

    Raises:
        ValueError: an unknown visibility.
    """
    choice("visibility", visibility, VISIBILITIES)
    score = score_of(report, kind)
    counted = {name: share for name, share in score.parts.items() if share.of}
    weights = weights_of(tuple(name for name in score.parts if name != OPTIONS))
    total = sum(weights[name] for name in counted)
    tests = [
        {
            "name": f"{kind}: {name}",
            "score": round(points * weights[name] / total * share.right / share.of, 3),
            "max_score": round(points * weights[name] / total, 3),
            "status": "passed" if share.right == share.of else "failed",
            "output": f"{share.right} of {share.of} answers are right.",
            "output_format": "text",
            "visibility": visibility,
        }
        for name, share in counted.items()
    ]
    return {
        "score": round(points * score.points / 100, 3),
        "output": str(_without_numbers(report)),
        "output_format": "text",
        "visibility": visibility,
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def failure(why: str) -> dict[str, Any]:
    """The content of `results.json` where there is nothing to grade."""
    return {
        "score": 0.0,
        "output": why,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [],
    }


def _without_numbers(report: Report) -> str:
    examples = [f"For example {finding.example}" for finding in report.findings if finding.example]
    said = [f"Verdict: {report.verdict}.", report.diagnosis, *examples, report.picture]
    if report.printed:
        said.append(f"Your code printed {report.printed}")
    return "\n\n".join(filter(None, said))


@dataclass(frozen=True)
class Autograder:
    """Grade a submission and write Gradescope's results.json."""

    kind: Annotated[str, tyro.conf.arg(name="as", metavar="KIND")]
    """The operation that the function should be, such as conv_backward."""
    function: str | None = None
    """The function's name; by default the operation's, or what the style calls it."""
    layout: Literal["NHWC", "NCHW"] | None = None
    """As in `jcnn grade`."""
    style: Literal["jcnn", "cs231n", "torch"] = "jcnn"
    """As in `jcnn grade`."""
    submission: Path = Path("/autograder/submission")
    """The folder with what the student handed in."""
    results: Path = Path("/autograder/results/results.json")
    """The file to write."""
    points: float = 100.0
    """What the whole is worth."""
    visibility: Visibility = "visible"
    """Who sees the tests, and when."""
    timeout: float = TIMEOUT
    """Seconds for each case."""
    memory: float = MEMORY
    """GiB that the submission may use."""

    def run(self) -> dict[str, Any]:
        """Grades and writes; also where the submission cannot be graded there is a file, which says why."""
        began = time.monotonic()
        function = self.function or STYLES[self.style].usual_name(self.kind)
        path, problem = choose_file(self.submission, (function,))
        if path is None:
            content = failure(problem)
        else:
            report = grade_file(
                f"{path}:{function}",
                self.kind,
                layout=self.layout,
                style=self.style,
                timeout=self.timeout,
                memory=self.memory,
            )
            content = results_of(report, self.kind, points=self.points, visibility=self.visibility)
        content["execution_time"] = round(time.monotonic() - began, 1)
        write_atomically(self.results, json.dumps(content, indent=2).encode())
        return content


def main(given: Sequence[str] | None = None) -> None:
    """Parses the command line and grades."""
    content = tyro.cli(Autograder, args=given).run()
    sys.stdout.write(f"score {content['score']:g}\n")


if __name__ == "__main__":
    main()
