"""Transposed convolution is the adjoint of convolution."""

# NumPy arrays are taken where annotations say jax.Array.
# pyright: reportArgumentType=false

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn import conv, conv_transpose, conv_transpose_backward, output_size
from tests.geometries import geometries
from tests.references import Geometry, assert_agree, levels, normal

GROUPS = st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6)])


@given(geometries(roundings=("floor",)), GROUPS)
@settings(max_examples=40)
def test_adjoint_of_conv(geometry: Geometry, channels: tuple[int, int, int]) -> None:
    groups, c_in, c_out = channels
    options = {**geometry.options, "groups": groups}
    options.pop("rounding")
    x, w = normal(2, *geometry.sizes, c_in), normal(*geometry.window, c_in // groups, c_out)
    forth = np.asarray(jax.jit(partial(conv, **options))(x, w))
    assert forth.shape[1:-1] == geometry.outputs
    y = normal(*forth.shape, seed=1)
    back = np.asarray(jax.jit(partial(conv_transpose, output_size=geometry.sizes, **options))(y, w))
    # Relative to the norms that bound both sides (Cauchy and Schwarz): the two sums themselves may cancel.
    scale = max(np.linalg.norm(forth) * np.linalg.norm(y), np.linalg.norm(x) * np.linalg.norm(back))
    assert abs(np.vdot(forth, y) - np.vdot(x, back)) <= 1e-12 * scale


@given(geometries(ranks=(1, 2), roundings=("floor",)).filter(lambda g: not isinstance(g.padding, str)), st.integers(0, 2))
@settings(max_examples=40)
def test_size_of_its_own_choice_is_mapped_back(geometry: Geometry, extra: int) -> None:
    output_padding = tuple(min(extra, s - 1) for s in geometry.stride)
    options = {**geometry.options}
    options.pop("rounding")
    y, w = normal(1, *geometry.outputs, 2), normal(*geometry.window, 1, 2)
    axes = list(zip(geometry.window, geometry.stride, geometry.pairs, geometry.dilation, strict=True))
    smallest = [s * (o - 1) + d * (f - 1) + 1 - sum(p) for o, (f, s, p, d) in zip(geometry.outputs, axes, strict=True)]
    if min(smallest) < 1:
        with pytest.raises(ValueError, match=r"is empty|does not fit"):
            conv_transpose(y, w, **options)
        return
    x = jax.eval_shape(partial(conv_transpose, output_padding=output_padding, **options), y, w)
    assert x.shape[1:-1] == tuple(n + e for n, e in zip(smallest, output_padding, strict=True))
    for n, (f, s, p, d), o in zip(x.shape[1:-1], axes, geometry.outputs, strict=True):
        assert output_size(n, f, stride=s, padding=p, dilation=d) == o


@pytest.mark.parametrize("padding", ["same", "same_lower"])
def test_same_doubles_with_stride_two(padding: str) -> None:
    assert conv_transpose(normal(1, 5, 4, 2), normal(3, 3, 1, 2), stride=2, padding=padding).shape == (1, 10, 8, 1)


@pytest.mark.parametrize("sizes", [(5,), (4, 3), (3, 2, 2)], ids=["1d", "2d", "3d"])
def test_stride_one_is_scipy_s_full_convolution(sizes: tuple[int, ...]) -> None:
    y, w = normal(*sizes), normal(*(3,) * len(sizes), seed=1)
    x = conv_transpose(y[None, ..., None], w[..., None, None])[0, ..., 0]
    assert_agree(x, scipy.signal.convolve(y, w, "full", "direct"))


def test_bias_is_added_to_every_pixel_of_the_result() -> None:
    y, w, b = normal(1, 3, 3, 4), normal(2, 2, 1, 4), normal(2)
    plain = conv_transpose(y, w, stride=2, groups=2)
    assert_agree(conv_transpose(y, w, b, stride=2, groups=2) - plain, np.broadcast_to(b, plain.shape))


def test_its_gradient_is_the_convolution() -> None:
    y, w, dx = (jnp.asarray(a) for a in (normal(1, 3, 3, 2), normal(3, 3, 1, 2), normal(1, 7, 7, 1)))
    _, pullback = jax.vjp(lambda y: conv_transpose(y, w, stride=2), y)
    assert_agree(pullback(dx)[0], conv(dx, w, stride=2))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_are_exact(dtype: str) -> None:
    y, w = levels(1, 3, 3, 2).astype(dtype), levels(3, 3, 1, 2).astype(dtype)
    w[1, 1] = 2**27 + 1
    x = conv_transpose(y, w, stride=2)
    assert x.dtype == dtype
    wide = conv_transpose(y.astype(np.float64), w.astype(np.float64), stride=2)  # below 2⁵³: exact as well
    np.testing.assert_array_equal(x, np.asarray(wide).astype(np.int64))


@settings(max_examples=20)
@given(geometries(roundings=("floor",)), st.sampled_from([1, 2]))
def test_its_gradients_by_hand_are_what_jax_derives(g: Geometry, groups: int) -> None:
    w = normal(*g.window, 2, 2 * groups, seed=1)
    y, dx = normal(2, *g.outputs, 2 * groups, seed=2), normal(2, *g.sizes, 2 * groups, seed=3)
    options = {**{name: value for name, value in g.options.items() if name != "rounding"}, "groups": groups}

    @jax.jit
    def both(dx: Any, y: Any, w: Any) -> tuple[Any, Any]:
        transposed = partial(conv_transpose, **options, output_size=g.sizes)
        _, pull = jax.vjp(transposed, y, w, jnp.zeros(2 * groups))
        return conv_transpose_backward(dx, y, w, **options), pull(dx)

    assert_agree(*both(dx, y, w))


def test_its_backward_refuses_a_size_of_another_transpose() -> None:
    with pytest.raises(ValueError, match=r"y has shape \(1, 3, 1\): expected \(1, 4, 1\), what conv makes of dx's \(1, 5, 1\)"):
        conv_transpose_backward(np.ones((1, 5, 1)), np.ones((1, 3, 1)), np.ones((2, 1, 1)))
