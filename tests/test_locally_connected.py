"""The locally connected layer against conv, against walking the window, and its gradients against jax.vjp."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from jcnn import locally_connected, locally_connected_backward
from jcnn.definition import conv_definition
from tests.draws import draws
from tests.geometries import geometries
from tests.references import Geometry, assert_agree, levels, normal, walk


def options_of(geometry: Geometry) -> dict[str, Any]:
    return {name: value for name, value in geometry.options.items() if name != "rounding"}


@given(geometries(roundings=("floor",)))
@draws(parts=2)
def test_with_shared_weights_it_is_conv(geometry: Geometry) -> None:
    options = options_of(geometry)
    x, w = normal(2, *geometry.sizes, 2), normal(*geometry.window, 2, 3)
    everywhere = np.broadcast_to(w, (*geometry.outputs, *w.shape))
    y = jax.jit(partial(locally_connected, **options))(x, everywhere)
    assert_agree(y, conv_definition(x, w, **options))


@given(geometries(roundings=("floor",)))
@draws(parts=2)
def test_the_sum_and_its_gradients(geometry: Geometry) -> None:
    options = options_of(geometry)
    x, w, b, dy = (
        normal(2, *geometry.sizes, 2),
        normal(*geometry.outputs, *geometry.window, 2, 3),
        normal(*geometry.outputs, 3),
        normal(2, *geometry.outputs, 3, seed=1),
    )

    @jax.jit
    def library(dy: jax.Array, x: jax.Array, w: jax.Array, b: jax.Array) -> Any:
        y, pullback = jax.vjp(partial(locally_connected, **options), x, w, b)
        return y, locally_connected_backward(dy, x, w, **options), pullback(dy)

    y, by_hand, derived = library(dy, x, w, b)
    expected = np.zeros_like(dy) + b
    for output, pairs in walk(geometry):
        for tap, pixel in pairs:
            expected[(slice(None), *output)] += x[(slice(None), *pixel)] @ w[(*output, *tap)]
    assert_agree(y, expected)
    assert_agree(by_hand, derived)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_sums_are_rounded_once(dtype: str) -> None:
    x, w = (jnp.asarray(a, dtype) for a in (normal(2, 6, 6, 8), normal(4, 4, 3, 3, 8, 2)))
    y = locally_connected(x, w)
    wide = [a.astype(jnp.float64) for a in (x, w)]
    exact, magnitude = locally_connected(*wide), locally_connected(*map(jnp.abs, wide))
    unit = float(jnp.finfo(dtype).eps) / 2
    assert y.dtype == dtype
    assert (jnp.abs(y.astype(jnp.float64) - exact) <= unit * jnp.abs(exact) + 72 * 2.0**-24 * magnitude).all()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_are_exact(dtype: str) -> None:
    x, w = levels(1, 4, 4, 2).astype(dtype), levels(3, 3, 2, 2, 2, 1).astype(dtype)
    y = locally_connected(x, w + 2**26)
    assert y.dtype == dtype
    wide = locally_connected(x.astype(np.float64), (w + 2**26).astype(np.float64))  # below 2⁵³: exact as well
    np.testing.assert_array_equal(y, np.asarray(wide).astype(dtype))


@pytest.mark.parametrize(
    ("shapes", "error", "message"),
    [
        (((1, 5, 2), (3, 3, 2)), ValueError, r"w has shape \(3, 3, 2\): expected \(\*O, \*F, C_in, C_out\), 4 axes"),
        (((1, 5, 2), (3, 3, 1, 2)), ValueError, "x has 2 channels"),
        (((1, 5, 2), (4, 3, 2, 2)), ValueError, r"filters for \(4,\) positions \(shape .*\): expected \(3,\)"),
        (((1, 5, 2), (3, 3, 2, 2), (2,)), ValueError, r"b has shape \(2,\): expected \(3, 2\)"),
        (((1, 2, 2), (1, 3, 2, 2)), ValueError, "F=3"),
    ],
    ids=["rank", "channels", "positions", "bias", "too-small"],
)
def test_what_does_not_fit_is_named(shapes: tuple[tuple[int, ...], ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        locally_connected(*map(jnp.ones, shapes))


def test_the_output_gradient_has_the_shape_of_the_output() -> None:
    with pytest.raises(ValueError, match=r"dy has shape \(1, 2, 2\): expected \(1, 3, 2\)"):
        locally_connected_backward(jnp.ones((1, 2, 2)), jnp.ones((1, 5, 2)), jnp.ones((3, 3, 2, 2)))
