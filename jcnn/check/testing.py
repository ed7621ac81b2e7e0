"""For a course that grades with pytest: one call a task, the whole report as the failure's message.

def test_conv_backward():
    assert_grades(student.conv_backward, "conv_backward")
"""

from collections.abc import Callable, Sequence
from typing import Any

from jcnn.check.grade import grade
from jcnn.check.report import Report, Verdict


def assert_grades(
    candidate: Callable[..., Any], kind: str, *, allow: Sequence[Verdict] = ("agrees", "rounding", "kink")
) -> Report:
    """Grades a candidate, and fails with the report where the verdict is not allowed. A plain function: pytest is not needed.

    Args:
        candidate: as in `grade`.
        kind: as in `grade`.
        allow: the verdicts to let pass.

    Returns:
        The report.

    Raises:
        AssertionError: another verdict; the message is the report as text.
        ValueError: as `grade`.
        TypeError: as `grade`.
    """
    __tracebackhide__ = True  # pytest shows the caller's line, not this one
    report = grade(candidate, kind)
    if report.verdict not in allow:
        raise AssertionError(f"{report}")
    return report
