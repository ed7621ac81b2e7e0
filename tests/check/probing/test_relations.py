"""Which pixels windows hold that are a view of memory by the strides of another array."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from jcnn.check import grade
from jcnn.check.probing.collect import read_terms
from jcnn.check.probing.explain import explain_outputs, find_differences
from jcnn.check.probing.plans import PLANS
from jcnn.check.probing.rules import Rule
from tests.check.probing.test_explain import HELD_OUT, answering

Array = np.ndarray
Strides = Callable[[Array, Array], tuple[int, ...]]


def viewing(strides_of: Strides) -> Callable[..., Array]:
    """A convolution by a view of windows, whose strides come from x and the padded x."""

    def conv(x: Array, w: Array, b: Array | None = None, stride: int = 1, padding: int = 0) -> Array:
        n, h, wide, c = x.shape
        fh, fw, _, _ = w.shape
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        sn, sh, sw, sc = strides_of(x, padded)
        rows, columns = (h + 2 * padding - fh) // stride + 1, (wide + 2 * padding - fw) // stride + 1
        shape, strides = (n, rows, columns, fh, fw, c), (sn, sh * stride, sw * stride, sh, sw, sc)
        y = np.tensordot(as_strided(padded, shape, strides), w, 3)
        return y if b is None else y + b

    return conv


VIEWS: dict[str, tuple[Strides, str]] = {
    "of x": (lambda x, padded: x.strides, "x before it was padded"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_strides_of_another_array_are_said_and_hold_elsewhere(name: str) -> None:
    strides, words = VIEWS[name]
    answer = answering(viewing(strides), "conv")
    plan = PLANS["conv"][0]
    (explained,) = explain_outputs("conv", answer, plan)
    assert words in explained.finding.rule
    assert isinstance(explained.rule, Rule)
    for terms in read_terms("conv", answer, plan, geometries=HELD_OUT).terms["y"]:
        predicted = explained.rule.coefficients(terms)
        assert predicted is not None
        np.testing.assert_allclose(predicted, terms.got, atol=1e-12)


def test_of_a_view_by_its_own_strides_nothing_is_said() -> None:
    assert find_differences("conv", answering(viewing(lambda x, padded: padded.strides), "conv")) == ()


def test_strides_of_another_array_are_said_with_the_channels_first_too() -> None:
    def conv(x: Array, w: Array, b: Array | None = None, stride: int = 1, padding: int = 0) -> Array:
        n, c, h, wide = x.shape
        _, _, fh, fw = w.shape
        padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        sn, sc, sh, sw = x.strides
        rows, columns = (h + 2 * padding - fh) // stride + 1, (wide + 2 * padding - fw) // stride + 1
        view = as_strided(padded, (n, rows, columns, c, fh, fw), (sn, sh * stride, sw * stride, sc, sh, sw))
        y = np.moveaxis(np.tensordot(view, w, ([3, 4, 5], [1, 2, 3])), -1, 1)
        return y if b is None else y + b[:, None, None]

    assert "x before it was padded" in str(grade(conv, "conv", layout="NCHW").diagnosis)
