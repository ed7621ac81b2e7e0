"""Changes of a source: each is Python, no two are the same, and what somebody mistypes is undone by one of them."""

import ast
from pathlib import Path

import pytest

from jcnn.check.repair.edits import edits
from jcnn.check.repair.source import Source
from tests.draws import DEFAULT, DRAWS

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "tests/check/submissions").glob("*/*.py")) + sorted((ROOT / "jcnn/definition").glob("*.py"))


@pytest.mark.parametrize(
    "path", SOURCES if DRAWS > DEFAULT else SOURCES[::20], ids=lambda path: f"{path.parent.name} {path.name}"
)
def test_each_change_is_python_and_another_one(path: Path) -> None:
    source = Source(path.read_text("utf-8"))
    texts = [source.replaced(edit.replacements) for edit in edits(source)]
    assert len(set(texts)) == len(texts)
    assert source.text.decode() not in texts
    for text in texts[:: max(len(texts) // 200, 1)]:
        ast.parse(text)


SLIPS = [
    pytest.param("y[i] = x[i]", "y[i] += x[i]", id="assigned in place of added"),
    pytest.param("y -= x[i]", "y += x[i]", id="sign of an addition"),
    pytest.param("y = np.sum(x, axis=0)", "y = np.sum(x, axis=1)", id="axis"),
    pytest.param("y = x.sum(axis=1)", "y = x.sum(axis=1, keepdims=True)", id="keepdims"),
    pytest.param("y = np.empty(n)", "y = np.zeros(n)", id="no zeros"),
    pytest.param("y = x", "y = x.copy()", id="no copy"),
    pytest.param("y = x[i:i + n]", "y = x[i * stride:i * stride + n]", id="stride forgotten twice"),
    pytest.param("h, v = n - stride, m - stride", "h, v = n - stride + 1, m - stride + 1", id="one more, twice"),
    pytest.param("y = x[:n]", "y = x[stride:stride + n]", id="a crop not moved"),
    pytest.param("y = np.mean(x)", "y = np.sum(x)", id="mean of a sum"),
    pytest.param("y = x.T @ w", "y = x @ w", id="transposed"),
    pytest.param("y = x - n / m", "y = (x - n) / m", id="brackets"),
    pytest.param("y = x > 0", "y = x >= 0", id="at 0"),
    pytest.param("y = np.exp(x) / np.exp(x - x.max())", "y = np.exp(x - x.max()) / np.exp(x - x.max())", id="as elsewhere"),
    pytest.param("y = np.einsum('ij,jk->ki', x, w)", "y = np.einsum('ij,jk->ik', x, w)", id="letters"),
    pytest.param("y = np.pad(x, ((0, 2 * stride), (0, 0)))", "y = np.pad(x, ((stride, stride), (0, 0)))", id="one side"),
    pytest.param("y = x.reshape(n, -1)", "y = x.transpose(1, 0, 2, 3).reshape(n, -1)", id="not transposed before"),
]
BODY = "def f(x, w, n=1, m=1, stride=1):\n    for i in range(n):\n        {}\n    return y\n"


@pytest.mark.parametrize(("wrong", "right"), SLIPS)
def test_a_slip_is_undone(wrong: str, right: str) -> None:
    source = Source(BODY.format(wrong))
    wanted = ast.dump(ast.parse(BODY.format(right)))
    assert any(ast.dump(ast.parse(source.replaced(edit.replacements))) == wanted for edit in edits(source))


def test_a_loops_last_statement_comes_behind_it() -> None:
    source = Source("def f(x, b):\n    y = 0\n    for c in x:\n        y += c\n        y += b\n    return y\n")
    wanted = "def f(x, b):\n    y = 0\n    for c in x:\n        y += c\n    y += b\n    return y\n"
    assert wanted in [source.replaced(edit.replacements) for edit in edits(source)]


def test_places_count_bytes_and_lines() -> None:
    source = Source("def f(größe):\n    return größe - 1  # ä\n")
    texts = [source.replaced(edit.replacements) for edit in edits(source)]
    assert "def f(größe):\n    return größe + 1  # ä\n" in texts
    assert {edit.line for edit in edits(source)} == {2}
