"""What docs/exchange.md shows really runs, and every way gives the logits of jcnn."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

import jcnn

for library in ("torch", "jax2onnx", "onnxruntime", "flax", "equinox"):
    pytest.importorskip(library, reason=f"{library} is not installed here; `make test-peers` installs it")
pytestmark = pytest.mark.filterwarnings("default")  # those of other libraries

PAGE = (Path(jcnn.__file__).parents[1] / "docs/exchange.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown: dict[str, object] = {}
    with jax.enable_x64(False), jax.numpy_rank_promotion("allow"):
        for code in BLOCKS:
            exec(code, shown)  # noqa: S102 (our own page)
    expected = np.asarray(shown["logits"])
    ways = [name for name in shown if name.endswith("_logits")]
    assert sorted(ways) == ["equinox_logits", "hlo_logits", "nnx_logits", "onnx_logits", "torch_logits"]
    for name in ways:
        np.testing.assert_allclose(np.asarray(shown[name]), expected, rtol=0, atol=1e-5 * np.abs(expected).max(), err_msg=name)


@pytest.mark.parametrize("title", ["Flax NNX", "Equinox"])
def test_there_and_back_in_three_lines(title: str) -> None:
    (code,) = re.findall(rf"## {title}\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code.splitlines()) == 3
