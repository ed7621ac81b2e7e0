"""A default that is another one than the operation's is named, with its value; one that is not all that is wrong is not."""

from typing import Any

import numpy as np
import pytest

from jcnn.check.operations import kind_of
from jcnn.check.probing.defaults import explain_default
from tests.check.probing.test_explain import answering

Array = np.ndarray


def with_default(kind: str, option: str, value: Any, factor: float = 1.0) -> str | None:
    """What is said of the right function with another default, all numbers times a factor."""

    def candidate(*args: Any, **options: Any) -> Any:
        given = {option: value, **options}
        if given[option] == "window":
            given[option] = args[-1]
        right = kind_of(kind).reference(*args, **given)
        return tuple(factor * leaf for leaf in right) if isinstance(right, tuple) else factor * right

    return explain_default(kind, answering(candidate, kind))


@pytest.mark.parametrize(
    ("kind", "option", "value", "words"),
    [
        ("max_pool", "stride", 1, "without stride=, it takes 1 where the window's size is right"),
        ("avg_pool", "stride", 2, "without stride=, it takes 2 where the window's size is right"),
        ("conv", "stride", 2, "without stride=, it takes 2 where 1 is right"),
        ("conv", "padding", 1, "without padding=, it takes 1 where 0 is right"),
        ("avg_pool", "count_padding", True, "without count_padding=, it takes True where False is right"),
        ("leaky_relu", "slope", 0.2, "without slope=, it takes 0.2 where 0.01 is right"),
        ("leaky_relu_backward", "slope", 0.77, "without slope=, it is wrong"),
        ("elu", "alpha", 0.5, "without alpha=, it takes 0.5 where 1 is right"),
        ("batch_norm", "epsilon", 1e-3, "without epsilon=, it takes 0.001 where 1e-05 is right"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_default_is_said_with_its_value(kind: str, option: str, value: Any, words: str) -> None:
    assert (with_default(kind, option, value) or "").startswith(words)


def test_of_the_right_default_and_of_a_second_mistake_nothing_is_said() -> None:
    assert with_default("max_pool", "stride", "window") is None
    assert with_default("max_pool", "stride", 1, factor=2.0) is None
    assert with_default("conv", "stride", 1, factor=2.0) is None
