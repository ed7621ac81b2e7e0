"""Checking gradients and operations: against autodiff, against adversarial cases, against a catalogue of known mistakes."""

from jcnn.check.compare import compare
from jcnn.check.grade import grade, grade_file
from jcnn.check.kinds import KINDS
from jcnn.check.mistakes import CATALOGUE, Mistake
from jcnn.check.report import Report, Row, Witness, Worst
from jcnn.check.testing import assert_grades

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
