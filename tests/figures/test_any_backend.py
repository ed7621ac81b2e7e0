"""Matplotlib is imported whatever MPLBACKEND says, and the setting of the user stays."""

import subprocess
import sys

import pytest

DRAW = """
import os
from jcnn.figures import LIGHT, to_png, to_svg
from jcnn.figures.style import statement
assert to_png(statement("words", LIGHT)).startswith(b"\\x89PNG")
assert b"words" in to_svg(statement("words", LIGHT))
import matplotlib
print(os.environ["MPLBACKEND"], matplotlib.rcParams["backend"] if "BACKEND" in os.environ else "")
"""


@pytest.mark.parametrize("name", ["of_a_notebook_that_is_not_here", "module://nowhere.at_all"])
def test_figures_are_drawn_whatever_backend_is_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", name)
    if name != "of_a_notebook_that_is_not_here":
        monkeypatch.setenv("BACKEND", "known")
    done = subprocess.run([sys.executable, "-c", DRAW], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ([name] if name.startswith("of") else [name, name])
