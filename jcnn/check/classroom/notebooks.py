"""For notebooks: cells that nbgrader and Otter grade by.

In nbgrader a test cell that raises gets no points, and one whose last line is a number gets that many; so a cell ends with

points_for(conv_backward, "conv_backward", points=10)

In an Otter test file every part of the score can be a test case of its own, by `assert_part`; see examples/course/otter/.
The student's function runs in the notebook's process, as everything in a notebook does.

Sources: nbgrader's documentation, "Autograder tests" cells and partial credit; Otter-Grader's documentation, "exception-based
test files".
"""

import contextlib
import sys
from collections.abc import Callable
from typing import Any

from jcnn.check.classroom.score import score_of
from jcnn.check.grading.grade import grade
from jcnn.check.report import Report
from jcnn.geometry import choice


def points_for(
    candidate: Callable[..., Any], kind: str, points: float = 100.0, *, layout: str | None = None, style: str = "jcnn"
) -> float:
    """The points for a function, for the last line of a cell; what is wrong is printed.

    Nothing goes to the standard error stream, not even what the function or JAX writes there: nbgrader gives no points to a
    cell in which something does.

    Args:
        candidate: the student's function.
        kind: what it should be, such as `"conv_backward"`.
        points: what the cell is worth.
        layout: as in `grade`.
        style: as in `grade`.

    Raises:
        AssertionError: not one answer is right; the message is the diagnosis.
        ValueError: as `grade`.
        TypeError: as `grade`.
    """
    with contextlib.redirect_stderr(sys.stdout):
        report = grade(candidate, kind, layout=layout, style=style)
    share = score_of(report, kind).points / 100
    if share == 0:
        raise AssertionError(message_of(report))
    if report.verdict == "bug":
        sys.stdout.write(f"{message_of(report)}\n")
    return round(points * share, 2)


def assert_right(candidate: Callable[..., Any], kind: str, *, layout: str | None = None, style: str = "jcnn") -> None:
    """Raises with the diagnosis where a function is wrong.

    Args:
        candidate: the student's function.
        kind: what it should be.
        layout: as in `grade`.
        style: as in `grade`.

    Raises:
        AssertionError: it has a bug.
        ValueError: as `grade`.
        TypeError: as `grade`.
    """
    report = grade(candidate, kind, layout=layout, style=style)
    if report.verdict == "bug":
        raise AssertionError(message_of(report))


def assert_part(candidate: Callable[..., Any], kind: str, part: str, *, layout: str | None = None, style: str = "jcnn") -> None:
    """Raises with the diagnosis where a part of the score is not full, so that each can be a test of its own.

    Args:
        candidate: the student's function.
        kind: what it should be.
        part: an output, such as `"dx"`, or `"options"`.
        layout: as in `grade`.
        style: as in `grade`.

    Raises:
        AssertionError: an answer of this part is wrong.
        ValueError: there is no such part; and as `grade`.
        TypeError: as `grade`.
    """
    report = grade(candidate, kind, layout=layout, style=style)
    parts = score_of(report, kind).parts
    choice("part", part, tuple(parts))
    if parts[part].right < parts[part].of:
        right = f"{part}: {parts[part].right} of {parts[part].of} answers are right."
        raise AssertionError(f"{right}\n\n{message_of(report)}")


def message_of(report: Report) -> str:
    """What a student reads: the diagnosis, a number worked out, the smallest failing case."""
    examples = [f"For example {finding.example}" for finding in report.findings if finding.example]
    return "\n\n".join(filter(None, [report.diagnosis, *examples, report.picture])) or f"Verdict: {report.verdict}."
