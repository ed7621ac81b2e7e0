"""Errors as small as rounding's that no rounding makes, and rounding that is never taken for such."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade
from jcnn.check.bounds import as_leaves
from jcnn.check.operations import KINDS, kind_of
from tests.draws import DRAWS

Array = np.ndarray

# One of each sort by default, all in the deep tests.
SOME = (
    *("conv", "conv_backward", "dense_backward", "max_pool_backward", "avg_pool", "global_avg_pool_backward"),
    *("leaky_relu_backward", "sigmoid", "softmax", "softmax_cross_entropy_backward", "mean_squared_error"),
)
GRADED = KINDS if DRAWS > 100 else SOME


def changed(kind: str, change: Callable[[Array], Array], leaf: int = 0) -> Callable[..., Any]:
    """The reference with one output changed."""

    def candidate(*args: Any, **options: Any) -> Any:
        leaves = list(as_leaves(kind_of(kind).reference(*args, **options)))
        leaves[leaf] = change(leaves[leaf])
        return tuple(leaves) if len(leaves) > 1 else leaves[0]

    return candidate


@pytest.mark.parametrize(
    ("kind", "decimals"), [*((kind, 6) for kind in GRADED), *(("conv_backward", n) for n in (1, 3, 8, 10)), ("sigmoid", 3)]
)
def test_decimals_are_no_precision(kind: str, decimals: int) -> None:
    report = grade(changed(kind, lambda leaf: np.round(leaf, decimals)), kind)
    assert report.verdict == "bug"
    assert f"rounded to {decimals} decimal" in str(report.diagnosis)


@pytest.mark.parametrize("leaf", [0, 1, 2])
def test_decimals_in_any_gradient(leaf: int) -> None:
    report = grade(changed("conv_backward", lambda array: np.round(array, 5), leaf), "conv_backward")
    assert report.verdict == "bug"
    assert str(report.diagnosis).startswith(f"{('dx', 'dw', 'db')[leaf]} is rounded to 5 decimals")


@pytest.mark.parametrize("kind", GRADED)
def test_a_constant_added_is_no_rounding(kind: str) -> None:
    assert grade(changed(kind, lambda leaf: leaf + 1e-8), kind).verdict == "bug"


def test_the_side_is_said() -> None:
    assert "too large everywhere, by up to 1.0e-08" in str(grade(changed("tanh", lambda y: y + 1e-8), "tanh").diagnosis)
    assert "too near to 0 everywhere" in str(grade(changed("gelu", lambda y: y * (1 - 1e-8)), "gelu").diagnosis)


def test_a_constant_in_the_denominator() -> None:
    def softmax(x: Array) -> Array:
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / (e.sum(-1, keepdims=True) + 1e-8)

    def cross_entropy(logits: Array, labels: Array) -> Array:
        t = labels if labels.shape == logits.shape else np.eye(logits.shape[-1])[labels]
        return -(t * np.log(kind_of("softmax").reference(logits) + 1e-8)).sum(-1)

    assert "too small everywhere" in str(grade(softmax, "softmax").diagnosis)
    assert grade(cross_entropy, "softmax_cross_entropy").verdict == "bug"


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (kind, argument)
        for kind in ("conv", "conv_backward", "dense_backward", "avg_pool", "conv_transpose")
        for argument in (0, 1)
    ]
    + [("tanh_backward", 0), ("softmax_backward", 0)],
)
@pytest.mark.parametrize("decimals", [3, 5, 7] if DRAWS > 100 else [7])
def test_arguments_rounded_to_decimals(kind: str, argument: int, decimals: int) -> None:
    def candidate(*args: Any, **options: Any) -> Any:
        given = list(args)
        if isinstance(given[argument], np.ndarray):
            given[argument] = np.round(given[argument], decimals)
        else:
            given[0] = np.round(given[0], decimals)
        return kind_of(kind).reference(*given, **options)

    report = grade(candidate, kind)
    assert report.verdict == "bug"


def test_maxima_compared_with_a_tolerance() -> None:
    def share(seen: Array) -> Array:
        close = np.isclose(seen, seen.max(0), rtol=0, atol=1e-8)
        return close * (np.cumsum(close, 0) == 1)

    reference = kind_of("max_pool_backward").reference
    report = grade(lambda dy, x, size, **o: reference(dy, x, size, share=share, **o), "max_pool_backward")
    assert report.verdict == "bug"


KINDS_OF_PRODUCTS = ("dense_backward", "relu_backward", "softmax_backward", "softmax_cross_entropy_backward")


@pytest.mark.parametrize("kind", KINDS_OF_PRODUCTS)
def test_what_is_wrong_is_no_rounding_where_numbers_are_tiny(kind: str) -> None:
    """A number five times as large as the right one is off by four of it, however small both are."""
    report = grade(changed(kind, lambda leaf: 5 * leaf), kind)
    rows = [row for row in report.rows if "all tiny" in row.case and row.leaf == kind_of(kind).leaves[0]]
    assert rows
    assert {row.verdict for row in rows} == {"bug"}


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_tiny_numbers_may_lose_their_digits_in_a_float_that_is_computed_in(precision: str) -> None:
    def rounded(dy: Array, x: Array) -> Array:
        return (dy * (x > 0)).astype(precision)

    report = grade(rounded, "relu_backward")
    assert report.verdict == "rounding"
    assert f"{precision} arithmetic" in report.mistakes
