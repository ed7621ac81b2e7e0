"""What must hold of the hints of every report in which something is wrong."""

import re

import numpy as np

from jcnn.check import Report

FORMULA = re.compile(r"[=·^√Σ∂σ]|\w\[|\w \+ |\w − |\w / \w")


def expect_steps(report: Report) -> tuple[str, str, str]:
    """Each level says all of the one before it and more; only the third gives the rule, and the first has no formula."""
    where, what, how = (report.hint(level) for level in (1, 2, 3))
    assert where
    assert not FORMULA.search(where), where
    assert set(where.splitlines()) < set(what.splitlines()) < set(how.splitlines()), how
    assert report.diagnosis
    assert report.diagnosis in how
    for given_away in (report.diagnosis, *(finding.rule for finding in report.findings)):
        assert given_away not in what
    for symptom in report.symptoms:
        assert symptom.what not in where
        assert not symptom.example or symptom.example not in what
    for finding in report.findings:
        assert not finding.about or finding.about not in where
        assert not finding.example or finding.example not in what
    if any(0 < row.error < np.inf for row in report.rows if row.verdict != "agrees"):
        assert "For example " in how
    return where, what, how
