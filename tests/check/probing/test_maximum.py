"""Where a forward maximum starts is read off it: at a number, a padding, another pixel, the window before."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn.check.probing.explain import find_differences
from jcnn.definition import sums
from tests.check.probing.test_explain import answering

Array = np.ndarray


def said(change: Callable[[Array, Array], Array], padding_value: float | None = None) -> list[str]:
    """Of max pooling whose right output is changed, or that sees a padding of a number."""

    def pool(x: Array, window: Any, stride: Any = None, padding: int = 0) -> Array:
        if padding_value is not None:
            sides = ((0, 0), (padding, padding), (padding, padding), (0, 0))
            x, padding = np.pad(x, sides, constant_values=padding_value), 0
        return change(sums.max_pool(x, window, stride=stride, padding=padding), x)

    return [finding.rule for finding in find_differences("max_pool", answering(pool, "max_pool"))]


@settings(max_examples=3, deadline=None)
@given(number=st.integers(-2000, 4).map(lambda quarters: quarters / 4))
def test_the_number_that_a_maximum_starts_at_is_said(number: float) -> None:
    shown = f"{number:.6g}".replace("-", "−")
    (rule,) = said(lambda y, _: np.maximum(y, number))
    assert rule.startswith(f"y: the maximum starts at {shown}, not at −∞"), rule
    (rule,) = said(lambda y, _: y, number)
    assert rule.startswith(f"y: the padding is {shown} and takes part in the maximum"), rule


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y, x: np.maximum(y, x[:, :1, :1]), "the first pixel of the image"),
        (lambda y, x: np.maximum(y, x[:, : y.shape[1], : y.shape[2]]), "pixel (i, j) of the image"),
        (lambda y, _: np.maximum.accumulate(y, 2), "not set back for each window"),
        (lambda y, _: np.maximum.accumulate(y, 0), "in the order (example)"),
    ],
    ids=["first pixel", "without the stride", "along a row", "over the examples"],
)
def test_what_else_takes_part_is_said(change: Callable[[Array, Array], Array], words: str) -> None:
    def pool(x: Array, window: Any, stride: Any = None) -> Array:
        return change(sums.max_pool(x, window, stride=stride), x)

    (finding,) = find_differences("max_pool", answering(pool, "max_pool"))
    assert words in finding.rule


def test_a_right_maximum_starts_nowhere_else() -> None:
    assert said(lambda y, _: y) == []


def test_another_mistake_is_no_start() -> None:
    assert not any("start" in rule for rule in said(lambda y, _: y[:, ::-1]))
