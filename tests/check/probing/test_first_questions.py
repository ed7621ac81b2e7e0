"""An array that is overwritten before it is used is told from other things that are not linear."""

import numpy as np
import pytest

from jcnn.check.probing.explain import find_differences
from tests.check.probing.test_explain import answering

Array = np.ndarray
Gradients = tuple[Array, Array, Array]


def walked(dy: Array, x: Array, w: Array, stride: int, padding: int, *, erased: bool, shared: bool, squared: bool) -> Gradients:
    """The gradients of a convolution, dx added up in the padded x itself, or dy squared for dw."""
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    grown = padded if shared else np.zeros_like(padded)
    if erased:
        padded[:] = 0
    dw = np.zeros_like(w)
    high, wide = w.shape[:2]
    for i, j in np.ndindex(dy.shape[1:3]):
        at = slice(None), slice(i * stride, i * stride + high), slice(j * stride, j * stride + wide)
        dw += np.tensordot(padded[at], dy[:, i, j] ** (2 if squared else 1), axes=(0, 0))
        grown[at] += np.tensordot(dy[:, i, j], w, axes=(1, 3))
    return grown[:, padding : padding + x.shape[1], padding : padding + x.shape[2]], dw, dy.sum((0, 1, 2))


def said(**how: bool) -> str:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        return walked(dy, x, w, stride, padding, **{"erased": False, "shared": False, "squared": False, **how})

    return " ".join(finding.rule for finding in find_differences("conv_backward", answering(backward, "conv_backward")))


def test_an_array_that_is_overwritten_is_said() -> None:
    assert "dw does not depend on x: the array of x is overwritten before it is used" in said(erased=True, shared=True)
    assert "besides x, what was written for dx is multiplied by dy" in said(shared=True)


@pytest.mark.parametrize("how", [{"squared": True}, {"erased": True}], ids=["squared", "erased alone"])
def test_what_is_not_overwritten_by_a_gradient_is_not_said_to_be(how: dict[str, bool]) -> None:
    assert "written" not in said(**how)


def test_a_weight_matrix_that_is_overwritten_is_said() -> None:
    def backward(dy: Array, x: Array, w: Array) -> Gradients:
        dw = w.copy()
        dw[:] = x.T @ dy
        return dy @ dw.T, dw, dy.sum(0)

    (finding,) = find_differences("dense_backward", answering(backward, "dense_backward"))
    assert finding.rule.startswith("dx does not depend on w: the array of w is overwritten")
