"""Checking gradients and operations: against autodiff, against adversarial cases, against a catalogue of known mistakes."""

from jcnn.check.comparing.compare import compare
from jcnn.check.grading.grade import grade, grade_file
from jcnn.check.grading.testing import assert_grades
from jcnn.check.mistakes import CATALOGUE, Mistake
from jcnn.check.operations import KINDS
from jcnn.check.report import Report, Row, Witness, Worst

__all__ = [
    "CATALOGUE",
    "KINDS",
    "Mistake",
    "Report",
    "Row",
    "Witness",
    "Worst",
    "assert_grades",
    "compare",
    "grade",
    "grade_file",
]
