"""What the README shows really runs, and what it says of files is so."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn

ROOT = Path(jcnn.__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_ten_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown: dict[str, object] = {}
    with jax.enable_x64(False), jax.numpy_rank_promotion("allow"):
        for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
            exec(code, shown)  # noqa: S102 (our own README)
    y, dw = shown["y"], shown["dw"]
    assert isinstance(y, jax.Array)
    assert isinstance(dw, jax.Array)
    assert y.shape == (8, 32, 32, 10)
    by_autodiff = jax.grad(lambda w: jcnn.conv(shown["x"], w, padding=2).sum())(shown["w"])  # pyright: ignore[reportArgumentType]
    # Sums of 8·32·32 products in float32, taken in another order.
    np.testing.assert_allclose(dw, by_autodiff, rtol=0, atol=float(8192 * jnp.finfo(jnp.float32).eps * jnp.abs(dw).max()))


def test_every_name_is_there_after_import_jcnn_alone() -> None:
    # In a process of its own: here other tests have loaded every module already.
    names = sorted(set(re.findall(r"\bjcnn(?:\.(?!py\b)[A-Za-z_]\w*)+", README)))
    assert {"jcnn.conv", "jcnn.data.load", "jcnn.compilation.compiler_options"} <= set(names)
    code = "import sys, jcnn\nfor name in sys.argv[1:]:\n eval(name, {'jcnn': jcnn})"
    subprocess.run([sys.executable, "-c", code, *names], check=True)


def test_the_error_shown_is_the_error_raised() -> None:
    (shown,) = re.findall(r"GeometryError: (.*)", README)
    with pytest.raises(jcnn.GeometryError, match=re.escape(shown)):
        jcnn.output_size(7, 3, stride=3, rounding="exact")


PLACES = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
TABLE = " ".join(line for line in PLACES.splitlines() if line.startswith("| `"))


@pytest.mark.parametrize("place", re.findall(r"`([\w/]+(?:/|\.py))`", TABLE) + re.findall(r'src="([^"]+)"', README))
def test_what_it_names_is_there(place: str) -> None:
    assert (ROOT / place).exists() or (ROOT / "jcnn" / place).exists()


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
LINKED = r'(?:src="|\]\()(?!https?://|#)([^")]+)'


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_what_a_page_links_to_is_there(page: Path) -> None:
    missing = [link for link in re.findall(LINKED, page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert missing == []
