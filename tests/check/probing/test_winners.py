"""Which pixel of a window gets the gradient of a maximum, and where its place is taken for another."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn.check.probing.collect import read_terms
from jcnn.check.probing.explain import explain_outputs, find_differences
from jcnn.check.probing.geometries import Geometry
from jcnn.check.probing.plans import PLANS
from jcnn.check.probing.rules import Rule
from tests.check.probing.test_explain import answering

Array = np.ndarray
Place = Callable[[int, int, int, int], tuple[int, int]]


STARTS: dict[str, tuple[Callable[[int, int, int], int], str]] = {
    "without the stride": (lambda i, step, padding: i - padding, "counted from (i, j), without the stride,"),
    "without the padding": (lambda i, step, padding: i * step, "counted from (S·i, S·j), without the padding,"),
    "of the padded image": (lambda i, step, padding: -padding, "counted from (0, 0), the corner of the padded image,"),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_place_that_is_counted_from_elsewhere_is_said(name: str) -> None:
    start, words = STARTS[name]

    def backward(dy: Array, x: Array, window: Any, stride: int | None = None, padding: int = 0) -> Array:
        high, wide = sizes_of(window)
        step = stride or high
        _, h, w, _ = x.shape
        sides = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        padded = np.pad(x, sides, constant_values=-np.inf)
        dx = np.zeros_like(x)
        for n, i, j, c in np.ndindex(dy.shape):
            a, b = divmod(int(padded[n, i * step : i * step + high, j * step : j * step + wide, c].argmax()), wide)
            row, column = start(i, step, padding) + a, start(j, step, padding) + b
            if 0 <= row < h and 0 <= column < w:
                dx[n, row, column, c] += dy[n, i, j, c]
        return dx

    (finding,) = find_differences("max_pool_backward", answering(backward, "max_pool_backward"))
    assert words in finding.rule


def sizes_of(window: Any) -> tuple[int, int]:
    return (window, window) if isinstance(window, int) else window


def pooling(place: Place) -> Callable[..., Array]:
    """The gradient of max pooling, the place of a maximum in its window taken for another; without padding."""

    def backward(dy: Array, x: Array, window: Any, stride: int | None = None) -> Array:
        high, wide = sizes_of(window)
        step = stride or high
        dx = np.zeros_like(x)
        for n, i, j, c in np.ndindex(dy.shape):
            seen = x[n, i * step : i * step + high, j * step : j * step + wide, c]
            a, b = place(*divmod(int(seen.argmax()), wide), high, wide)
            dx[n, i * step + a, j * step + b, c] += dy[n, i, j, c]
        return dx

    return backward


PLACES: dict[str, tuple[Place, str]] = {
    "split by the height": (lambda a, b, high, wide: divmod(a * wide + b, high), "split by the window's height"),
    "across": (lambda a, b, high, wide: (high - 1 - a, wide - 1 - b), "the pixel across from the largest"),
    "upside down": (lambda a, b, high, wide: (high - 1 - a, b), "the pixel across from the largest, by rows"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_wrong_place_in_the_window_is_said(name: str) -> None:
    place, words = PLACES[name]
    (finding,) = find_differences("max_pool_backward", answering(pooling(place), "max_pool_backward"))
    assert words in finding.rule


def together(axes: tuple[int, ...]) -> Callable[..., Array]:
    """One maximum over these axes and the window, in each window."""

    def backward(dy: Array, x: Array, window: Any, stride: int | None = None, padding: int = 0) -> Array:
        high, wide = sizes_of(window)
        step = stride or high
        h, w = x.shape[1:3]
        sides = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        padded = np.pad(x, sides, constant_values=-np.inf)
        dx = np.zeros_like(padded)
        for i, j in np.ndindex(dy.shape[1:3]):
            at = np.s_[:, i * step : i * step + high, j * step : j * step + wide]
            largest = padded[at] == padded[at].max(axis=axes, keepdims=True)
            dx[at] += largest * dy[:, i : i + 1, j : j + 1]
        return dx[:, padding : padding + h, padding : padding + w]

    return backward


AXES = {
    "channels": ((1, 2, 3), "largest over all channels together"),
    "examples": ((0, 1, 2), "largest over all examples together"),
    "examples and channels": ((0, 1, 2, 3), "largest over all examples and channels together"),
}


@pytest.mark.parametrize("name", AXES)
def test_one_maximum_for_all_is_said(name: str) -> None:
    axes, words = AXES[name]
    (finding,) = find_differences("max_pool_backward", answering(together(axes), "max_pool_backward"))
    assert words in finding.rule


def test_of_one_maximum_for_each_channel_nothing_is_said() -> None:
    assert find_differences("max_pool_backward", answering(together((1, 2)), "max_pool_backward")) == ()


CANDIDATES = {
    **{name: pooling(place) for name, (place, _) in PLACES.items()},
    **{name: together(axes) for name, (axes, _) in AXES.items()},
}


@lru_cache
def rule_of(name: str) -> Rule:
    (plan,) = PLANS["max_pool_backward"]
    (explained,) = explain_outputs("max_pool_backward", answering(CANDIDATES[name], "max_pool_backward"), plan)
    assert isinstance(explained.rule, Rule)
    return explained.rule


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(sorted(CANDIDATES)),
    geometry=st.builds(
        Geometry,
        height=st.integers(4, 7),
        width=st.integers(4, 7),
        window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
        stride=st.integers(1, 3),
        padding=st.just(0),
        examples=st.integers(1, 3),
        inputs=st.integers(1, 3),
        outputs=st.just(1),
    ),
)
def test_the_rule_holds_in_calls_that_are_drawn(name: str, geometry: Geometry) -> None:
    answer = answering(CANDIDATES[name], "max_pool_backward")
    (plan,) = PLANS["max_pool_backward"]
    for terms in read_terms("max_pool_backward", answer, plan, geometries=[geometry]).terms["dx"]:
        predicted = rule_of(name).coefficients(terms)
        assert predicted is not None
        np.testing.assert_allclose(predicted, terms.got, atol=1e-12)
