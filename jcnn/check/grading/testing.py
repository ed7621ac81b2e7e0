"""For a course that grades with pytest: one call a task, the whole report as the failure's message.

def test_conv_backward():
    assert_grades("homework.py:conv_backward", "conv_backward")

A function itself may be given too; it then runs in pytest's own process, which it can end, or change as it likes.
"""

from collections.abc import Callable, Sequence
from typing import Any, get_args

from jcnn.check.grading.grade import grade, grade_file
from jcnn.check.report import Report, Verdict
from jcnn.geometry import choice


def assert_grades(
    candidate: Callable[..., Any] | str,
    kind: str,
    *,
    layout: str | None = None,
    style: str = "jcnn",
    allow: Sequence[Verdict] = ("agrees", "rounding", "kink"),
) -> Report:
    """Grades a candidate, and fails with the report where the verdict is not allowed. A plain function: pytest is not needed.

    Args:
        candidate: a function, as in `grade`; or where it is, as in `grade_file`, to run it in a process of its own.
        kind: as in `grade`.
        layout: as in `grade`.
        style: as in `grade`.
        allow: the verdicts to let pass.

    Returns:
        The report.

    Raises:
        AssertionError: another verdict; the message is the report as text.
        ValueError: as `grade` and `grade_file`.
        TypeError: as `grade`.
    """
    for verdict in allow:
        choice("allow", verdict, get_args(Verdict))
    __tracebackhide__ = True  # pytest shows the caller's line, not this one
    if isinstance(candidate, str):
        report = grade_file(candidate, kind, layout=layout, style=style)
    else:
        report = grade(candidate, kind, layout=layout, style=style)
    if report.verdict not in allow:
        raise AssertionError(f"{report}")
    return report
