"""The change that makes a candidate right is found, holds in all cases, and is not looked for where nothing is wrong."""

import time
from pathlib import Path

import pytest

from jcnn.check import Report, grade_file
from jcnn.check.repair.trying import LONGEST, Workshop
from jcnn.check.report import Repair
from tests.draws import DEFAULT, DRAWS

RIGHT = {
    "global_avg_pool_backward": """import numpy as np

def f(dy, x):
    area = x.shape[1] * x.shape[2]
    return np.ones(x.shape) * dy[:, None, None, :] / area
""",
    "conv_backward": """import numpy as np

def f(dy, x, w, stride=1, padding=0):
    n, h, v, c = x.shape
    fh, fw, _, k = w.shape
    xp = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dxp, dw = np.zeros(xp.shape), np.zeros(w.shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            rows, cols = slice(i * stride, i * stride + fh), slice(j * stride, j * stride + fw)
            dxp[:, rows, cols] += np.tensordot(dy[:, i, j], w, axes=(1, 3))
            dw += np.tensordot(xp[:, rows, cols], dy[:, i, j], axes=(0, 0))
    return dxp[:, padding:padding + h, padding:padding + v], dw, dy.sum(axis=(0, 1, 2))
""",
    "max_pool": """import numpy as np

def f(x, window, stride=None):
    s = stride or window
    n, h, v, c = x.shape
    y = np.zeros((n, (h - window) // s + 1, (v - window) // s + 1, c))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            best = -np.inf
            for a in range(window):
                for b in range(window):
                    best = np.maximum(best, x[:, i * s + a, j * s + b])
            y[:, i, j] = best
    return y
""",
}
MADE_WRONG = [
    pytest.param("global_avg_pool_backward", "x.shape[1] * x.shape[2]", "x.shape[0] * x.shape[1]", 4, id="other sizes"),
    pytest.param("max_pool", "stride or window", "stride or 1", 4, id="another default"),
    pytest.param("max_pool", "best = -np.inf", "best = 0", 9, id="begins at 0"),
    pytest.param("conv_backward", "axis=(0, 1, 2)", "axis=(0, 1)", 13, id="db over two axes"),
    pytest.param("conv_backward", "dxp[:, rows, cols] +=", "dxp[:, rows, cols] =", 11, id="assigned"),
    pytest.param("conv_backward", "slice(j * stride, j * stride + fw)", "slice(j, j + fw)", 10, id="one stride forgotten"),
    pytest.param("conv_backward", "padding:padding + h, padding:padding + v", ":h, :v", 13, id="cropped elsewhere"),
]
QUICK = 3


def graded(folder: Path, kind: str, source: str) -> Report:
    path = folder / "homework.py"
    path.write_text(source, "utf-8")
    return grade_file(f"{path}:f", kind)


@pytest.mark.parametrize(("kind", "right", "wrong", "line"), MADE_WRONG if DRAWS > DEFAULT else MADE_WRONG[:QUICK])
def test_the_slip_is_found_and_undone(kind: str, right: str, wrong: str, line: int, tmp_path: Path) -> None:
    source = RIGHT[kind].replace(right, wrong, 1)
    report = graded(tmp_path, kind, source)
    assert report.verdict == "bug"
    assert isinstance(report.repair, Repair)
    assert (report.repair.line, report.repair.leaves) == (line, ())
    assert report.repair.sentence in (report.diagnosis or "")
    assert f"line {line}" in report.hint(1)
    assert report.repair.sentence not in report.hint(2)
    assert report.repair.code in report.hint(2)
    # What is said holds: the file with this change is right.
    lines = source.splitlines()
    if lines[line - 1].count(report.repair.before) == 1:
        lines[line - 1] = lines[line - 1].replace(report.repair.before, report.repair.after, 1)
        mended = graded(tmp_path, kind, "\n".join(lines))
        assert mended.verdict == "agrees"
        assert f", {report.repair.cases} of " in mended.subject


@pytest.mark.parametrize("kind", RIGHT)
def test_what_is_right_needs_none(kind: str, tmp_path: Path) -> None:
    report = graded(tmp_path, kind, RIGHT[kind])
    assert report.verdict == "agrees"
    assert report.repair is None


def test_what_no_change_mends_stays_as_it_was(tmp_path: Path) -> None:
    report = graded(tmp_path, "softmax", "import numpy as np\n\ndef f(x):\n    return np.sin(x) ** 3 + 17\n")
    assert report.verdict == "bug"
    assert report.repair is None


def test_what_declines_more_is_no_repair(tmp_path: Path) -> None:
    """With 1 in place of 3 it would decline most of what it does wrong, and be right nowhere."""
    source = (
        "import numpy as np\n\ndef f(x, window, stride=None):\n    if window > 3:\n        raise NotImplementedError\n"
        "    return np.sin(x[:, ::2, ::2]) ** 3 + 17\n"
    )
    report = graded(tmp_path, "max_pool", source)
    assert report.verdict == "bug"
    assert report.repair is None


def test_endless_and_failing_variants_end() -> None:
    text = b"def f(x):\n    while x > 1:\n        x = x - 1\n    return x\n"
    namespace = {"__name__": "homework", "__file__": "homework.py"}
    workshop = Workshop(text, namespace, lambda names: names["f"], lambda f, args, options, outputs: f(**args))
    began = time.process_time()
    endless = workshop.variant([(text.index(b"x = x - 1"), text.index(b"\n    return"), "pass")])
    broken = [workshop.variant([(0, 3, new)]) for new in ("raise SystemExit\ndef", "while True: pass\ndef", "dfe")]
    assert broken == [None, None, None]
    assert endless is not None
    assert workshop.screen([[(0, 0, "")]], [], 1.0) == []
    assert time.process_time() - began < 4 * LONGEST + 1
