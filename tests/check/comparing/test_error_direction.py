"""Errors of rounding's size that all point the same way are none of rounding."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.check import compare
from tests.draws import draws
from tests.references import normal

X, W = normal(64, 32), normal(32, 64, seed=1)
Gradients = tuple[Any, Any]


def forward(x: Any, w: Any) -> Any:
    return x @ w


def changed(change: Callable[[Any], Any]) -> Callable[..., Gradients]:
    """The gradients of `forward`, the first of them changed."""

    def backward(dy: Any, x: Any, w: Any) -> Gradients:
        return change(dy @ w.T), x.T @ dy

    return backward


@pytest.mark.parametrize("factor", [1 + 1e-12, 1 - 1e-8, 1.00001, 0.999, 1.01, 1.05])
def test_a_factor_is_no_rounding_however_near_to_one(factor: float) -> None:
    report = compare(forward, changed(lambda dx: dx * factor), X, W)
    assert report.verdict == "bug"
    assert "times what it should be" in str(report.diagnosis)


@pytest.mark.parametrize(("dtype", "factor"), [("float32", 1.0003), ("float32", 1.05), ("float16", 1.05)])
def test_a_factor_in_fewer_bits(dtype: str, factor: float) -> None:
    report = compare(forward, changed(lambda dx: dx * np.asarray(factor, dx.dtype)), X, W, dtype=dtype)
    assert report.verdict == "bug"


@pytest.mark.parametrize("added", [1e-10, -1e-7, 1e-4])
def test_a_constant_is_no_rounding(added: float) -> None:
    report = compare(forward, changed(lambda dx: dx + added), X, W)
    assert report.verdict == "bug"
    assert f"too {'large' if added > 0 else 'small'} by" in str(report.diagnosis)


def in_single(dy: Any, x: Any, w: Any) -> Gradients:
    dy, x, w = (np.asarray(array, np.float32) for array in (dy, x, w))
    return dy @ w.T, x.T @ dy


def with_a_rounded_constant(dy: Any, x: Any, w: Any) -> Gradients:
    third = np.float32(1 / 3)
    dy, x, w = (np.asarray(array, np.float32) for array in (dy, x, w))
    return 3 * (third * dy) @ w.T, x.T @ dy


@pytest.mark.parametrize("backward", [in_single, with_a_rounded_constant])
def test_honest_single_precision_is_rounding(backward: Callable[..., Gradients]) -> None:
    assert compare(forward, backward, X, W).verdict == "rounding"


@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["float64", "float32", "float16", "bfloat16"]))
@draws(parts=8)
def test_no_false_alarm(seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    n, c_in, c_out = rng.integers(1, 40, 3)
    scale = 10.0 ** rng.integers(-3, 4)
    x, w = rng.normal(size=(n, c_in)) * scale, np.abs(rng.normal(size=(c_in, c_out)))
    assert compare(forward, changed(lambda dx: dx), x, w, dtype=dtype).verdict in {"agrees", "rounding"}
