"""Our own operations: no false alarm, whatever is drawn, and no wrong formulation that passes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jcnn
from jcnn.check import KINDS, formulas
from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.selfcheck import matrix
from jcnn.check.selfcheck.operation import check_cases
from jcnn.compilation import compiler_options
from jcnn.conv import ways
from jcnn.conv.lax import conv_lax
from jcnn.conv.ways import Way, formulations
from jcnn.definition import sums
from tests.draws import draws
from tests.geometries import geometries, pools
from tests.references import Geometry, levels, normal
from tests.ways import KINDS as WAYS
from tests.ways import layers

OPERATIONS = [kind for kind in KINDS if not kind.endswith("_backward")]
JOBS = [(name, way) for name in OPERATIONS for way in ((*formulations(), "auto") if name == "conv" else ("",))]


def _arguments(draw: st.DrawFn, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    seed = draw(st.integers(0, 2**16))
    made: Callable[..., Any] = levels if draw(st.booleans()) else normal
    channels = draw(st.sampled_from([(1, 1, 1), (1, 2, 3), (2, 4, 2), (3, 3, 6)]))
    groups, c_in, c_out = channels
    if name in {"conv", "convolve", "conv_transpose"}:
        g: Geometry = draw(geometries())
        options = {**g.options, "groups": groups}
        w = made(*g.window, c_in // groups, c_out, seed=seed + 1)
        if name == "conv_transpose":
            del options["rounding"]
            sizes = sums.conv(np.zeros((1, *g.sizes, c_in)), w, **options).shape[1:-1]
            return {"y": made(2, *sizes, c_out, seed=seed), "w": w}, {**options, "output_size": g.sizes}
        return {"x": made(2, *g.sizes, c_in, seed=seed), "w": w, "b": made(c_out, seed=seed)}, options
    if name == "locally_connected":
        g = draw(geometries(roundings=("floor",)))
        options = {key: value for key, value in g.options.items() if key != "rounding"}
        w, b = made(*g.outputs, *g.window, c_in, c_out, seed=seed + 1), made(*g.outputs, c_out, seed=seed)
        return {"x": made(2, *g.sizes, c_in, seed=seed), "w": w, "b": b}, options
    if name in {"max_pool", "avg_pool"}:
        g = draw(pools())
        extra = {"count_padding": draw(st.booleans())} if name == "avg_pool" else {}
        return {"x": made(2, *g.sizes, c_in, seed=seed), "window": g.window}, {**g.options, **extra}
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    x = made(*shape, seed=seed) * draw(st.sampled_from([1e-3, 1.0, 30.0]))
    if name == "dense":
        return {"x": x, "w": made(shape[-1], c_out, seed=seed), "b": made(c_out, seed=seed)}, {}
    if name == "maxout":
        pieces = draw(st.integers(1, 3))
        return {"x": made(*shape[:-1], shape[-1] * pieces, seed=seed), "pieces": pieces}, {}
    if name.startswith("global"):
        return {"x": made(2, *shape[:3], c_in, seed=seed)}, {}
    if "_norm" in name:
        return _normalised(draw, name, 2, *shape[:3], 2 * c_in, seed=seed)
    if name == "dropout":
        rate = draw(st.sampled_from([0.0, 0.25, 0.7]))
        return {"x": x, "key": np.array([0, seed], np.uint32)}, {"rate": rate, "spatial": x.ndim > 2 and draw(st.booleans())}
    if name == "upsample":
        factor = draw(st.integers(1, 3))
        return {"x": made(2, *shape[:3], c_in, seed=seed), "factor": factor}, {
            "method": draw(st.sampled_from(["nearest", "linear"]))
        }
    if name == "mean_squared_error":
        return {"prediction": x, "target": made(*shape, seed=seed + 1)}, {}
    if name == "softmax_cross_entropy":
        numbers = np.random.default_rng(seed).integers(0, shape[-1], shape[:-1])
        soft = draw(st.booleans())
        return {"logits": x, "labels": formulas.softmax(normal(*shape, seed=seed)) if soft else numbers}, {}
    return {"x": x}, {}


def _normalised(draw: st.DrawFn, name: str, *shape: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    channels = shape[-1]
    x = normal(*shape, seed=seed) * draw(st.sampled_from([1e-3, 1.0, 30.0])) + draw(st.sampled_from([0.0, 100.0]))
    args = {"x": x, "scale": normal(channels, seed=seed), "offset": normal(channels, seed=seed + 1)}
    if name.endswith("evaluation"):
        args |= {"mean": normal(channels, seed=seed + 2), "variance": normal(channels, seed=seed + 3) ** 2}
    options: dict[str, Any] = {"epsilon": draw(st.sampled_from([1e-5, 0.1]))}
    if name == "layer_norm":
        options["axes"] = draw(st.sampled_from(["channels", "all"]))
    if name == "group_norm":
        options["groups"] = draw(st.sampled_from([1, channels // 2]))
    return args, options


@pytest.mark.parametrize(("name", "formulation"), JOBS)
def test_no_false_alarm(name: str, formulation: str) -> None:
    @draws(len(JOBS))
    @given(st.data(), st.sampled_from(matrix.DTYPES), st.sampled_from([None, compiler_options()]))
    def agrees(data: st.DataObject, dtype: str, compiled: dict[str, str] | None) -> None:
        args, options = data.draw(st.composite(lambda draw: _arguments(draw, name))())
        case = Case("drawn", args, options, frozenset(), whole=False)
        cells = list(check_cases(name, formulation, dtype, [case], compiled))
        assert {cell.verdict for cell in cells} == {"agrees"}, cells

    agrees()


@pytest.mark.parametrize("kind", WAYS)
@given(data=st.data())
@draws(parts=40)
def test_no_false_alarm_by_any_way_of_auto(kind: str, data: st.DataObject) -> None:
    layer = data.draw(layers(kind))
    shape_of_x, shape_of_w, _ = layer.shapes
    args = {"x": normal(*shape_of_x), "w": normal(*shape_of_w, seed=1), "b": normal(layer.c_out, seed=2)}
    case = Case("drawn", args, layer.options, frozenset(), whole=False)
    cells = list(check_cases("conv", "auto", "float32", [case], compiler_options()))
    assert {cell.verdict for cell in cells} == {"agrees"}, cells


def test_the_matrix_agrees_and_a_wrong_formulation_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: Any) -> Any:
        raise ValueError("never")

    def wrong(x: Any, w: Any, *rest: Any) -> Any:
        return conv_lax(x, jax.numpy.flip(w, 0), *rest)

    more = Way("refusing", refusing, formulation=True), Way("wrong", wrong, formulation=True)
    monkeypatch.setitem(ways.WAYS, "forward", (*ways.WAYS["forward"], *more))
    found = matrix.check(["conv"], ["float32"])
    verdicts = {(cell.formulation, cell.gradient): cell.verdict for cell in found.cells}
    assert [verdicts["lax", gradient] for gradient in ("", "autodiff", "manual")] == ["agrees"] * 3
    assert [verdicts["wrong", gradient] for gradient in ("", "autodiff", "manual")] == ["bug", "bug", "agrees"]
    assert [(cell.cases, cell.skipped > 0) for cell in found.cells if cell.formulation == "refusing"] == [(0, True)]
    assert found.verdict == "bug"
    assert "conv wrong float32: bug" in str(found)
    assert '"verdict": "bug"' in found.to_json()


def test_every_public_backward_pass_is_graded_and_checked() -> None:
    """A new operation cannot be forgotten."""
    public = [name for name in jcnn.__all__ if name.endswith("_backward")]
    assert set(public) <= set(KINDS)
    assert {name.removesuffix("_backward") for name in public} <= set(OPERATIONS)
    assert {"convolve", "convolve_backward"} <= set(KINDS)  # its gradient has no name of its own


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_gradient_is_checked_both_ways(name: str) -> None:
    case = kind_of(name).cases[-1]
    cells = list(check_cases(name, "lax" if name == "conv" else "", "float64", [case]))
    assert [cell.gradient for cell in cells] == ["", "autodiff", "manual"]
    assert {cell.verdict for cell in cells} == {"agrees"}


def test_a_wrong_gradient_of_every_new_operation_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("maxout", "flatten", "locally_connected", "conv_transpose", "dropout", "upsample"):
        right = getattr(jcnn, f"{name}_backward")

        def wrong(*args: Any, right: Callable[..., Any] = right, **options: Any) -> Any:
            return jax.tree.map(lambda leaf: leaf * 2, right(*args, **options))

        monkeypatch.setattr(jcnn, f"{name}_backward", wrong)
        found = matrix.check([name], ["float64"])
        assert [cell.verdict for cell in found.cells] == ["agrees", "agrees", "bug"], name


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="operations='cnov'"):
        matrix.check(["cnov"])
    with pytest.raises(ValueError, match="dtypes='int8'"):
        matrix.check(["conv"], ["int8"])
