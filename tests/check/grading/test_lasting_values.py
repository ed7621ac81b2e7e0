"""What a source shows that lasts from call to call."""

import pytest

from jcnn.check.grading.lasting_values import lasting_values


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param("def f(x, seen={}):\n    return seen", ["the default seen={} of f, which is made once"], id="a default"),
        pytest.param("def f(x, *, y=[]):\n    y.append(x)", ["the default y=[] of f"], id="by name only"),
        pytest.param("def f(x, y=np.zeros(3)):\n    return y", ["the default y=np.zeros(3) of f"], id="an array"),
        pytest.param("n = 0\ndef f(x):\n    global n\n    n += 1", ["n, which f changes"], id="a number"),
        pytest.param("C = {}\ndef f(x):\n    C[x.shape] = x", ["C, which f changes"], id="a dictionary"),
        pytest.param("C: list = []\ndef f(x):\n    C.append(x)", ["C, which f changes"], id="a list"),
        pytest.param("def f(x):\n    f.last = x", ["f, which f changes"], id="its own attribute"),
        pytest.param("@lru_cache(None)\ndef f(n):\n    return n", ["the lru_cache of f"], id="a cache"),
        pytest.param("@functools.cache\ndef f(n):\n    return n", ["the cache of f"], id="a cache by its module"),
        pytest.param(
            "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n    return g", ["n, which g"], id="nonlocal"
        ),
        pytest.param("C = {}\ndef f(x):\n    D = {}\n    D[0] = x\n    return C[0]", [], id="its own dictionary"),
        pytest.param("def f(x, stride=1, padding=(0, 0)):\n    x[0] = 1", [], id="what cannot change"),
        pytest.param("def f(:", [], id="no Python"),
        pytest.param("\0", [], id="no text"),
    ],
)
def test_what_may_last(source: str, said: list[str]) -> None:
    found = lasting_values(source)
    assert len(found) == len(said)
    assert all(text.startswith(words) for text, words in zip(found, said, strict=True)), found
