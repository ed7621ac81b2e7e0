"""Winograd's convolution: tiles of every size, its stated error, what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn import conv
from jcnn.conv.winograd import conv_winograd, default_tile, winograd_bound
from jcnn.definition import conv_definition
from jcnn.window import parse_window
from tests.references import normal


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("sizes", "taps", "tile"),
    [
        ((11,), (3,), (2,)),
        ((11,), (3,), (4,)),
        ((30,), (3,), (8,)),
        ((20,), (5,), (4,)),
        ((20,), (7,), (6,)),
        ((12,), (1,), (3,)),
        ((12,), (12,), (1,)),
        ((10, 9), (3, 3), (2, 2)),
        ((10, 9), (3, 3), (4, 4)),
        ((14, 13), (5, 2), (3, 6)),
        ((6, 7, 5), (3, 3, 3), (2, 2, 2)),
        ((6, 7, 5), (2, 3, 1), (4, 3, 2)),
    ],
    ids=str,
)
def test_every_tile_keeps_to_its_bound(
    sizes: tuple[int, ...], taps: tuple[int, ...], tile: tuple[int, ...], dtype: str
) -> None:
    x, w = (np.asarray(a, dtype) for a in (normal(2, *sizes, 3), normal(*taps, 3, 2)))
    window = parse_window(sizes, taps, padding=1 if min(taps) > 2 else 0)
    y = jax.jit(lambda x, w: conv_winograd(x, w, window, 1, tile))(x, w)
    assert y.dtype == dtype
    error = np.abs(np.asarray(y, np.float64) - conv_definition(x, w, padding=window.padding))
    axes = tuple(range(1, len(sizes) + 1))
    scale = np.abs(x).max(axes) @ np.abs(w).sum(tuple(range(len(taps))))  # Σ_c max|x_c| · ‖w_c‖₁
    bound = winograd_bound(tile, taps, terms=3, dtype=dtype) * scale
    assert (error <= bound.reshape(2, *(1,) * len(sizes), 2)).all()


def test_larger_tiles_may_err_more() -> None:
    bounds = [winograd_bound((m, m), (3, 3), terms=16, dtype=np.float32) for m in (1, 2, 4, 6)]
    assert bounds == sorted(bounds)
    assert bounds[-1] < 0.1


def test_the_default_tile() -> None:
    assert default_tile((3, 3), (28, 28)) == (4, 4)
    assert default_tile((3, 3), (28, 2)) == (4, 2)
    assert default_tile((5, 1), (28, 28)) == (2, 1)
    assert default_tile((3, 3, 3), (8, 8, 8)) == (2, 2, 2)
    assert default_tile((11,), (28,)) == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"stride": 2}, r"stride=\(2, 2\), expected 1; use 'lax'"), ({"dilation": (1, 2)}, r"dilation=\(1, 2\), expected 1; use")],
    ids=["stride", "dilation"],
)
def test_steps_are_refused(options: dict[str, Any], message: str) -> None:
    x, w = jnp.ones((1, 7, 7, 1)), jnp.ones((3, 3, 1, 1))
    with pytest.raises(ValueError, match=message):
        conv(x, w, formulation="winograd", **options)


def test_products_saved() -> None:
    """F(4 × 4, 3 × 3): 36 products a tile and channel instead of 144, counted in the program."""
    x, w = jnp.ones((1, 10, 10, 5)), jnp.ones((3, 3, 5, 7))
    text = str(jax.make_jaxpr(lambda x, w: conv(x, w, formulation="winograd"))(x, w))
    assert text.count("dot_general") == 36
