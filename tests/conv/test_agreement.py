"""All formulations of convolution and their gradients against the definition, over geometries of every kind.

Errors are measured by what rounding can do, as `tests.rounding` has it.
"""

import re
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.benchmarks import choices, shapes
from experiments.benchmarks.cases import Convolution
from jcnn import conv, conv_backward
from jcnn.compilation import compiler_options
from jcnn.conv import native, ways
from jcnn.conv.winograd import default_tile, winograd_bound
from jcnn.definition import conv_backward_definition, conv_definition
from tests import rounding
from tests.draws import draws
from tests.geometries import geometries
from tests.references import Geometry, normal
from tests.rounding import Arrays
from tests.ways import KINDS, Layer, layers

TOLERANCE = 1e-12
UNIT = float(np.finfo("float32").eps)
CASES = [case for case in shapes.convolutions() if isinstance(case, Convolution)]
GROUPS = st.sampled_from([(1, 2, 3), (2, 4, 2), (3, 3, 6)])  # (groups, C_in, C_out), the last depthwise


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
    names = [name for name in ways.formulations() if name != "winograd" or winograd]

    results, by_hand = evaluate(names, options, dy, x, w)

    exact = conv_definition(x, w, **options), *conv_backward_definition(dy, x, w, **options)[:2]
    tolerances = {
        "direct": tuple(TOLERANCE * magnitude for magnitude in rounding.magnitudes(options, dy, x, w)),
        "fft": tuple(TOLERANCE * norm for norm in rounding.norms(groups, (2, 2), dy, x, w)),
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


def winograd_tolerances(geometry: Geometry, groups: int, dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> Arrays:
    tile = default_tile(geometry.window, geometry.outputs)
    tiles = int(np.prod([-(-o // m) for o, m in zip(geometry.outputs, tile, strict=True)]))
    terms = w.shape[-2], w.shape[-1] // groups, len(x) * tiles
    bounds = [winograd_bound(tile, geometry.window, count) for count in terms]
    y, dx, dw = (bound * size for bound, size in zip(bounds, rounding.norms(groups, (np.inf, 1), dy, x, w), strict=True))
    return y, dx, dw


def assert_within(actual: Any, expected: Any, tolerances: Any, name: str) -> None:
    for what, one, other, tolerance in zip(("y", "dx", "dw")[-len(expected) :], actual, expected, tolerances, strict=True):
        error = np.abs(np.asarray(one) - np.asarray(other))
        assert one.shape == other.shape
        assert (error <= tolerance).all(), f"{name}: {what} is off by {error.max():.2e}"


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@draws(parts=40)
def test_every_way_of_auto_is_the_definition(kind: str, data: st.DataObject) -> None:
    """In float32, for which there are more ways, with the compiler's options of a training step, and with XLA's own."""
    layer = data.draw(layers(kind))
    x, w, dy = (normal(*shape, seed=seed).astype("float32") for seed, shape in enumerate(layer.shapes))
    wide = [array.astype(np.float64) for array in (dy, x, w)]
    exact = conv_definition(*wide[1:], **layer.options), *conv_backward_definition(*wide, **layer.options)[:2]
    tolerances = rounding.direct(layer.options, *wide, unit=UNIT)
    if "winograd" in KINDS[kind].ways.values():
        tolerances = tuple(map(np.maximum, tolerances, rounding.minimal(layer.groups, *wide, dtype="float32")))
    for options in (None, compiler_options()):
        taken, results = by_auto(layer, options, dy, x, w)
        assert taken == KINDS[kind].ways
        for gradient, result in results.items():
            assert_within(result, exact, tolerances, f"{gradient}, compiled with {options}")


def by_auto(layer: Layer, options: dict[str, str] | None, *arrays: np.ndarray) -> tuple[dict[str, str], dict[str, Arrays]]:
    """The way that `"auto"` took for each pass, and (y, dx, dw) by autodiff and by hand."""

    def together(dy: jax.Array, x: jax.Array, w: jax.Array) -> Any:
        results = {}
        for gradient in ("autodiff", "manual"):
            form: Any = partial(conv, formulation="auto", gradient=gradient, **layer.options)
            y, pullback = jax.vjp(form, x, w)
            results[gradient] = (y, *pullback(dy))
        return results

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "missing", lambda: "it has tests of its own")
        lowered = jax.jit(together, compiler_options=options).lower(*arrays)
    # Every way runs under its own name.
    taken = dict(re.findall(r"conv\.(forward|dx|dw)\.(\w+)", lowered.as_text(debug_info=True)))
    return taken, lowered.compile()(*arrays)


def test_the_kinds_reach_every_way() -> None:
    for what in ("forward", "dx", "dw"):
        known = {way for case in CASES if case.what == what for way in choices.ways(case)} - {"native"}
        assert {kind.ways[what] for kind in KINDS.values()} == known
