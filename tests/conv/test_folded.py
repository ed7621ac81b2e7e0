"""Neighbouring pixels folded into the channels: the same convolution and filter gradient, for every geometry."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn.conv.folded import conv_folded, filter_gradient_folded, fits
from jcnn.conv.im2col import by_patches
from jcnn.conv.lax import conv_lax
from jcnn.conv.taps import by_taps
from jcnn.geometry import GeometryError
from jcnn.window import Window, parse_window
from tests.references import normal

GEOMETRIES = [
    ((6, 8), (3, 3), {"padding": 1}),
    ((6, 9), (3, 3), {"padding": 1}),  # an odd number of outputs
    ((7, 6), (2, 2), {}),
    ((5, 11), (1, 5), {"stride": 2, "padding": 2}),
    ((9, 12), (3, 3), {"stride": (1, 3), "padding": ((0, 2), (1, 0))}),  # pixels between the windows, and at the end
    ((6, 12), (2, 3), {"dilation": (1, 3)}),
    ((6, 13), (2, 3), {"dilation": 2, "stride": 2, "rounding": "ceil"}),
    ((6, 8), (3, 3), {"padding": ((3, 4), (2, 5))}),
    ((4, 3), (2, 3), {}),  # one output
    ((11,), (4,), {"stride": 3, "padding": 2}),
    ((4, 3, 8), (2, 3, 3), {"stride": (2, 1, 1), "padding": 1}),
]


@partial(jax.jit, static_argnums=(3,))
def _both(x: jax.Array, w: jax.Array, dy: jax.Array, window: Window) -> tuple[Any, Any]:
    form = by_patches
    mine = conv_folded(x, w, window, 1), filter_gradient_folded(dy, x, window, 1, form)
    return mine, (conv_lax(x, w, window, 1), by_taps(dy, x, window, 1))


@pytest.mark.parametrize(("sizes", "taps", "options"), GEOMETRIES, ids=str)
def test_the_same_output_and_filter_gradient(sizes: tuple[int, ...], taps: tuple[int, ...], options: dict) -> None:
    window = parse_window(sizes, taps, **options)
    x, w, dy = normal(2, *sizes, 3), normal(*taps, 3, 4), normal(2, *window.output_shape(sizes), 4)
    found, expected = _both(*map(jnp.asarray, (x, w, dy)), window)
    for mine, right in zip(found, expected, strict=True):
        # At most a few hundred products near 1 in float64, in another order.
        np.testing.assert_allclose(mine, right, rtol=0, atol=1e-12)


def test_bfloat16_is_summed_in_float32() -> None:
    window = parse_window((6, 8), (3, 3), padding=1)
    x, dy = (jnp.asarray(normal(4, 6, 8, channels), jnp.bfloat16) for channels in (2, 3))
    found = filter_gradient_folded(dy, x, window, 1, by_patches)
    assert found.dtype == jnp.float32
    exact = by_taps(dy.astype(jnp.float64), x.astype(jnp.float64), window, 1)
    # 4·6·8 roundings in float32 of products near 1; one in bfloat16 would be a hundred times as large.
    error = np.abs(np.asarray(found, np.float64) - np.asarray(exact))
    assert error.max() <= 1e-4


@settings(max_examples=15)
@given(data=st.data())
def test_integers_stay_exact_for_any_geometry_of_a_line(data: st.DataObject) -> None:
    """The axis that is folded, alone: any size, filter, stride, padding and dilation."""
    draw = data.draw
    n, f, s, d = (draw(st.integers(1, most)) for most in (12, 5, 3, 3))
    try:
        window = parse_window((n,), f, stride=s, padding=((draw(st.integers(0, 4)), draw(st.integers(0, 4))),), dilation=d)
    except GeometryError:
        return
    seed = np.random.default_rng(draw(st.integers(0, 2**16)))
    x, w = (jnp.asarray(seed.integers(-9, 9, shape), jnp.int32) for shape in ((2, n, 2), (f, 2, 3)))
    np.testing.assert_array_equal(conv_folded(x, w, window, 1), conv_lax(x, w, window, 1))


def test_nan_stays_with_its_cell() -> None:
    """Zeros of the spread filters meet it: it may reach the windows beside those that see it, no further."""
    window = parse_window((4, 12), (3, 3), padding=1)
    x = normal(1, 4, 12, 2)
    x[0, 1, 5] = np.nan
    y = np.asarray(conv_folded(jnp.asarray(x), jnp.asarray(normal(3, 3, 2, 2)), window, 1))
    lost = np.isnan(y[0, :, :, 0])
    assert lost[:3, 4:7].all()  # what sees it
    assert not lost[3].any()
    assert not lost[:, :4].any()
    assert not lost[:, 8:].any()


def test_fitting_outputs_fill_their_cells() -> None:
    assert [fits(outputs) for outputs in (1, 2, 3, 28)] == [False, True, False, True]
