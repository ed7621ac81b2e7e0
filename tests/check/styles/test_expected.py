"""What is expected of a candidate, said once where it is something else."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.check import KINDS, grade, grade_file
from jcnn.check.cases.case import OTHER_FORMS, Case
from jcnn.check.classroom.score import score_of
from jcnn.check.grading.grade import misfit
from jcnn.check.grading.left_out import must_take
from jcnn.check.operations import Kind, kind_of
from jcnn.check.outcome import Misfit, call, signature_of
from jcnn.check.styles.adapt import adapt
from jcnn.check.styles.expected import Argument, call_of, expected
from jcnn.definition import sums
from tests.draws import draws

Array = np.ndarray


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("style", ["jcnn", "cs231n"])
def test_the_example_to_start_from_can_be_graded(style: str, layout: str) -> None:
    for kind in KINDS:
        known = kind_of(kind)
        found = expected(known, layout, style)
        namespace: dict[str, Any] = {}
        exec(found.start, namespace)  # noqa: S102 (our own example)
        candidate = namespace[found.signature.partition("(")[0]]
        adapted = adapt(candidate, namespace, call_of(known, layout, style), Misfit)
        assert misfit(known, signature_of(adapted.candidate)) is None, kind
        assert all(shown.meaning for shown in (*found.arguments, *found.outputs))


_CASES = 6
"""So many of a kind say how its arrays are given."""


def letters_of(shown: Argument) -> list[str] | None:
    """The sizes of an array in letters; None where it may have any number of axes, or is no array."""
    inside = shown.shape.strip("()")
    return None if not inside or "any" in inside or "…" in inside else [size for size in inside.split(", ") if size.strip(",")]


def sizes_fit(shown: Argument, value: Any, sizes: dict[str, int]) -> bool:
    """Whether an array has the announced sizes, where a letter stands for one number throughout a call."""
    letters = letters_of(shown)
    if letters is None or not isinstance(value, np.ndarray):
        return True
    if len(letters) != value.ndim:
        return False
    return all(sizes.setdefault(letter.rstrip(","), size) == size for letter, size in zip(letters, value.shape, strict=True))


def recorded(kind: Kind, layout: str, style: str) -> Callable[[Case], list[Any]]:
    """What a candidate that is written as is announced gets in a case, one value for each argument."""
    form = call_of(kind, layout, style)
    seen: list[Any] = []
    name, _, taken = expected(kind, layout, style).signature.partition(" ->")[0].partition("(")
    names = [part.strip().partition("=")[0] for part in taken.rstrip(")").split(",") if part.strip() not in {"*", ""}]
    defaults = ", ".join(names if style == "cs231n" else [f"{part}=None" for part in names])
    space: dict[str, Any] = {"seen": seen}
    exec(f"def {name}({defaults}):\n    seen[:] = [{', '.join(names)}]\n    raise ValueError", space)  # noqa: S102 (our own)
    candidate = adapt(space[name], {}, form, Misfit).candidate

    def given(case: Case) -> list[Any]:
        seen.clear()
        assert call(candidate, kind, case).declined is None or style != "jcnn"
        return list(seen)

    return given


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("style", ["jcnn", "cs231n"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_announced_is_what_everybody_must_take(kind: str, style: str, layout: str) -> None:
    known, tried = kind_of(kind), 0
    given = recorded(known, layout, style)
    announced = {shown.name: shown for shown in expected(known, layout, style).arguments}
    due = (case for case in known.cases if case.twin is None and must_take(known, case))
    for case in itertools.islice(due, _CASES):
        sizes: dict[str, int] = {}
        got = given(case)
        tried += bool(got)
        if style == "cs231n" and kind.endswith("_backward") and got:
            shown = announced["dout"] if "dout" in announced else announced["x"]
            assert sizes_fit(shown, got[0], sizes), (case.name, shown, np.shape(got[0]))
            continue
        for shown, value in zip(announced.values(), got, strict=False):
            assert sizes_fit(shown, value, sizes), (case.name, shown, np.shape(value))
    assert tried


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_another_form_are_known_as_such(kind: str) -> None:
    """A candidate that takes what is announced alone is not graded by anything else."""
    known = kind_of(kind)
    shown = expected(known, "NHWC", "jcnn").arguments
    for case in known.cases:
        for argument, value in zip(shown, case.args.values(), strict=False):
            letters = letters_of(argument)
            if letters is not None and isinstance(value, np.ndarray) and value.ndim != len(letters):
                assert case.features & OTHER_FORMS, (case.name, argument.name)


def axis_one(x: Array) -> Array:
    shifted = np.exp(x - x.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def of_images(x: Array) -> Array:
    n, h, w, c = x.shape
    return x.reshape(n, h * w * c)


def of_vectors(prediction: Array, target: Array) -> Array:
    return ((prediction - target) ** 2).sum(1) / prediction.shape[1]


@pytest.mark.parametrize(
    ("candidate", "kind", "said"),
    [
        pytest.param(
            axis_one,
            "softmax",
            "does not take arrays of more than two axes (more axes; maps",
            id="softmax of axis 1",
        ),
        pytest.param(of_images, "flatten", "does not take an x without spatial axes", id="flatten of four axes"),
        pytest.param(of_vectors, "mean_squared_error", "does not take arrays of more than two axes", id="two axes"),
    ],
)
def test_a_function_of_what_is_announced_alone_is_right(candidate: Callable[..., Any], kind: str, said: str) -> None:
    report = grade(candidate, kind)
    assert report.verdict == "agrees", report
    assert any(reason.startswith(said) for reason in report.left_out), report.left_out


@pytest.mark.parametrize(
    ("kind", "layout", "style", "said"),
    [
        pytest.param("dense_backward", "NCHW", "cs231n", "x: (N, d_1, …, d_k)", id="axes of the affine layer"),
        pytest.param("dense", "NCHW", "cs231n", "A function for an x of shape (N, D) alone is graded with that", id="or two"),
        pytest.param("conv", "NHWC", "jcnn", "may also be an array of integers", id="integers"),
        pytest.param("softmax", "NHWC", "jcnn", "Arrays of other numbers of axes", id="more axes"),
        pytest.param("conv_backward", "NHWC", "jcnn", "(FH, FW, C_in, C_out)", id="filters"),
        pytest.param("conv_backward", "NCHW", "jcnn", "(C_out, C_in, FH, FW)", id="filters in NCHW"),
        pytest.param("conv_backward", "NCHW", "cs231n", "conv_backward_naive(dout, cache) -> (dx, dw, db)", id="a cache"),
        pytest.param("conv", "NCHW", "cs231n", "{'stride': …, 'pad': …}", id="a dictionary of options"),
        pytest.param("dense", "NCHW", "jcnn", "(C_in, C_out)", id="a dense layer in NCHW"),
        pytest.param("softmax_cross_entropy_backward", "NCHW", "cs231n", "softmax_loss(x, y) -> (loss, dx)", id="a loss"),
        pytest.param("conv_backward", "NCHW", "torch", "return dx, dw, db, None, None", id="PyTorch"),
        pytest.param("dense", "NCHW", "torch", "forward(ctx, x, w, b=None) -> y", id="PyTorch without options"),
        pytest.param("max_pool", "NHWC", "jcnn", "None: the size of the window", id="the stride of a pooling"),
        pytest.param("dense", "NHWC", "jcnn", "the weights", id="weights"),
    ],
)
def test_what_is_expected(kind: str, layout: str, style: str, said: str) -> None:
    assert said in str(expected(kind_of(kind), layout, style))


def test_of_options_there_is_talk_where_there_are_any() -> None:
    pooling, convolution, softmax = (
        str(expected(kind_of(kind), "NHWC", "jcnn")) for kind in ("max_pool", "conv", "softmax_backward")
    )
    assert "stride=None" in pooling
    assert "stride=1" in convolution
    assert "Options that it lacks" in convolution
    assert "Options that it lacks" not in softmax


def few(dy: Array, x: Array) -> Any:
    return dy, x


def many(dy: Array, x: Array, w: Array, b: Array, cache: Any, more: Any) -> Any:
    return dy, x, w


def two_outputs(dy: Array, x: Array, w: Array, stride: Any = 1, padding: Any = 0) -> Any:
    return dy, x


def without_cache(dout: Array, x: Array, w: Array, conv_param: Any) -> Any:
    return dout, x, w


@pytest.mark.parametrize(
    ("candidate", "style", "said"),
    [
        pytest.param(few, "jcnn", "few takes 2 parameters (dy, x). Expected: conv_backward(dy, x, w, *, ", id="too few"),
        pytest.param(many, "jcnn", "many takes 6 parameters (dy, x, w, b, cache, more). Expected: conv_b", id="too many"),
        pytest.param(two_outputs, "jcnn", "It returns 2 outputs: expected 3, (dx, dw, db). Expected: conv_", id="outputs"),
        pytest.param(
            without_cache,
            "cs231n",
            "takes 4 parameters (dout, x, w, conv_param). Expected: conv_backward_naive(dout, cache) -> (dx, dw, db).",
            id="of the course",
        ),
        pytest.param(few, "torch", "does not import torch. Expected: a torch.autograd.Function", id="no PyTorch"),
    ],
)
def test_a_wrong_signature_is_said_once(
    candidate: Callable[..., Any], style: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    report = grade(candidate, "conv_backward", style=style)
    assert report.verdict == "bug"
    assert said in (report.diagnosis or "")
    assert not report.rows
    assert score_of(report, "conv_backward").points == 0


@pytest.mark.parametrize(
    ("function", "said"),
    [
        pytest.param("g", "has no function g: expected one it has, such as f.", id="no function"),
        pytest.param("f", "f takes 1 parameter (dy).", id="too few"),
    ],
)
def test_of_a_file_too(tmp_path: Path, function: str, said: str) -> None:
    (tmp_path / "homework.py").write_text("def f(dy):\n    return dy\n")
    report = grade_file(f"{tmp_path}/homework.py:{function}", "conv_backward")
    assert f"{said} Expected: conv_backward(dy, x, w, *, " in (report.diagnosis or "")
    assert not report.rows


def other_names(dy: Array, x: Array, w: Array, strides: Any = 1, pad: Any = 0) -> Any:
    return sums.conv_backward(dy, x, w, stride=strides, padding=pad)


def no_defaults(x: Array, w: Array, b: Array, pad: Any, stride: Any) -> Any:
    return sums.conv(x, w, b, stride=stride, padding=pad)


def no_bias(x: Array, w: Array, stride: Any, pad: Any) -> Any:
    return sums.conv(x, w, stride=stride, padding=pad)


def window_by_name(x: Array, *, pool_size: Any, strides: Any) -> Any:
    return sums.max_pool(x, pool_size, stride=strides)


def window_by_position(dy: Array, x: Array, kernel_size: Any, stride: Any) -> Any:
    return sums.max_pool_backward(dy, x, kernel_size, stride=stride)


def short_names(p: Array, F: Any, S: Any = None) -> Any:
    return sums.max_pool(p, F, stride=S)


def bias_apart(x: Array, w: Array, s: Any = 1, p: Any = 0, *, bias: Array | None = None) -> Any:
    return sums.conv(x, w, bias, stride=s, padding=p)


def kernel_and_bias_of_another_name(x: Array, k: Array, beta: Array, pads: Any) -> Any:
    return sums.conv(x, k, beta, padding=pads)


def no_window(s: Array, p: Array) -> Any:
    return ((s - p) ** 2).mean(-1)


def no_dilation(rate: Array) -> Any:
    return np.maximum(rate, 0)


def fixed_stride(x: Array, size: Any = 2, stride: Any = 2) -> Any:
    return sums.max_pool(x, size, stride=stride)


@pytest.mark.parametrize(
    ("candidate", "kind", "takes"),
    [
        pytest.param(other_names, "conv_backward", ("stride", "padding"), id="strides, pad"),
        pytest.param(no_defaults, "conv", ("stride", "padding", "b"), id="no defaults"),
        pytest.param(no_bias, "conv", ("stride", "padding"), id="no bias"),
        pytest.param(window_by_name, "max_pool", ("stride",), id="pool_size by name"),
        pytest.param(short_names, "max_pool", ("stride",), id="one letter"),
        pytest.param(bias_apart, "conv", ("stride", "padding", "b"), id="a bias elsewhere"),
        pytest.param(kernel_and_bias_of_another_name, "conv", ("padding", "b"), id="a bias by another name"),
        pytest.param(no_window, "mean_squared_error", (), id="p without a window"),
        pytest.param(no_dilation, "relu", (), id="rate without a window"),
        pytest.param(fixed_stride, "max_pool", ("stride",), id="another default"),
        pytest.param(window_by_position, "max_pool_backward", ("stride",), id="kernel_size by position"),
    ],
)
def test_options_by_other_names(candidate: Callable[..., Any], kind: str, takes: tuple[str, ...]) -> None:
    report = grade(candidate, kind)
    assert report.verdict == "agrees", report
    assert len(report.rows) >= 10
    for option in takes:
        assert not any(reason.startswith(f"takes no {option} (") for reason in report.left_out)


ORDERS = {
    "conv_backward": ("dout", "x", "w"),
    "dense_backward": ("dy", "x", "weights"),
    "locally_connected_backward": ("dy", "x", "w"),
    "conv_transpose_backward": ("dx", "y", "w"),
    "conv": ("x", "w"),
    "dense": ("x", "w"),
}


@draws()
@given(data=st.data())
def test_a_bias_may_stand_anywhere(data: st.DataObject) -> None:
    """Among the arrays or the options, with a default or none, by position or by name; a backward pass gets zeros."""
    kind = data.draw(st.sampled_from(list(ORDERS)))
    bias = data.draw(st.sampled_from(["b", "bias", "b=None", "bias=None"]))
    options = ["stride", "pad"] if kind.startswith(("conv", "locally")) else []
    names = [*ORDERS[kind], *options]
    place = data.draw(st.integers(0, len(names)))
    slash = data.draw(st.none() | st.integers(1, len(ORDERS[kind]) + (place <= len(ORDERS[kind]))))
    defaults = {"stride": "stride=1", "pad": "pad=0"}
    with_defaults = [*names[:place], bias, *(defaults.get(n, f"{n}=None") if "=" in bias else n for n in names[place:])]
    if slash:
        with_defaults.insert(slash, "/")
    arrays, (name, *_) = ", ".join(ORDERS[kind]), bias.split("=")
    known = kind_of(kind)
    by_name = ", stride=stride, padding=pad" if options else ""
    space: dict[str, Any] = {"known": known, "np": np}
    backward = kind.endswith("_backward")
    must_have = backward and "=" not in bias
    source = (
        f"def candidate({', '.join(with_defaults)}):\n    assert {name} is not None or not {must_have}\n"
        f"    assert {name} is None or {name}.dtype == float\n"
        f"    return known.reference({arrays}{'' if backward else ', ' + name}{by_name})"
    )
    exec(source, space)  # noqa: S102 (our own words)
    for layout in ("NHWC", "NCHW"):
        adapted = adapt(space["candidate"], {}, call_of(known, layout, "jcnn"), Misfit).candidate
        assert misfit(known, signature_of(adapted)) is None, source
    adapted = adapt(space["candidate"], {}, call_of(known, "NHWC", "jcnn"), Misfit).candidate
    case = data.draw(st.sampled_from([case for case in known.cases if must_take(known, case)]))
    outcome = call(adapted, known, case)
    assert outcome.problem is None, (source, outcome)
    assert outcome.declined is None, (source, outcome)
    for right, got in zip(known.expected(case), outcome.leaves, strict=True):
        assert got is not None
        np.testing.assert_allclose(got, right.value, rtol=1e-12, atol=1e-12, err_msg=source)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"style": "keras"}, "style='keras': expected 'jcnn', 'cs231n' or 'torch'", id="style"),
        pytest.param({"layout": "CHWN"}, "layout='CHWN': expected 'NHWC' or 'NCHW'", id="layout"),
    ],
)
def test_another_style_or_layout_is_refused_by_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grade(sums.conv, "conv", **given)
    with pytest.raises(ValueError, match=message):
        grade_file("somewhere:f", "conv", **given)
