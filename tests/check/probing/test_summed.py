"""Over which axes a bias's gradient is summed, said in the order of axes that the candidate has."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade
from jcnn.check.probing.explain import find_differences
from jcnn.check.probing.plans import PLANS
from jcnn.check.probing.summed import explain_sum
from jcnn.definition import sums
from tests.check.probing.test_explain import answering

Array = np.ndarray
Gradients = tuple[Array, Array, Array]
NAMES = ("examples", "rows", "columns", "channels")
WRONG = [axes for count in range(1, 5) for axes in itertools.combinations(range(4), count) if axes != (0, 1, 2)]


def with_db(db: Callable[[Array], Array]) -> Callable[..., Gradients]:
    """A convolution's gradients whose db is made in another way."""

    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        dx, dw, _ = sums.conv_backward(dy, x, w, stride=stride, padding=padding)
        return dx, dw, db(dy)

    return backward


@pytest.mark.parametrize("axes", WRONG, ids=str)
@pytest.mark.parametrize("how", ["sum", "mean"])
def test_wrong_axes_are_named(axes: tuple[int, ...], how: str) -> None:
    candidate = with_db(lambda dy: getattr(dy, how)(axis=axes))
    (plan,) = PLANS["conv_backward"]
    sentence = explain_sum("conv_backward", answering(candidate, "conv_backward"), plan, "db")
    said, _, right = str(sentence).partition(", where ")
    assert said.startswith(f"db is dy.{how}(")
    assert [name for name in NAMES if name in said] == [NAMES[axis] for axis in axes] or (
        len(axes) == 4 and "everything" in said
    )
    assert right == "dy.sum(axis=(0, 1, 2)), over examples, rows and columns, is right."


def test_axes_that_are_kept_are_named() -> None:
    candidate = with_db(lambda dy: dy.sum((0, 1, 2), keepdims=True))
    (finding,) = find_differences("conv_backward", answering(candidate, "conv_backward"))
    assert "dy.sum(axis=(0, 1, 2), keepdims=True)" in finding.rule


@pytest.mark.parametrize("axis", [1, None])
def test_of_a_dense_layer_too(axis: int | None) -> None:
    def backward(dy: Array, x: Array, w: Array) -> Gradients:
        return dy @ w.T, x.T @ dy, np.asarray(dy.sum(axis))

    (finding,) = find_differences("dense_backward", answering(backward, "dense_backward"))
    assert f"db is dy.sum({'' if axis is None else 'axis=1'})" in finding.rule
    assert "where dy.sum(axis=0), over examples, is right" in finding.rule


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2), (1,)], ids=str)
def test_axes_are_numbered_as_the_candidate_has_them(axes: tuple[int, ...]) -> None:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        given: list[Any] = [np.moveaxis(dy, 1, -1), np.moveaxis(x, 1, -1), w.transpose(2, 3, 1, 0)]
        dx, dw, _ = sums.conv_backward(*given, stride=stride, padding=padding)
        return np.moveaxis(dx, -1, 1), dw.transpose(3, 2, 0, 1), dy.sum(axis=axes)

    said = str(grade(backward, "conv_backward", layout="NCHW").diagnosis)
    assert f"db is dy.sum(axis={axes[0] if len(axes) == 1 else axes})" in said
    assert "where dy.sum(axis=(0, 2, 3)), over examples, rows and columns, is right" in said


def test_of_other_mistakes_of_a_bias_no_axes_are_said() -> None:
    findings = find_differences("conv_backward", answering(with_db(lambda dy: 3 * dy.sum((0, 1, 2))), "conv_backward"))
    assert not any("axis=" in finding.rule for finding in findings)
