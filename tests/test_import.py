"""`import jcnn` brings JAX and what is ours, nothing heavy beside it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jcnn


@pytest.mark.parametrize("module", ["optax", "matplotlib", "tensorflow_datasets", "rich", "tyro", "PIL"])
def test_what_import_jcnn_leaves_out(module: str) -> None:
    code = f"import sys, jcnn; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_geometry_needs_no_jax() -> None:
    code = (
        "import sys, importlib.util as u; sys.modules['jax'] = None; s = u.spec_from_file_location('g', sys.argv[1]); "
        "m = u.module_from_spec(s); sys.modules['g'] = m; s.loader.exec_module(m); sys.exit(m.output_size(7, 3) != 5)"
    )
    path = jcnn.__file__.replace("__init__", "geometry")
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 0


def test_every_public_name_is_there() -> None:
    assert sorted(jcnn.__all__) == sorted(set(jcnn.__all__))
    assert all(hasattr(jcnn, name) for name in jcnn.__all__)


def test_importing_sets_no_flag() -> None:
    code = "import jax; a = dict(jax.config.values); import jcnn, sys; sys.exit(a != dict(jax.config.values))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_modules_come_when_they_are_asked_for() -> None:
    code = """
import sys, jcnn
assert not any(f"jcnn.{name}" in sys.modules for name in ("data", "training", "check", "figures", "explore"))
for name in jcnn.LATER:
    assert name in dir(jcnn)
    assert getattr(jcnn, name) is sys.modules[f"jcnn.{name}"]
assert not hasattr(jcnn, "nothing")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_function_is_hidden_by_a_module_of_its_name() -> None:
    for name in jcnn.LATER:
        getattr(jcnn, name)
    assert [name for name in jcnn.__all__ if type(getattr(jcnn, name)) is type(sys)] == []


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((Path(jcnn.__file__).parents[1] / "pyproject.toml").read_text())
    assert jcnn.__version__ == project["project"]["version"]
