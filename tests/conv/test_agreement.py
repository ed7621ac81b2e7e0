"""All formulations of convolution and their gradients against the definition, over geometries of every kind.

Errors are measured by what rounding can do. A direct sum errs relative to the sum of its absolute products, Σ|x||w|, entry by
entry. The Fourier transform spreads roundings over the image, relative to Σ_c ‖x_c‖₂‖w_c‖₂. Winograd has a bound of its own.
"""

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn import conv, conv_backward
from jcnn.conv.operation import FORMULATIONS
from jcnn.conv.winograd import default_tile, winograd_bound
from jcnn.definition import conv_backward_definition, conv_definition
from tests.draws import draws
from tests.geometries import geometries
from tests.references import Geometry, normal

TOLERANCE = 1e-12
GROUPS = st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6)])  # (groups, C_in, C_out), the last depthwise
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.mark.parametrize("steps", ["unit-steps", "any-steps"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@given(data=st.data(), channels=GROUPS)
@draws(parts=6)
def test_every_formulation_is_the_definition(
    rank: int, steps: str, data: st.DataObject, channels: tuple[int, int, int]
) -> None:
    geometry = data.draw(geometries((rank,)))
    if steps == "unit-steps":
        geometry = geometry._replace(stride=(1,) * rank, dilation=(1,) * rank)
    groups, c_in, c_out = channels
    options: dict[str, Any] = {**geometry.options, "groups": groups}
    x, w = normal(2, *geometry.sizes, c_in), normal(*geometry.window, c_in // groups, c_out)
    dy = normal(2, *geometry.outputs, c_out, seed=1)
    winograd = set(geometry.stride + geometry.dilation) == {1}
    names = [name for name in FORMULATIONS if name != "winograd" or winograd]

    results, by_hand = evaluate(names, options, dy, x, w)

    exact = conv_definition(x, w, **options), *conv_backward_definition(dy, x, w, **options)[:2]
    tolerances = {
        "direct": tuple(TOLERANCE * magnitude for magnitude in magnitudes(options, dy, x, w)),
        "fft": tuple(TOLERANCE * norm for norm in norms(groups, (2, 2), dy, x, w)),
        "winograd": winograd_tolerances(geometry, groups, dy, x, w) if winograd else None,
    }
    assert_within(by_hand, exact[1:], tolerances["direct"][1:], "by hand")
    for name, result in results.items():
        tolerance = tolerances.get(name, tolerances["direct"])
        assert_within(result, exact, tolerance, name)
        assert_within(result[1:], by_hand, tolerance[1:], f"{name} against by hand")


def evaluate(
    names: list[str], options: dict[str, Any], *arrays: np.ndarray
) -> tuple[dict[str, Arrays], tuple[np.ndarray, ...]]:
    """(y, dx, dw) of every formulation, and (dx, dw) by hand, compiled as one program."""

    @jax.jit
    def together(dy: jax.Array, x: jax.Array, w: jax.Array) -> Any:
        results = {}
        for name in names:
            y, pullback = jax.vjp(partial(conv, formulation=name, **options), x, w)
            results[name] = (y, *pullback(dy))
        return results, conv_backward(dy, x, w, **options)[:2]

    return together(*arrays)


def magnitudes(options: dict[str, Any], dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> Arrays:
    """The sums of absolute products behind every entry of y, dx and dw."""
    dy, x, w = map(np.abs, (dy, x, w))
    dx, dw, _ = conv_backward_definition(dy, x, w, **options)
    return conv_definition(x, w, **options), dx, dw


def norms(groups: int, orders: tuple[float, float], dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> Arrays:
    """Σ_c ‖moving‖_p ‖weight‖_q for y, dx and dw, with norms over the pixels (p, q): weights of y and dx are w, of dw dy."""
    p, q = orders
    axes = tuple(range(1, x.ndim - 1))
    x_p, dy_p, dy_q, w_q = norm(x, p, axes), norm(dy, p, axes), norm(dy, q, axes), norm(w, q, tuple(range(w.ndim - 2)))
    dx, _, _ = conv_backward_definition(dy_p, x_p, w_q, groups=groups)
    _, dw, _ = conv_backward_definition(dy_q, x_p, w_q, groups=groups)
    return conv_definition(x_p, w_q, groups=groups), dx, dw


def norm(array: np.ndarray, order: float, axes: tuple[int, ...]) -> np.ndarray:
    if order == np.inf:
        return np.abs(array).max(axes, keepdims=True)
    return (np.abs(array) ** order).sum(axes, keepdims=True) ** (1 / order)


def winograd_tolerances(geometry: Geometry, groups: int, dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> Arrays:
    tile = default_tile(geometry.window, geometry.outputs)
    tiles = int(np.prod([-(-o // m) for o, m in zip(geometry.outputs, tile, strict=True)]))
    terms = w.shape[-2], w.shape[-1] // groups, len(x) * tiles
    bounds = [winograd_bound(tile, geometry.window, count) for count in terms]
    y, dx, dw = (bound * size for bound, size in zip(bounds, norms(groups, (np.inf, 1), dy, x, w), strict=True))
    return y, dx, dw


def assert_within(actual: Any, expected: Any, tolerances: Any, name: str) -> None:
    for what, one, other, tolerance in zip(("y", "dx", "dw")[-len(expected) :], actual, expected, tolerances, strict=True):
        error = np.abs(np.asarray(one) - np.asarray(other))
        assert one.shape == other.shape
        assert (error <= tolerance).all(), f"{name}: {what} is off by {error.max():.2e}"
