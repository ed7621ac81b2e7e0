"""Where one sentence ends another begins, whatever a candidate's exception says."""

from pathlib import Path

import pytest

from jcnn.check import grade_file
from jcnn.check.grading.sentences import joined


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        pytest.param(["It raises E: 3 given", "Its forward too."], "It raises E: 3 given. Its forward too.", id="none"),
        pytest.param(["One.", "", "Two?", "Three"], "One. Two? Three", id="some"),
        pytest.param(["", ""], "", id="nothing"),
        pytest.param([], "", id="no part"),
    ],
)
def test_joined(parts: list[str], text: str) -> None:
    assert joined(parts) == text


def test_a_forward_that_raises_follows_its_backward(tmp_path: Path) -> None:
    (tmp_path / "homework.py").write_text(
        "def relu_forward(x):\n    raise ValueError('no')\n\n\n"
        "def relu_backward(dout, cache):\n    raise TypeError('3 were given')\n"
    )
    diagnosis = grade_file(f"{tmp_path}/homework.py:relu_backward", "relu_backward", style="cs231n").diagnosis or ""
    assert "3 were given (line 6). Its forward relu_forward is wrong as well: It raises ValueError: no" in diagnosis
