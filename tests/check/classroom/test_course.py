"""The course in examples/ runs as its page says: the class as a whole, pytest, Gradescope, nbgrader and Otter."""

import json
import os
import runpy
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jcnn
from jcnn.check import grade
from jcnn.check.classroom.grade_all import grade_all
from jcnn.check.classroom.gradescope import VISIBILITIES, main, results_of
from jcnn.check.classroom.notebooks import assert_part, assert_right, points_for
from tests.draws import DEFAULT, DRAWS

COURSE = Path(jcnn.__file__).parents[1] / "examples" / "course"
SUBMISSIONS = COURSE / "submissions"


def solution_of(student: str) -> Callable[..., Any]:
    return runpy.run_path(str(SUBMISSIONS / student))["conv_backward"]


@pytest.mark.skipif(DRAWS <= DEFAULT, reason="in make test-deep; each of them is graded below, too")
def test_the_class() -> None:
    report = grade_all(SUBMISSIONS, ["conv_backward"], jobs=1)
    points = {result.submission: result.points for result in report.results}
    assert [name for name, each in points.items() if each == 100] == ["ada.py", "finn.py"]
    assert points["emil.py"] == 0
    assert dict(report.mistakes()) == {
        "windows overwrite each other": ("bela.py",),
        "mean instead of sum in db": ("chen.py",),
        "padding not cropped": ("dara",),
        "cannot be imported": ("emil.py",),
    }
    assert all(share is None for result in report.results[:-1] for share in [result.functions[0].parts["options"]])


@pytest.mark.parametrize(("student", "code"), [("ada.py", 0), ("emil.py", 1)])
def test_pytest(student: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBMISSION", str(SUBMISSIONS / student))
    test = runpy.run_path(str(COURSE / "test_assignment.py"))["test_conv_backward"]
    if code:
        with pytest.raises(AssertionError, match="No module named 'numppy'"):
            test()
    else:
        test()


def test_gradescope(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    main(["--as", "conv_backward", "--submission", str(SUBMISSIONS / "dara"), "--results", str(results)])
    made = json.loads(results.read_text())
    fields = {"score", "output", "output_format", "visibility", "stdout_visibility", "tests", "execution_time"}
    assert made.keys() == fields
    assert [test["name"] for test in made["tests"]] == [f"conv_backward: {part}" for part in ("dx", "dw", "db")]
    assert [test["status"] for test in made["tests"]] == ["failed", "passed", "passed"]
    assert made["visibility"] in VISIBILITIES
    # Without options, which the submission does not take, the outputs share all points.
    assert sum(test["max_score"] for test in made["tests"]) == pytest.approx(100)
    assert made["score"] == pytest.approx(sum(test["score"] for test in made["tests"]), abs=0.11)
    assert "padding" in made["output"]
    assert "expected dx" in made["output"]


def test_the_script_that_gradescope_runs(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    script = [str(COURSE / "gradescope" / "run_autograder"), "--submission", str(tmp_path / "in")]
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(COURSE.parents[1])}
    subprocess.run([*script, "--results", str(tmp_path / "results.json")], check=True, env=environment, capture_output=True)
    written = json.loads((tmp_path / "results.json").read_text())
    assert (written["score"], written["output"]) == (0, "There is no Python file.")


def test_gradescope_points_and_visibility() -> None:
    report = grade(lambda dy, x: dy, "relu_backward")
    made = results_of(report, "relu_backward", points=8, visibility="after_published")
    assert sum(test["max_score"] for test in made["tests"]) == pytest.approx(8, abs=1e-2)
    assert 0 < made["score"] < 8
    assert {test["visibility"] for test in made["tests"]} == {"after_published"}
    with pytest.raises(ValueError, match="visibility"):
        results_of(report, "relu_backward", visibility="seen")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("student", "points"), [("finn.py", 10), ("bela.py", None)])
def test_nbgrader(student: str, points: float | None, capsys: pytest.CaptureFixture[str]) -> None:
    # As nbgrader reads a cell: what its last line gives, if that is a number; nothing for a cell that writes to the standard
    # error stream, as warnings do.
    *lines, last = (COURSE / "nbgrader" / "test_cell.py").read_text().splitlines()
    names: dict[str, Any] = {"conv_backward": solution_of(student)}
    exec("\n".join(lines), names)  # noqa: S102 (our own example)
    got = float(eval(last, names))  # noqa: S307
    assert got == points if points else 0 < got < 10
    said = capsys.readouterr()
    assert ("overwrites" in said.out) == (points is None)
    assert not said.err


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_function_that_warns_has_its_points(capsys: pytest.CaptureFixture[str]) -> None:
    assert points_for(_warning, "relu_backward", points=10) == 10
    assert not capsys.readouterr().err


def test_nothing_right_raises() -> None:
    with pytest.raises(AssertionError, match="It raises ValueError: no"):
        points_for(_raising, "relu_backward")
    with pytest.raises(AssertionError, match="It raises ValueError: no"):
        assert_right(_raising, "relu_backward")
    with pytest.raises(ValueError, match="part='dw'"):
        assert_part(_raising, "relu_backward", "dw")


def _raising(dy: Any, x: Any) -> Any:
    raise ValueError("no")


def _warning(dy: Any, x: Any) -> Any:
    warnings.warn("slow", stacklevel=1)
    sys.stderr.write("slow\n")
    return dy * (x > 0)


class TestCase:
    """Otter's decorator, as far as a test file meets it: Otter itself is no requirement of ours."""

    __test__ = False

    def __init__(self, *, points: float, hidden: bool = False) -> None:
        self.points, self.hidden = points, hidden

    def __call__(self, function: Callable[..., None]) -> "TestCase":
        self.function = function
        return self


@pytest.mark.parametrize(
    ("student", "passed"), [("ada.py", ["dx", "dw", "db", "options"]), ("chen.py", ["dx", "dw", "options"])]
)
def test_otter(student: str, passed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    files = types.ModuleType("otter.test_files")
    files.test_case = TestCase  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "otter", types.ModuleType("otter"))
    monkeypatch.setitem(sys.modules, "otter.test_files", files)
    made = runpy.run_path(str(COURSE / "otter" / "tests" / "conv_backward.py"))
    assert made["OK_FORMAT"] is False
    cases = {name.removeprefix("test_"): case for name, case in made.items() if isinstance(case, TestCase)}
    assert sum(case.points for case in cases.values()) == 100
    solution, good = solution_of(student), []
    for name, case in cases.items():
        try:
            case.function(solution)
        except AssertionError as error:
            assert str(error).startswith(name)  # noqa: PT017
        else:
            good.append(name)
    assert good == passed
