"""Classes and their tools in the layout and style of another course."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade
from jcnn.check.classroom.grade_all import grade_all
from jcnn.check.classroom.gradescope import main
from jcnn.check.classroom.notebooks import assert_part, assert_right, points_for
from jcnn.check.classroom.worker import summarise

Array = np.ndarray

AFFINE = """
def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w, b)

def affine_backward(dout, cache):
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(0)
"""


@pytest.fixture
def submissions(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.py").write_text(AFFINE)
    (tmp_path / "in" / "bob.py").write_text(AFFINE.replace("dout.sum(0)", "dout[0]"))
    return tmp_path / "in"


def test_a_class_in_another_style_finds_its_functions(submissions: Path) -> None:
    report = grade_all(submissions, ["dense_backward"], jobs=1, options={"style": "cs231n"})
    verdicts = {result.submission: [graded.verdict for graded in result.functions] for result in report.results}
    assert verdicts == {"ada.py": ["agrees"], "bob.py": ["bug"]}
    assert all("first example" in mistake for result in report.results for mistake in result.functions[0].mistakes)
    with pytest.raises(ValueError, match="style='keras'"):
        grade_all(submissions, ["dense"], options={"style": "keras"})


def test_gradescope_in_another_style(submissions: Path, tmp_path: Path) -> None:
    (submissions / "bob.py").unlink()
    results = tmp_path / "results.json"
    main(["--as", "dense_backward", "--style", "cs231n", "--submission", str(submissions), "--results", str(results)])
    assert json.loads(results.read_text())["score"] == 100


def pool(x: Array) -> Array:
    return x.mean((2, 3))


def test_cells_of_a_notebook_in_another_layout() -> None:
    assert points_for(pool, "global_avg_pool", 10, layout="NCHW") == 10
    assert_right(pool, "global_avg_pool", layout="NCHW")
    assert_part(pool, "global_avg_pool", "y", layout="NCHW")
    with pytest.raises(AssertionError, match="written for the layout NCHW"):
        points_for(pool, "global_avg_pool", 10)


@pytest.mark.parametrize(
    ("candidate", "kind", "called"),
    [
        pytest.param(pool, "global_avg_pool", "written for another layout", id="layout"),
        pytest.param(lambda dout, cache: dout, "dense_backward", "written in another style", id="style"),
        pytest.param(lambda x, w, dy: (x, w, dy), "dense_backward", "arguments in another order", id="order"),
        pytest.param(lambda x: x, "dense_backward", "another signature", id="signature"),
        pytest.param(lambda dy, x, w: (dy, x), "dense_backward", "wrong number of outputs", id="outputs"),
    ],
)
def test_for_a_class_they_have_short_names(candidate: object, kind: str, called: str) -> None:
    assert summarise(grade(candidate, kind), kind).mistakes == (called,)  # pyright: ignore[reportArgumentType]


def test_a_function_whose_helper_was_mended_is_graded_again() -> None:
    """In a notebook the cell of a helper is run again, and the function that calls it stays the same."""
    space = {"np": np}
    exec("def helper(x):\n    return x\n\n\ndef relu(x):\n    return helper(x)\n", space)  # noqa: S102 (our own words)
    relu: Any = space["relu"]
    with pytest.raises(AssertionError):
        assert_right(relu, "relu")
    exec("def helper(x):\n    return np.maximum(x, 0)\n", space)  # noqa: S102
    assert_right(relu, "relu")
    assert_part(relu, "relu", "y")
    assert points_for(relu, "relu", 10) == 10


@dataclass
class Relu:
    """Has no hash."""

    slope: float = 0.0

    def __call__(self, x: Any) -> Any:
        return np.where(x > 0, x, self.slope * x)


def test_what_can_be_called_need_have_no_hash() -> None:
    layer = Relu()
    assert points_for(layer, "relu") == 100
    layer.slope = 0.1
    with pytest.raises(AssertionError):
        assert_right(layer, "relu")
