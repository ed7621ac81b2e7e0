"""Reports as values, tables and JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from jcnn.check import Report, Row, Witness, Worst, formulas, grade
from jcnn.check.report import Finding, left_out_in_short

ROW = Row("a case", "bug", "dx", 1.0, float("inf"), 3.0, 2.0, 1, Worst("dx", (0, 1), 1.0, float("nan")))
REPORT = Report(
    "f as conv", "bug", "It is [wrong].", ROW.worst, (ROW,), ("dy ignored",), ("takes no b",), "1 2", (Witness("w", None, "x"),)
)


def test_json() -> None:
    read = json.loads(REPORT.to_json())
    assert read == REPORT.to_dict()
    assert read["worst"] == {"leaf": "dx", "index": [0, 1], "expected": 1.0, "got": "nan"}
    assert read["rows"][0]["relative"] == "inf"
    graded = grade(lambda x: np.abs(x), "relu")
    assert json.loads(graded.to_json()) == graded.to_dict()


def test_the_diagnosis_comes_first_then_an_example_and_the_picture_and_the_numbers_last() -> None:
    finding = Finding("dx", "dx: a factor", "every term is multiplied by 2", "dx[0] = 2·dy[0]; right is dy[0]")
    report = replace(REPORT, findings=(finding,), picture="a picture of numbers")
    text = str(report)
    parts = ("bug  f as conv", "It is [wrong].", "for example dx[0] = 2", "a picture of numbers", "max error", "left out:")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("reasons", "short"),
    [
        pytest.param(("takes no b",), "takes no b", id="no brackets"),
        pytest.param(("takes no b (one; two)",), "takes no b (2 cases)", id="named"),
        pytest.param(("takes no b (padding (1, 0); two)",), "takes no b (2 cases)", id="names with brackets"),
        pytest.param(("not implemented (no tiles) (one)",), "not implemented (no tiles) (1 case)", id="reason with brackets"),
        pytest.param(
            ("a (one)", "b (40 cases)", "c (x; y)", "d (z)", "e (7 cases)"),
            "b (40 cases), e (7 cases), c (2 cases), 2 more cases",
            id="the commonest first",
        ),
    ],
)
def test_what_was_left_out_takes_one_short_line(reasons: tuple[str, ...], short: str) -> None:
    assert left_out_in_short(reasons) == short


def test_the_worst_is_a_tuple() -> None:
    assert REPORT.worst
    leaf, index, expected, _ = REPORT.worst
    assert (leaf, index, expected) == ("dx", (0, 1), 1.0)


def test_a_table_one_reads_at_a_glance() -> None:
    lines = str(REPORT).splitlines()
    assert lines[0] == "bug  f as conv"
    assert any("dx[0, 1]: 1 → nan" in line for line in lines)
    assert "It is [wrong]." in lines
    assert "1 elements lie at kinks and were set apart" in lines
    assert "left out: takes no b" in lines
    with Console(width=100).capture() as captured:
        Console(width=100).print(REPORT)
    assert captured.get() is not None
    assert str(grade(formulas.dense, "dense")).startswith("agrees")
