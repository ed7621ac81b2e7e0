"""How many examples Hypothesis draws: `JCNN_DRAWS`, shared among the parts of a test."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings

DEFAULT = 40
DRAWS = int(os.environ.get("JCNN_DRAWS", DEFAULT))


def draws(parts: int = 1) -> Callable[[Any], Any]:
    """The settings of one of `parts` tests that draw `DRAWS` examples together."""
    return settings(max_examples=-(-DRAWS // parts))
