"""The wheel, as whoever installs it has it: in an empty environment, outside of the checkout. Run by `make test-wheel`."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import jcnn

PYTHONS = os.environ.get("JCNN_PYTHONS", "").split()
ROOT = Path(jcnn.__file__).parents[1]
OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "XLA_FLAGS", "JAX_")
"""Beginnings of variables that this process has for itself."""

pytestmark = pytest.mark.skipif(not PYTHONS, reason="`make test-wheel` installs the wheel, from the package registry")

GRADIENTS = """
import sys
from pathlib import Path
import jax, jax.numpy as jnp
import jcnn, jcnn.check
assert Path(jcnn.__file__).is_relative_to(sys.prefix), jcnn.__file__
key = jax.random.key(0)
x, w = jax.random.normal(key, (2, 8, 8, 3)), jax.random.normal(key, (3, 3, 3, 4))
y = jcnn.conv(x, w, padding=1)
assert y.shape == (2, 8, 8, 4)
forward = lambda x, w: jcnn.conv(x, w, padding=1)
backward = lambda dy, x, w: jcnn.conv_backward(dy, x, w, padding=1)[:2]
report = jcnn.check.compare(forward, backward, x, w)
assert report.verdict in ("agrees", "rounding"), report
print(jax.__version__)
"""


def run(*command: str | Path, cwd: Path) -> str:
    there = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(command, cwd=cwd, env=there, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session", params=PYTHONS)
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("empty")
    run(request.param, "-m", "venv", folder, cwd=folder)
    run(folder / "bin/python", "-m", "pip", "install", "-q", wheel, cwd=folder)
    run(folder / "bin/python", "-m", "pip", "check", cwd=folder)
    return folder / "bin"


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "jcnn").rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {name for name in names if name.startswith("jcnn/")}
    assert package == {name for name in there if "__pycache__" not in name}
    assert {"jcnn/py.typed", "jcnn/data/digits.npz"} <= package
    described = {name.partition(".dist-info/")[2] for name in names - package}
    assert described == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_its_operations_and_gradients_agree_there(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "python", "-W", "error", "-c", GRADIENTS, cwd=tmp_path).startswith("0.")


def test_it_trains_and_goes_on_there(installed: Path, tmp_path: Path) -> None:
    run(installed / "jcnn", "train", "--epochs", "2", "--out", "run", cwd=tmp_path)
    measured = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text("utf-8").splitlines()]
    tested = {row["epoch"]: row["accuracy"] for row in measured if row["split"] == "test"}
    assert list(tested) == [1, 2]
    assert tested[2] > 0.8  # of 359 digits, where 0.1 is chance
    assert (tmp_path / "run/report.html").stat().st_size > 10_000
    (tmp_path / "run/report.html").unlink()
    run(installed / "jcnn", "train", "--resume", "--out", "run", cwd=tmp_path)
    assert (tmp_path / "run/report.html").is_file()
