"""`jcnn grade-all` as a teacher meets it: one hostile class, graded once."""

import csv
import json
import re
import tempfile
from pathlib import Path

import pytest

from jcnn.check.classroom.grade_all import ClassReport, harmless
from jcnn.check.classroom.submission import Graded, Result
from jcnn.figures.classroom import class_mistakes
from tests.commands.running import run
from tests.draws import DEFAULT, DRAWS

RIGHT = "import numpy as np\n\ndef relu_backward(dy, x):\n    return dy * (x > 0)\n"
WRONG = RIGHT.replace("(x > 0)", "(dy > 0)")
NASTY = "=cmd|' \"<script>alert(1)<b>.py"

DEEP = DRAWS > DEFAULT
JOBS = "2" if DEEP else "1"

CLASS = {
    "ada.py": (100, "agrees", ""),
    "crash.py": (None, "bug", "crashes"),
    "crashes in every third call.py": (None, "bug", "crashes"),
    "exit.py": (0, "bug", "cannot be imported"),
    "forks.py": (50, "bug", "starts processes"),
    "hang.py": (0, "bug", "takes too long"),
    "kills the grader.py": (0, "bug", "ends the grader"),
    "numpy.py": (100, "agrees", ""),
    "random.py": (100, "agrees", ""),
    "prints.py": (100, "agrees", ""),
    **({"slow.py": (0, "bug", "takes too long")} if DEEP else {}),
    "syntax.py": (0, "bug", "cannot be imported"),
    "typo.py": (0, "bug", "the function is missing"),
    "uses random.py": (100, "agrees", ""),
    "zoe": (None, "bug", "mask by the sign of dy"),
    NASTY: (None, "bug", "mask by the sign of dy"),
}
CODE = {
    "ada.py": RIGHT,
    "crash.py": RIGHT.replace("    return", "    import os; os.abort()\n    return"),
    "crashes in every third call.py": "calls = []\n"
    + RIGHT.replace("    return", "    import os; calls.append(1); len(calls) == 3 and os.abort()\n    return"),
    "exit.py": "import os\nos._exit(0)\n",
    "forks.py": RIGHT.replace("    return", "    import os; os.fork()\n    return"),
    "hang.py": RIGHT.replace("    return", "    while True: pass\n    return"),
    "kills the grader.py": RIGHT.replace("    return", "    import os; os.kill(os.getppid(), 9)\n    return"),
    "numpy.py": RIGHT,
    "random.py": RIGHT,
    "prints.py": RIGHT.replace("    return", "    print('=' * 100_000)\n    return"),
    **({"slow.py": RIGHT.replace("    return", "    import time; time.sleep(0.9)\n    return")} if DEEP else {}),
    "syntax.py": "def relu_backward(:",
    "typo.py": "def rleu_backward(dy, x): return dy",
    "uses random.py": "import random\nassert random.random() < 1\n" + RIGHT,
    "zoe/work.py": WRONG,
    NASTY: WRONG,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    place = tmp_path_factory.mktemp("class")
    for name, text in CODE.items():
        (place / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "in" / name).write_text(text)
    files = [f"--{form}={place / f'out.{form}'}" for form in ("csv", "json", "html")]
    limits = ["--jobs", JOBS, "--timeout", "1", "--limit", "6"]
    (place / "temporary").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(place / "temporary"))
        code = run("grade-all", str(place / "in"), "--as", "relu_backward", *limits, *files)
    return place, code


def test_each_gets_what_it_deserves_whatever_the_others_do(made: tuple[Path, int]) -> None:
    place, code = made
    found = json.loads((place / "out.json").read_text())["submissions"]
    got = {each["submission"]: each for each in found}
    assert got.keys() == CLASS.keys()
    assert code == 1
    for name, (score, verdict, mistake) in CLASS.items():
        assert got[name]["verdict"] == verdict, name
        assert score is None or got[name]["score"] == score, name
        assert "; ".join(got[name]["functions"][0]["mistakes"]) == mistake, name
    # Its process is started three times: six cases are answered, three crash, and those never run count as wrong as well.
    assert 0 < got["crashes in every third call.py"]["score"] < 60
    assert found == sorted(found, key=lambda each: (-each["score"], each["submission"].casefold()))
    assert list((place / "in").rglob("__pycache__")) == []
    assert list((place / "temporary").iterdir()) == []


@pytest.mark.skipif(not DEEP, reason="in make test-deep")
def test_the_limit_of_a_submission_is_told(made: tuple[Path, int]) -> None:
    found = json.loads((made[0] / "out.json").read_text())["submissions"]
    (slow,) = (each for each in found if each["submission"] == "slow.py")
    assert slow["functions"][0]["diagnosis"] == "It takes longer than the 6 s it has altogether."


def test_csv_is_safe_and_complete(made: tuple[Path, int]) -> None:
    with (made[0] / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["submission", "file", "score", "verdict", "relu_backward.dx", "relu_backward.options"]
    assert list(rows[0]) == [*names, "mistakes", "diagnosis", "seconds"]
    assert {row["submission"] for row in rows} == {harmless(name) for name in CLASS}
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_the_page_shows_names_as_text_and_needs_nothing(made: tuple[Path, int]) -> None:
    page = (made[0] / "out.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;b&gt;.py" in page
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert page.count("<details id=") == len(CLASS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        *[pytest.param(f"{sign}1", f"'{sign}1", id=repr(sign)) for sign in ("=", "+", "-", "@", "\t", "\r", "  =", "\n")],
        pytest.param("1 = 1", "1 = 1", id="harmless"),
        pytest.param("", "", id="empty"),
    ],
)
def test_harmless(text: str, shown: str) -> None:
    assert harmless(text) == shown


def report(*points: float) -> ClassReport:
    names = [f"s{place}" for place in range(len(points))]
    graded = [
        Graded("relu", "agrees" if each == 100 else "bug", each, {"y": each / 100, "options": None}, "", ("m",) * (each < 100))
        for each in points
    ]
    return ClassReport(("relu",), tuple(Result(name, name, (each,)) for name, each in zip(names, graded, strict=True)))


def test_mistakes_are_counted_once_a_submission_and_drawn() -> None:
    found = report(100, 20, 10).mistakes()
    assert found == [("m", ("s1", "s2"))]
    (bar,) = class_mistakes([("m", 2)]).axes[0].patches
    assert bar.get_width() == 2  # pyright: ignore[reportAttributeAccessIssue]
    (said,) = class_mistakes([]).axes[0].texts
    assert said.get_text().startswith("No mistakes")


@pytest.mark.parametrize(("least", "code"), [("0", 0), ("60", 1)])
def test_fail_under(least: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jcnn.commands.grade_all.grade_all", lambda *_, **__: report(100, 55))
    assert run("grade-all", str(tmp_path), "--as", "relu", "--fail-under", least) == code


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["--as", "rleu"], 1, "kind='rleu'", id="kind"),
        pytest.param(["--as", "relu", "--jobs", "0"], 1, "jobs=0", id="jobs"),
        pytest.param(["--as", "relu", "--limit", "0"], 1, "limit=0", id="limit"),
        pytest.param(["--as", "relu", "--function", "a", "--function", "b"], 1, "expected 1", id="functions"),
        pytest.param(["--as", "relu", "--csv", "nowhere/a.csv"], 2, "no folder nowhere", id="folder of a file"),
        pytest.param(["--as", "relu"], 1, "nothing to grade", id="empty"),
    ],
)
def test_errors_take_one_line(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("grade-all", str(tmp_path), *arguments) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
