"""`jcnn grade` as a person meets it."""

import json
from pathlib import Path

import pytest

from jcnn.commands.main import main

STUDENT = """
import numpy as np

def relu(x):
    return np.maximum(x, 0)

def relu_backward(dy, x):
    return np.maximum(dy, 0)

def kinked(dy, x):
    return dy * (x >= 0)

number = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "homework_of_a_student.py").write_text(STUDENT)
    (tmp_path / "broken_homework.py").write_text("def f(:")
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("place", "kind", "code", "said"),
    [
        pytest.param("homework_of_a_student:relu", "relu", 0, "agrees  relu as relu", id="right"),
        pytest.param("homework_of_a_student.py:relu", "relu", 0, "agrees", id="file"),
        pytest.param("homework_of_a_student:kinked", "relu_backward", 0, "derivative at 0", id="kink"),
        pytest.param("homework_of_a_student:relu_backward", "relu_backward", 1, "where dy is positive", id="bug"),
        pytest.param("nowhere_to_be_found:f", "relu", 1, "cannot be imported: ModuleNotFoundError", id="no module"),
        pytest.param("broken_homework.py:f", "relu", 1, "cannot be imported: SyntaxError", id="syntax"),
        pytest.param(
            "homework_of_a_student:rleu", "relu", 1, "has no function rleu: expected one it has, such as relu", id="typo"
        ),
        pytest.param("homework_of_a_student:number", "relu", 1, "has no function number", id="no function"),
    ],
)
def test_grade(place: str, kind: str, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("grade", place, "--as", kind) == code
    assert said in capsys.readouterr().out


def test_grade_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("grade", "homework_of_a_student:relu_backward", "--as", "relu_backward", "--json") == 1
    assert json.loads(capsys.readouterr().out)["mistakes"] == ["mask by the sign of dy"]


@pytest.mark.parametrize(
    ("place", "kind", "message"),
    [
        pytest.param("homework_of_a_student", "relu", "expected package.module:function", id="no colon"),
        pytest.param("nowhere.py:f", "relu", "no file nowhere.py", id="no file"),
        pytest.param("homework_of_a_student:relu", "rleu", "kind='rleu': expected one of", id="unknown kind"),
    ],
)
def test_errors_take_one_line(place: str, kind: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("grade", place, "--as", kind) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


CHANNELS_FIRST = """
import numpy as np

def conv(x, w, b=None, stride=1, pad=0):
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("ncijab,ocab->noij", windows, w)
    return y if b is None else y + b[:, None, None]
"""


def test_a_layout_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    Path("first.py").write_text(CHANNELS_FIRST)
    assert run("grade", "first.py:conv", "--as", "conv", "--layout", "NCHW") == 0
    assert "agrees" in capsys.readouterr().out
    assert run("grade", "first.py:conv", "--as", "conv") == 1


def test_what_is_expected_is_printed_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("grade", "--as", "conv_backward", "--signature") == 0
    signature, *lines = capsys.readouterr().out.splitlines()
    assert signature.startswith("conv_backward(dy, x, w, *, stride=1, padding=0")
    assert "def conv_backward(dy, x, w, stride=1, padding=0):" in lines
    assert sum(line.split()[:5] == ["dy", "(N,", "H_out,", "W_out,", "C_out)"] for line in lines) == 1
    assert run("grade", "--as", "max_pool_backward", "--signature", "--style", "cs231n") == 0
    assert "max_pool_backward_naive(dout, cache) -> dx" in capsys.readouterr().out


def test_without_a_function_there_is_nothing_to_grade(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("grade", "--as", "relu") == 2
    assert "give the function to grade" in capsys.readouterr().err


def test_a_hint_gives_no_more_than_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for level in "123":
        for form in ((), ("--json",)):
            assert run("grade", "homework_of_a_student:relu_backward", "--as", "relu_backward", "--hint", level, *form) == 1
            said.append(capsys.readouterr().out)
    where, what, how = said[::2]
    assert where.startswith("Look at dx: it is wrong in every call.")
    assert where.strip() in what
    assert what.strip() in how
    for text in said[:4]:
        assert "sign of x" not in text
        assert "right is" not in text
    for text, packed in zip(said[::2], said[1::2], strict=True):
        assert json.loads(packed) == {"verdict": "bug", "hint": text.strip()}


def test_a_page_of_the_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("grade", "homework_of_a_student:relu_backward", "--as", "relu_backward", "--html", "page.html")
    assert run(*asked) == 1
    page = (folder / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "whether it passes is decided by the sign of x" in page
    capsys.readouterr()
    assert run(*asked, "--hint", "1") != 0
    assert "give one of them" in capsys.readouterr().err
