"""An argument that is read in a wrong order, and a result that is written in one, are said as it is done."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn.check.probing.explain import find_differences
from jcnn.definition import sums
from tests import draws
from tests.check.probing.test_explain import answering

DRAWS = 2 if draws.DRAWS <= draws.DEFAULT else 40

Array = np.ndarray
Order = tuple[int, ...]

NAMES = {
    "dy": ("example", "row", "column", "channel"),
    "x": ("example", "row", "column", "channel"),
    "w": ("row", "column", "input channel", "output channel"),
}
USED_BY = {"dy": ("dx", "dw"), "x": ("dw",), "w": ("dx",)}


def poured(array: Array, lie: Order, read: Order) -> Array:
    """An array whose numbers are laid out in one order of the axes, and taken for laid out in another."""
    shape = [array.shape[axis] for axis in read]
    return array.transpose(lie).reshape(shape).transpose(np.argsort(read))


def words(names: tuple[str, ...], order: Order) -> str:
    return f"({', '.join(names[axis] for axis in order)})"


def said(name: str, lie: Order, read: Order) -> list[str]:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> tuple[Array, ...]:
        changed = {"dy": dy, "x": x, "w": w}
        changed[name] = poured(changed[name], lie, read)
        dx, dw, _ = sums.conv_backward(changed["dy"], changed["x"], changed["w"], stride=stride, padding=padding)
        return dx, dw, dy.sum((0, 1, 2))

    return [finding.rule for finding in find_differences("conv_backward", answering(backward, "conv_backward"))]


@settings(max_examples=DRAWS, deadline=None)
@given(
    name=st.sampled_from(("x", "w")),
    order=st.sampled_from([order for order in itertools.permutations(range(4)) if order != (0, 1, 2, 3)]),
)
def test_an_argument_that_is_reshaped_is_said_in_the_right_direction(name: str, order: Order) -> None:
    as_it_is = (0, 1, 2, 3)
    rules = said(name, as_it_is, order)
    assert len(rules) == len(USED_BY[name])
    for leaf, rule in zip(USED_BY[name], rules, strict=True):
        assert rule.startswith(f"{leaf}: {name} is used "), rule
        if "come in the order" in rule:
            lie, read = (part.split(")")[0].split(", ") for part in rule.split("in the order (")[1:3])
            made = tuple(tuple(NAMES[name].index(noun) for noun in nouns) for nouns in (lie, read))
            array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
            np.testing.assert_array_equal(poured(array, *made), poured(array, as_it_is, order))


def test_images_with_the_channels_first_are_read_examples_last() -> None:
    for rule in said("dy", (0, 3, 1, 2), (3, 0, 1, 2)):
        assert f"come in the order {words(NAMES['dy'], (0, 3, 1, 2))}" in rule
        assert f"came in the order {words(NAMES['dy'], (3, 0, 1, 2))}" in rule


@pytest.mark.parametrize("leaf", ["dx", "dw"])
def test_a_dense_layer_has_no_rows_and_columns(leaf: str) -> None:
    def backward(dy: Array, x: Array, w: Array) -> tuple[Array, ...]:
        dx, dw = dy @ w.T, x.T @ dy
        made = {"dx": dx.T.reshape(dx.shape) if leaf == "dx" else dx, "dw": dw.T.reshape(dw.shape) if leaf == "dw" else dw}
        return made["dx"], made["dw"], dy.sum(0)

    (finding,) = find_differences("dense_backward", answering(backward, "dense_backward"))
    assert finding.rule.startswith(f"{leaf} is returned")
    assert "row" not in finding.rule
