"""Candidates that ask for a verdict they have not earned, and honest ones that must not be taken for those."""

import inspect
import io
import json
import os
import signal
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.check import assert_grades, grade_file
from jcnn.check.grading import messages
from jcnn.check.grading.candidate_process import pack
from jcnn.check.grading.left_out import must_take
from jcnn.check.operations import KINDS, kind_of
from jcnn.commands.main import main
from tests.draws import draws

RELU_CASES = len(kind_of("relu").cases)
ASKED_AGAIN = 256 - RELU_CASES
RELU = "import numpy as np\n\ndef relu(x):\n    return np.maximum(x, 0)\n"
WRONG = "def relu(x):\n    return x + 1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def graded(capsys: pytest.CaptureFixture[str], source: str, kind: str = "relu", *options: str) -> tuple[int, dict[str, object]]:
    """The exit code and the report of `jcnn grade --json`, whose standard output is one JSON document and nothing else."""
    Path("homework.py").write_text(textwrap.dedent(source))
    with pytest.raises(SystemExit) as end:
        main(["grade", f"homework.py:{kind}", "--as", kind, "--json", *options])
    said = capsys.readouterr()
    assert not said.err
    code = end.value.code
    assert isinstance(code, int)
    return code, json.loads(said.out)


CRASHES = {
    "exit code 0": ("import os; os._exit(0)", "ends its process (exit code 0)"),
    "exit code 3": ("import os; os._exit(3)", "ends its process (exit code 3)"),
    "closed channel and no end": ("import os, time; os.close(4); time.sleep(99)", "closes the channel to the grader"),
    "killed": ("import os; os.kill(os.getpid(), 9)", "is ended by SIGKILL"),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", "is ended by SIGSEGV (it touched memory that is not its own)"),
    "aborted": ("import os; os.abort()", "is ended by SIGABRT"),
    "SystemExit": ("raise SystemExit", "raises SystemExit"),
    "sys.exit": ("import sys; sys.exit(0)", "raises SystemExit: 0"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "raises KeyboardInterrupt: (no message)"),
    "GeneratorExit": ("raise GeneratorExit('no')", "raises GeneratorExit: no"),
    "endless recursion": ("return relu(x)", "raises RecursionError"),
    "want of memory": ("import numpy; numpy.empty(6 * 2**27)", "raises MemoryError: Unable to allocate 6.00 GiB"),
    "a signal of its own": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "is ended by SIGTERM"),
    "closed channel": ("import os; os.closerange(0, 99)", "ends its process (exit code 1)"),
    "hidden message": (
        """
    class Hidden(Exception):
        def __str__(self): raise SystemExit(0)
        __repr__ = __str__
    raise Hidden""",
        "raises Hidden: (its message cannot be read)",
    ),
    "escapes in a message": ("raise ValueError('\\033[2J \\udc80' + 'x' * 10**6)", "raises ValueError: \ufffd[2J \ufffdxxx"),
    "no arrays": (
        """
    class Lazy:
        def __array__(self, *args, **options): raise SystemExit(0)
    return Lazy()""",
        "raises SystemExit: 0",
    ),
    "says it is a tuple": (
        """
    class Liar:
        __class__ = tuple
        def __eq__(self, other): return True
    return Liar()""",
        "raises TypeError",
    ),
    "far too large": ("import numpy; return numpy.broadcast_to(1.0, (2**40, 3))", "far more numbers than any case asks for"),
}


if sys.platform != "linux":
    del CRASHES["want of memory"]  # memory is limited in Linux only


@pytest.mark.parametrize("name", CRASHES)
def test_a_call_that_does_not_return(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one case only, and right in all others, which are still graded."""
    statement, sentence = CRASHES[name]
    body = textwrap.indent(textwrap.dedent(statement).strip(), " " * 8)
    source = RELU.replace("    return", f"    if x.size == 1:\n{body}\n    return")
    code, report = graded(capsys, source)
    assert (code, report["verdict"]) == (1, "bug")
    assert sentence in str(report["diagnosis"])
    assert f"It fails in 1 of {RELU_CASES} cases" in str(report["diagnosis"])
    assert len(str(report["diagnosis"])) < 1000


def test_a_call_from_which_two_processes_return(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = graded(capsys, RELU.replace("return", "import os; os.fork(); return"))
    assert (code, report["verdict"]) == (1, "bug")
    assert report["diagnosis"] == "It forks, and both processes go on."


def test_a_process_that_ends_in_every_case_is_not_started_for_ever() -> None:
    Path("leaving.py").write_text("import os\ndef relu(x):\n    os._exit(0)\n")
    report = grade_file("leaving.py:relu", "relu")
    assert report.verdict == "bug"
    assert report.diagnosis == 'In the case "one number" it ends its process (exit code 0).'
    assert report.left_out == (f"not run, as its process had ended 3 times ({RELU_CASES - 3} cases)",)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        pytest.param("import os\nos._exit(0)", "homework.py ends its process (exit code 0) while it is imported", id="exit"),
        pytest.param("import sys\nsys.exit(0)", "homework.py cannot be imported: SystemExit: 0", id="sys.exit"),
        pytest.param("raise KeyboardInterrupt", "homework.py cannot be imported: KeyboardInterrupt", id="interrupt"),
        pytest.param("import os\nos.kill(os.getpid(), 11)", "is ended by SIGSEGV", id="crash"),
        pytest.param("import time\ntime.sleep(99)", "takes longer than the 3 s it has while it is imported", id="slow"),
        pytest.param("import os\nos.fork()\n" + RELU, "It forks, and both processes go on.", id="forked"),
    ],
)
def test_an_import_that_does_not_return(source: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = graded(capsys, source, "relu", *(["--timeout", "1"] if "sleep" in source else []))
    assert (code, report["verdict"]) == (1, "bug")
    assert sentence in str(report["diagnosis"])


JUDGE = """
import sys, jcnn.check
room = sys.modules["jcnn.check.grading.grade"]
judge = room.judge
room.judge = lambda case, leaf, expected, got, *a, **o: judge(case, leaf, expected, expected.value, *a, **o)
"""
WORST = """
import sys, jcnn.check
sys.modules["jcnn.check.grading.grade"].worst_verdict = lambda verdicts: "agrees"
"""
PATCHES = {
    "exit at the end": "import atexit, os; atexit.register(lambda: os._exit(0))",
    "a thread that exits": "import os, threading; threading.Timer(60, lambda: os._exit(0)).start()",
    "NumPy": "import numpy as np; np.abs = lambda x, *a, **o: 0 * x; np.allclose = np.array_equal = lambda *a, **o: True",
    "builtins": "import builtins; builtins.max = min; builtins.isinstance = lambda *a: True",
    "json": 'import json; json.dumps = lambda *a, **o: \'{"verdict": "agrees"}\'',
    "the command's exit": "import sys; sys.exit = sys.excepthook = lambda *a: None",
    "standard output": "import sys; sys.stdout = sys.stderr = None; sys.stdin.close()",
    "folder and environment": "import os; os.chdir('/'); os.environ.clear()",
}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(JUDGE + WRONG, id="jcnn's judge, imported"),
        pytest.param(WORST + WRONG, id="jcnn's verdict, imported"),
        *(pytest.param(f"{patch}\n{WRONG}", id=f"{name}, imported") for name, patch in PATCHES.items()),
        *(
            pytest.param(WRONG.replace("return", f"{patch}\n    return"), id=f"{name}, called")
            for name, patch in PATCHES.items()
        ),
    ],
)
def test_a_verdict_cannot_be_patched(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = graded(capsys, source)
    assert (code, report["verdict"]) == (1, "bug")


FORGERIES = {
    "garbage": "os.write(4, b'x' * 10**5)",
    "a huge length": "os.write(4, b'\\xff' * 4)",
    "a deep text": "t = b'[' * 60000; os.write(4, len(t).to_bytes(4, 'big') + t)",
    "no object": "os.write(4, (2).to_bytes(4, 'big') + b'[]')",
    "a huge shape": "say({'case': 0, 'shapes': [[2**40, 2**40]], 'dtypes': ['float64'], 'raised': False})",
    "a negative shape": "say({'case': 0, 'shapes': [[-1]], 'dtypes': ['float64'], 'raised': False})",
    "a shape of words": "say({'case': 0, 'shapes': [['1']], 'dtypes': ['float64'], 'raised': False})",
    "many arrays": "say({'case': 0, 'shapes': [[0]] * 999, 'dtypes': ['float64'] * 999, 'raised': False})",
    "no arrays": "say({'case': 0, 'shapes': [], 'dtypes': [], 'raised': False}); time.sleep(99)",
    "no reason": "say({'case': 0, 'shapes': [[1, 1]], 'dtypes': ['float64'], 'raised': True}, bytes(8)); time.sleep(99)",
    "another case": "say({'case': 5, 'shapes': [[1, 1]], 'dtypes': ['float64'], 'raised': False}, bytes(8)); time.sleep(99)",
    "two answers": "say({'case': 0, 'shapes': [[1, 1]], 'dtypes': ['float64'], 'raised': False}, bytes(8))",
    "an answer after the last": "os.fork() or (time.sleep(0.1), say({'case': 5}), os._exit(0))",
    "half an answer": "say({'case': 0, 'shapes': [[9]], 'dtypes': ['float64'], 'raised': False}); os._exit(0)",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_answer_is_a_sentence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Descriptor 4 is the channel's: a candidate can find it, but has nothing to gain there."""
    source = f"""
import json, os, time
import numpy as np

def say(header, numbers=b""):
    text = json.dumps(header).encode()
    os.write(4, len(text).to_bytes(4, "big") + text + numbers)

def relu(x):
    if x.shape == {(1, 6) if "after the last" in name else (1, 1)}:
        {FORGERIES[name]}
    return np.maximum(x, 0)
"""
    code, report = graded(capsys, source)
    assert (code, report["verdict"]) == (1, "bug")
    assert any(
        words in str(report["diagnosis"]) for words in ("sends what is no answer", "sends more than", "ends its process")
    )


WORDS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NESTED = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
KEYS = (
    "case",
    "shapes",
    "dtypes",
    "problem",
    "declined",
    "raised",
    "seconds",
    "parts",
    "forward",
    "not_judged",
    "failed",
    "unfit",
)
LIKELY = st.sampled_from(
    [
        0,
        1,
        True,
        False,
        None,
        [],
        [[]],
        [[1, 1]],
        [[2**60]],
        ["float64"],
        "x",
        {"": [["x", 1, False]]},
        {"": [["x", 9, 0]]},
        {"": 1},
    ]
)


@draws()
@given(header=st.dictionaries(st.sampled_from(KEYS), LIKELY | NESTED), body=st.binary(max_size=64), cut=st.integers(0, 200))
def test_whatever_comes_is_an_answer_or_a_sentence(header: dict[str, object], body: bytes, cut: int) -> None:
    """Never another error, and never an array that is larger than what came."""
    message = pack(header) + body
    for inbox in (bytearray(message), bytearray(message[cut:]), bytearray(body)):
        came = len(inbox)
        try:
            found = messages.parse(inbox, most=1)
            if found is None:
                continue
            assert sum(leaf.nbytes for leaf in found[1] if leaf is not None) < came
            introduction = messages.introduction_of(found[0], ("y",))
            assert all(
                signature is None or isinstance(signature, inspect.Signature) for signature in introduction.signatures.values()
            )
            outcome = messages.outcome_of(*found, number=0, kind=kind_of("relu"))
        except messages.EndError:
            continue
        assert outcome.problem or outcome.declined or outcome.leaves[0] is not None


def test_a_case_that_takes_too_long_and_the_others() -> None:
    Path("slow.py").write_text(RELU.replace("    return", "    while x.size == 1:\n        pass\n    return"))
    report = grade_file("slow.py:relu", "relu", timeout=1)
    assert report.verdict == "bug"
    found = 'In the case "one number" it takes longer than the 1 s it has.'
    assert report.diagnosis == f"{found} It fails in 1 of {RELU_CASES} cases."


BEAT = """
import pathlib, sys, time
while True:
    pathlib.Path(sys.argv[1]).touch()
    print("alive" * 999)
    time.sleep(0.05)
"""


@pytest.mark.parametrize(
    ("sessions", "end", "verdict"),
    [
        # What left the session of a process that is gone cannot be found any more.
        pytest.param([False, True], "pass", "agrees", id="returns"),
        pytest.param([False], "os._exit(0)", "bug", id="ends its process"),
    ],
)
def test_what_a_candidate_started_is_ended_with_it(sessions: list[bool], end: str, verdict: str) -> None:
    """In its own session and out of it, also where it fills the pipe of its output."""
    source = f"""
import os, pathlib, subprocess, sys, time
{RELU}
def start(session):
    subprocess.Popen([sys.executable, "-c", {BEAT!r}, str(session)], start_new_session=session)
    while not pathlib.Path(str(session)).exists():
        time.sleep(0.01)

for session in {sessions}:
    start(session)
{end}
"""
    Path("parent.py").write_text(source)
    assert grade_file("parent.py:relu", "relu").verdict == verdict
    before = [Path(str(session)).stat().st_mtime_ns for session in sessions]
    time.sleep(0.3)
    assert [Path(str(session)).stat().st_mtime_ns for session in sessions] == before


def test_what_is_printed_is_kept_apart(capsys: pytest.CaptureFixture[str]) -> None:
    loud = """
import os, subprocess, sys
import numpy as np
print('hello \\033[2J :smile: ' + 'x' * 10**5)

def relu(x):
    for number in range(1200):
        print(number)
    os.write(1, b'from below\\n')
    subprocess.run(['echo', 'from a child'])
    sys.stderr.write('and to the other stream\\n')
    assert sys.stdin.read() == ''
    return np.maximum(x, 0)
"""
    code, report = graded(capsys, loud)
    assert (code, report["verdict"]) == (0, "agrees")
    printed = str(report["printed"])
    assert printed.startswith(f"{1203 * (RELU_CASES + ASKED_AGAIN) + 1:,} lines, first: hello \ufffd[2J :smile: xxx")
    assert len(printed) < 300


DATACLASS = f"""
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Pair:
    first: int

{RELU}
relu.__name__ = "another"
"""
POOL = """
import multiprocessing
import numpy as np

def one(row):
    return np.maximum(row, 0)

def relu(x):
    with multiprocessing.Pool(1) as pool:
        return np.stack(pool.map(one, list(x)))
"""
BUFFER = """
import numpy as np
buffer = np.empty(10**4)

def relu(x):
    y = buffer[: x.size].reshape(x.shape)
    y[...] = np.maximum(x, 0)
    return y
"""
DOUBLE = """
import jax.numpy as jnp

def relu(x):
    assert jnp.asarray(x).dtype == "float64"
    return jnp.maximum(x, 0)
"""
HONEST = {
    "NumPy": (RELU, "homework.py"),
    "JAX in double precision": (DOUBLE, "homework.py"),
    "a neighbour": ("from neighbour import relu", "homework.py"),
    "a relative neighbour": ("from .neighbour import relu", "course/student/homework.py"),
    "a dotted name": ("from course.student.neighbour import relu", "course.student.homework"),
    "the current folder": ("import neighbour\nrelu = neighbour.relu", "elsewhere/homework.py"),
    "the name of a module": (RELU, "json.py"),
    "a dataclass": (DATACLASS, "homework.py"),
    "a pool of processes": (POOL, "homework.py"),
    "a module that is slow": (f"import time\ntime.sleep(1.2)\n{RELU}", "homework.py"),
    "the same buffer every time": (BUFFER, "homework.py"),
    "a thread that never ends": (
        f"import threading, time\n{RELU}\nthreading.Thread(target=time.sleep, args=(99,)).start()\n",
        "homework.py",
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_candidates_pass(name: str) -> None:
    source, place = HONEST[name]
    path = Path(place if place.endswith(".py") else place.replace(".", "/") + ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    for parent in path.parents:
        if "course" in str(parent):
            (parent / "__init__.py").touch()
    for neighbour in {path.parent, Path()}:
        (neighbour / "neighbour.py").write_text(RELU)
    report = grade_file(f"{place}:relu", "relu")
    assert report.verdict in {"agrees", "rounding"}, str(report)
    assert report.subject == f"relu as relu, {RELU_CASES} of {RELU_CASES} cases"


def test_ctrl_c_ends_the_candidate_too() -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread")
    beat = "while True:\n    open('beat', 'w').close()\n    time.sleep(0.02)\n"
    Path("slow.py").write_text("import time\ndef relu(x):\n" + textwrap.indent(beat, "    "))

    def press() -> None:
        while not Path("beat").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    finger = threading.Thread(target=press)
    finger.start()
    with pytest.raises(KeyboardInterrupt):
        grade_file("slow.py:relu", "relu")
    finger.join()
    before = Path("beat").stat().st_mtime_ns
    time.sleep(0.2)
    assert Path("beat").stat().st_mtime_ns == before


def test_json_in_an_encoding_of_few_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("homework.py").write_text("def relu(x):\n    raise ValueError('Größe ×')\n")
    page = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(page, encoding="ascii", write_through=True))
    with pytest.raises(SystemExit):
        main(["grade", "homework.py:relu", "--as", "relu", "--json"])
    assert json.loads(page.getvalue())["diagnosis"] == "It raises ValueError: Größe × (line 2)"


def test_two_at_once_do_not_know_of_each_other() -> None:
    Path("right.py").write_text(RELU)
    Path("wrong.py").write_text(WRONG)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda name: grade_file(f"{name}.py:relu", "relu"), ["right", "wrong"] * 4))
    assert [report.verdict for report in reports] == ["agrees", "bug"] * 4
    assert threading.active_count() < 50


def test_a_file_in_a_test_of_a_course() -> None:
    Path("right.py").write_text(RELU)
    Path("leaving.py").write_text("import os\ndef relu(x):\n    os._exit(0)\n")
    assert assert_grades("right.py:relu", "relu").verdict == "agrees"
    with pytest.raises(AssertionError, match="ends its process"):
        assert_grades("leaving.py:relu", "relu")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        pytest.param({"timeout": 0}, "timeout=0: expected seconds above 0", id="no time"),
        pytest.param({"timeout": float("nan")}, "timeout=nan: expected a finite number", id="nan"),
        pytest.param({"memory": -1}, "memory=-1: expected GiB above 0", id="memory"),
    ],
)
def test_limits_are_numbers_above_0(limits: dict[str, Any], message: str) -> None:
    Path("right.py").write_text(RELU)
    with pytest.raises(ValueError, match=message):
        grade_file("right.py:relu", "relu", **limits)


CONV = """
import numpy as np

def conv(x, w, b=None, {parameters}):
    {decline}
    f, g = w.shape[:2]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = (x.shape[1] - f) // stride + 1, (x.shape[2] - g) // stride + 1
    y = np.zeros((len(x), rows, columns, w.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            y[:, i, j] = np.tensordot(x[:, i * stride : i * stride + f, j * stride : j * stride + g], w, 3)
    return y if b is None else y + b
"""
MUST_TAKE = sum(must_take(kind_of("conv"), case) for case in kind_of("conv").cases)
NOT_ONE_NUMBER = "if not isinstance(stride, int) or not isinstance(padding, int) or x.ndim != 4: raise NotImplementedError"


@pytest.mark.parametrize(
    ("parameters", "decline", "code", "sentence"),
    [
        pytest.param("*, stride=1, padding=0", NOT_ONE_NUMBER, 0, "None", id="a homework"),
        pytest.param("stride=1, padding=0", NOT_ONE_NUMBER, 0, "None", id="by position"),
        pytest.param("stride=1", "padding = 0\n    " + NOT_ONE_NUMBER, 0, "None", id="no padding in its signature"),
        pytest.param(
            "*, stride=1, padding=0",
            "if x.size > 1: raise NotImplementedError",
            1,
            f"It takes only 1 of the {MUST_TAKE} cases that every conv with its parameters must take",
            id="all but one",
        ),
        pytest.param(
            "*, stride=1, padding=0, **options",
            "if padding or options: raise NotImplementedError('later')\n    " + NOT_ONE_NUMBER,
            1,
            'declines "padding", "padding and stride", "any numbers, padding 1" and',
            id="padding",
        ),
        pytest.param(
            "*, stride=1, padding=0",
            "import os; x.ndim == 3 and os._exit(0)\n    " + NOT_ONE_NUMBER,
            1,
            'In the case "one axis" it ends its process',
            id="no crash for other ranks",
        ),
        pytest.param(
            "*, stride=1, padding=0", "raise NotImplementedError", 1, f"It takes none of the {MUST_TAKE} cases", id="all"
        ),
    ],
)
def test_who_declines_what_everybody_takes_has_failed(
    parameters: str, decline: str, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, report = graded(capsys, CONV.format(parameters=parameters, decline=decline), "conv")
    assert found == code, report["diagnosis"]
    assert sentence in str(report["diagnosis"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_has_cases_that_everybody_must_take(kind: str) -> None:
    """At least those that ask for no parameter but what every call has, so that no signature leaves all of them out."""
    least = [case for case in kind_of(kind).cases if must_take(kind_of(kind), case)]
    assert sum(set(case.options) <= kind_of(kind).required for case in least) >= 5
    assert len({value.shape for case in least for value in case.args.values() if hasattr(value, "shape")}) > 3
