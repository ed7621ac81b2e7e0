"""Calls with one argument wrong, for the tests of messages."""

# Wrong types are the point here.
# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any

import numpy as np

import jcnn

X, W = np.ones((2, 6, 6, 4)), np.ones((3, 3, 4, 8))
DY = np.ones((2, 4, 4, 8))

Case = tuple[Callable[[], Any], type[Exception], list[str]]
"""The call, its exception, pieces of the message."""


def conv(**given: Any) -> Callable[[], Any]:
    return lambda: jcnn.conv(**{"x": X, "w": W, **given})


def pool(**given: Any) -> Callable[[], Any]:
    return lambda: jcnn.max_pool(**{"x": X, "window": 2, **given})


def average(**given: Any) -> Callable[[], Any]:
    return lambda: jcnn.avg_pool(**{"x": X, "window": 2, **given})


def transpose(**given: Any) -> Callable[[], Any]:
    return lambda: jcnn.conv_transpose(**{"y": DY, "w": W, **given})
