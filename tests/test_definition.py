"""The definition against a second author's: tests.references walks the same windows in code of its own."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn import conv_backward
from jcnn.definition import avg_pool_definition, conv_backward_definition, conv_definition, max_pool_definition
from jcnn.geometry import GeometryError
from tests import references
from tests.draws import draws
from tests.geometries import geometries, pools
from tests.references import Geometry, assert_agree, levels, normal

GROUPS = st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6)])


@given(geometries(), GROUPS)
@draws()
def test_conv(geometry: Geometry, channels: tuple[int, int, int]) -> None:
    groups, c_in, c_out = channels
    x, w, b = normal(2, *geometry.sizes, c_in), normal(*geometry.window, c_in // groups, c_out), normal(c_out)
    assert_agree(conv_definition(x, w, b, groups=groups, **geometry.options), references.conv(x, w, b, geometry, groups))


@given(geometries(), GROUPS)
@draws()
def test_the_gradients_are_the_adjoints(geometry: Geometry, channels: tuple[int, int, int]) -> None:
    """⟨dy, conv(x, w)⟩ is linear in x and in w: it is ⟨dx, x⟩ and ⟨dw, w⟩, for any other x and w in their places as well."""
    groups, c_in, c_out = channels
    options: Any = {**geometry.options, "groups": groups}
    x, w = normal(2, *geometry.sizes, c_in), normal(*geometry.window, c_in // groups, c_out)
    z, v = normal(*x.shape, seed=1), normal(*w.shape, seed=1)
    dy = normal(2, *geometry.outputs, c_out)
    dx, dw, db = conv_backward_definition(dy, x, w, **options)
    size = np.vdot(abs(dy), conv_definition(abs(x) + abs(z), abs(w) + abs(v), **options))
    assert abs(np.vdot(dx, z) - np.vdot(dy, conv_definition(z, w, **options))) <= 1e-13 * size
    assert abs(np.vdot(dw, v) - np.vdot(dy, conv_definition(x, v, **options))) <= 1e-13 * size
    assert_agree(db, dy.reshape(-1, c_out).sum(0))


@given(pools(), st.integers(2, 9))
@draws()
def test_pools(geometry: Geometry, count: int) -> None:
    x = levels(2, *geometry.sizes, 2, count=count)
    expected, _ = references.max_pool(x, np.zeros((2, *geometry.outputs, 2)), geometry)
    np.testing.assert_array_equal(max_pool_definition(x, geometry.window, **geometry.options), expected)
    for count_padding in (False, True):
        y = avg_pool_definition(x, geometry.window, count_padding=count_padding, **geometry.options)
        assert_agree(y, references.avg_pool(x, geometry, count_padding=count_padding))


def test_the_library_agrees() -> None:
    x, w, dy = normal(1, 5, 4, 2), normal(3, 2, 2, 3), normal(1, 3, 3, 3)
    expected = conv_backward_definition(dy, x, w)
    assert_agree(conv_backward(dy, x, w), expected)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("pool", [max_pool_definition, avg_pool_definition])
@pytest.mark.parametrize(
    ("shape", "window", "padding", "position"),
    [
        ((1, 4, 1), 1, 1, r"\(0,\)"),
        ((1, 4, 4, 1), 1, ((0, 1), (0, 0)), r"\(4, 0\)"),
        ((1, 4, 4, 1), 1, ((0, 1), (0, 1)), r"\(0, 4\)"),
        ((1, 4, 4, 1), 2, ((2, 0), (0, 2)), r"\(0, 0\)"),
    ],
)
def test_a_window_on_padding_alone_is_refused(
    pool: Any, shape: tuple[int, ...], window: int, padding: Any, position: str
) -> None:
    """The first such window, row by row, is named."""
    with pytest.raises(GeometryError, match=f"window {position} sees only padding"):
        pool(normal(*shape), window, stride=1, padding=padding)


def test_padding_that_counts_is_seen() -> None:
    y = avg_pool_definition(normal(1, 4, 1), 1, padding=1, count_padding=True)
    assert (y[0, 0, 0], y[0, -1, 0]) == (0, 0)
