"""How many examples Hypothesis draws: `JCNN_DRAWS`, shared among the parts of a test."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings

QUICKLY: Any = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Compiler options for programs that run once: they compile in a third of the time."""

DRAWS = int(os.environ.get("JCNN_DRAWS", "40"))


def draws(parts: int = 1) -> Callable[[Any], Any]:
    """The settings of one of `parts` tests that draw `DRAWS` examples together."""
    return settings(max_examples=-(-DRAWS // parts))
