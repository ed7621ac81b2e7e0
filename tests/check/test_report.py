"""Reports as values, tables and JSON."""

import json

import numpy as np
from rich.console import Console

from jcnn.check import Report, Row, Witness, Worst, formulas, grade

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
