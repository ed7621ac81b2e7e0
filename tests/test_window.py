"""The walk: what a tap sees, and that putting it back is the adjoint."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from jcnn.window import Window, parse_window
from tests.geometries import geometries
from tests.references import Geometry, assert_agree, normal, walk


def parsed(geometry: Geometry) -> Window:
    return parse_window(geometry.sizes, geometry.window, **geometry.options)


@given(geometries())
@settings(max_examples=30)
def test_view_takes_the_pixels_of_the_formula(geometry: Geometry) -> None:
    window = parsed(geometry)
    assert window.output_shape(geometry.sizes) == geometry.outputs
    x = normal(1, *geometry.sizes, 2)
    views = jax.jit(lambda x: [window.view(window.pad(x), tap) for tap in window.taps()])(x)
    seen = dict(zip(window.taps(), map(np.asarray, views), strict=True))
    assert list(seen) == list(np.ndindex(*geometry.window))
    for output, pairs in walk(geometry):
        pixels = dict(pairs)
        for tap, values in seen.items():
            expected = x[(0, *pixels[tap])] if tap in pixels else 0
            np.testing.assert_array_equal(values[(0, *output)], expected)


@given(geometries())
@settings(max_examples=30)
def test_place_is_the_adjoint_of_view(geometry: Geometry) -> None:
    window = parsed(geometry)
    x, y = normal(2, *geometry.sizes, 1), normal(2, *geometry.outputs, 1, seed=1)

    @jax.jit
    def both(x: jax.Array, y: jax.Array) -> tuple[dict[tuple[int, ...], jax.Array], ...]:
        padded = window.pad(x)
        views = {tap: window.view(padded, tap) for tap in window.taps()}
        return views, {tap: window.place(y, tap, geometry.sizes) for tap in window.taps()}

    views, places = both(jnp.asarray(x), jnp.asarray(y))
    for tap, view in views.items():
        there, back = np.vdot(view, y), np.vdot(x, places[tap])
        # One rounding a term, of products bounded by the norms (Cauchy and Schwarz).
        assert abs(there - back) <= 2**-52 * x.size * np.linalg.norm(x) * np.linalg.norm(y)


@given(geometries())
def test_seen_counts_the_taps_on_the_input(geometry: Geometry) -> None:
    window = parsed(geometry)
    counts = window.seen(geometry.sizes, ((0, 0),) * len(geometry.sizes))
    for output, pairs in walk(geometry):
        assert np.prod([axis[o] for axis, o in zip(counts, output, strict=True)]) == len(pairs)


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param({"size": 3, "stride": 2, "padding": 1, "dilation": 1}, id="ints"),
        pytest.param({"size": (3, 3), "stride": (2, 2), "padding": (1, 1), "dilation": (1, 1)}, id="one-per-axis"),
        pytest.param({"size": [3, 3], "stride": [2, 2], "padding": [[1, 1], [1, 1]]}, id="lists"),
        pytest.param({"size": 3, "stride": 2, "padding": ((1, 1), 1)}, id="pair-and-int"),
        pytest.param({"size": np.int64(3), "stride": np.int32(2), "padding": np.int8(1)}, id="numpy-ints"),
        pytest.param({"size": 3, "stride": 2, "padding": "same"}, id="same"),
    ],
)
def test_every_spelling_of_one_window(spelled: dict[str, Any]) -> None:
    assert parse_window((7, 9), **spelled) == Window((3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))


def test_no_stride_means_the_window() -> None:
    assert parse_window((6, 6), (2, 3), stride=None).stride == (2, 3)


def test_a_window_is_hashable() -> None:
    assert len({parse_window((6,), 3), parse_window((6,), [3])}) == 1


def test_pad_writes_the_value_asked_for() -> None:
    window = parse_window((2,), 2, padding=((1, 2),))
    assert_agree(window.pad(jnp.ones((1, 2, 1)), 7.0)[0, :, 0], [7, 1, 1, 7, 7])
