"""The experiments as modules, loaded by their paths: their names begin with a number."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.gallery import scripts
from experiments.topic import Topic
from jcnn import compilation

NAMES = [script.stem for script in scripts()]


def load(name: str) -> Topic:
    """The topic of a script."""
    path = Path(__file__).parents[2] / "experiments" / f"{name}.py"
    module = f"experiments_{name}"
    if module not in sys.modules:
        spec = importlib.util.spec_from_file_location(module, path)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[module] = loaded
        with pytest.MonkeyPatch.context() as patch:
            # They train for seconds: a little of LLVM's optimizations, which the other tests do without, is soon gained back.
            options: dict[str, Any] = {**(compilation.compiler_options() or {}), "xla_backend_optimization_level": 1}
            patch.setattr(compilation, "compiler_options", lambda: options)
            spec.loader.exec_module(loaded)
    return sys.modules[module].TOPIC
