"""Candidates with the signatures of CS231n: whose mistake it is, and that it is the one that the plain function makes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jcnn.check import CATALOGUE, Report, grade, grade_file
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Misfit
from jcnn.check.styles.adapt import adapt
from jcnn.check.styles.expected import call_of

Array = np.ndarray

AFFINE = """
def affine_forward(x, w, b):
    out = x.reshape(len(x), -1) @ w + b
    return out, (x, w, b)

def affine_backward(dout, cache):
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(0)
"""
FIRST_EXAMPLE = ("dout.sum(0)", "dout[0]")
NO_BIAS_ADDED = ("@ w + b", "@ w")
KEEPS_TWICE_X = ("return out, (x, w", "return out, (2 * x, w")
KEEPS_FLAT = ("return out, (x, w, b)", "return out, (x.reshape(len(x), -1), w, x.shape)")
TAKES_FLAT = (
    "    x, w, b = cache\n    return (dout @ w.T).reshape(x.shape)",
    "    x, w, shape = cache\n    return (dout @ w.T).reshape(shape)",
)
CHANGES_X = ("    out =", "    x *= 2\n    out =")
FAILS = ("    out =", "    raise ValueError('no')\n    out =")
TWO_AXES = [
    ("x.reshape(len(x), -1) @ w + b", "x.dot(w) + b"),
    ("(dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout", "dout.dot(w.T), x.T.dot(dout)"),
]
REFUSES_MORE_AXES = ("    out =", "    if x.ndim != 2:\n        raise NotImplementedError\n    out =")
WITHOUT_FORWARD = ("def affine_forward", "def another")
NO_BIAS = [
    ("(x, w, b):", "(x, w):"),
    (" + b\n", "\n"),
    ("(x, w, b)\n", "(x, w)\n"),
    ("x, w, b = cache", "x, w = cache"),
    (", dout.sum(0)", ""),
]


def graded(tmp_path: Path, *changes: tuple[str, str]) -> Report:
    source = AFFINE
    for before, after in changes:
        assert before in source
        source = source.replace(before, after)
    (tmp_path / "homework.py").write_text(source)
    return grade_file(f"{tmp_path}/homework.py:affine_backward", "dense_backward", style="cs231n")


@pytest.mark.parametrize(
    ("changes", "verdict", "forward", "diagnosis"),
    [
        pytest.param([], "agrees", True, "", id="right"),
        pytest.param([FIRST_EXAMPLE], "bug", True, "", id="a wrong backward"),
        pytest.param([NO_BIAS_ADDED], "agrees", False, "", id="a wrong forward"),
        pytest.param(
            [FIRST_EXAMPLE, NO_BIAS_ADDED], "bug", False, "Its forward affine_forward is wrong as well", id="both wrong"
        ),
        pytest.param([KEEPS_TWICE_X], "bug", True, "what it keeps there is wrong", id="a wrong cache"),
        pytest.param([KEEPS_TWICE_X, NO_BIAS_ADDED], "agrees", False, "", id="a wrong cache of a wrong forward"),
        pytest.param([KEEPS_FLAT, TAKES_FLAT], "agrees", True, "", id="a cache of their own"),
        pytest.param([CHANGES_X], "agrees", False, "", id="a forward that changes x"),
        pytest.param([FAILS], "agrees", False, "", id="a forward that fails"),
        pytest.param([WITHOUT_FORWARD], "agrees", None, "", id="no forward"),
        pytest.param([WITHOUT_FORWARD, FIRST_EXAMPLE], "bug", None, "", id="no forward and a wrong backward"),
        pytest.param(NO_BIAS, "agrees", True, "", id="no bias"),
        pytest.param(TWO_AXES, "agrees", True, "", id="for two axes alone"),
        pytest.param([*TWO_AXES, REFUSES_MORE_AXES], "agrees", True, "", id="which refuses more"),
        pytest.param([*TWO_AXES, WITHOUT_FORWARD], "agrees", None, "", id="for two axes alone, no forward"),
        pytest.param([*TWO_AXES, FIRST_EXAMPLE], "bug", True, "", id="for two axes alone and wrong"),
        pytest.param([*TWO_AXES, CHANGES_X], "agrees", False, "", id="for two axes alone, changes x"),
        pytest.param(TWO_AXES[1:], "bug", True, "dw has shape", id="a forward for all axes, a backward for two"),
    ],
)
def test_whose_mistake_it_is(
    tmp_path: Path, changes: list[tuple[str, str]], verdict: str, forward: bool | None, diagnosis: str
) -> None:
    report = graded(tmp_path, *changes)
    assert report.verdict == verdict, report
    assert [witness.holds for witness in report.witnesses] == ([] if forward is None else [forward])
    assert diagnosis in (report.diagnosis or "")
    assert ("first example" in (report.diagnosis or "")) == (FIRST_EXAMPLE in changes)
    assert any(reason.startswith("does not take an x of more than two axes (18") for reason in report.left_out) == (
        TWO_AXES[1] in changes and TWO_AXES[0] in changes
    )
    assert any(reason.startswith("db (it takes no bias)") for reason in report.left_out) == (changes == NO_BIAS)


def in_the_course(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function of jcnn's, in NHWC, with the signature of the course."""

    def max_pool_backward_naive(dout: Array, cache: Any) -> Any:
        x, param = cache
        return function(dout, x, (param["pool_height"], param["pool_width"]), stride=param["stride"])

    def max_pool_forward_naive(x: Array, pool_param: dict[str, int]) -> Any:
        window = pool_param["pool_height"], pool_param["pool_width"]
        return function(x, window, stride=pool_param["stride"]), (x, pool_param)

    def affine_forward(x: Array, w: Array, b: Array) -> Any:
        return function(x.reshape(len(x), -1), w, b), (x, w, b)

    def relu_backward(dout: Array, cache: Any) -> Any:
        return function(dout, cache)

    def softmax_loss(x: Array, y: Array) -> Any:
        if kind == "softmax_cross_entropy":
            return np.mean(function(x, y)), None
        return None, function(np.full(len(x), 1 / len(x)), x, y)

    return {
        "max_pool": max_pool_forward_naive,
        "max_pool_backward": max_pool_backward_naive,
        "dense": affine_forward,
        "relu_backward": relu_backward,
        "softmax_cross_entropy": softmax_loss,
        "softmax_cross_entropy_backward": softmax_loss,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param("max_pool", "stride forgotten", id="max_pool"),
        pytest.param("max_pool_backward", "windows overwrite each other", id="max_pool_backward"),
        pytest.param("dense", "bias forgotten", id="dense"),
        pytest.param("relu_backward", "mask by the sign of dy", id="relu_backward"),
        pytest.param("softmax_cross_entropy", "logarithm to base 2", id="softmax_cross_entropy"),
        pytest.param("softmax_cross_entropy_backward", "not normalised", id="softmax_cross_entropy_backward"),
    ],
)
def test_the_right_function_agrees_and_a_mistake_has_its_name(kind: str, name: str) -> None:
    report = grade(in_the_course(kind, kind_of(kind).reference), kind, style="cs231n", layout="NHWC")
    assert report.verdict == "agrees", report
    wrong = next(entry.wrong[kind] for entry in CATALOGUE if entry.name == name and kind in entry.wrong)
    report = grade(in_the_course(kind, wrong), kind, style="cs231n", layout="NHWC")
    assert report.verdict == "bug"
    assert report.mistakes == (name,)


def test_the_stride_of_a_pooling_is_its_window_where_that_is_square() -> None:
    given: list[Any] = []

    def max_pool_forward_naive(x: Array, pool_param: Any) -> Any:
        given.append(pool_param)
        return x, None

    adapted = adapt(max_pool_forward_naive, {}, call_of(kind_of("max_pool"), "NCHW", "cs231n"), Misfit)
    adapted.candidate(np.zeros((1, 4, 4, 1)), (2, 2))
    assert given == [{"pool_height": 2, "pool_width": 2, "stride": 2}]
    with pytest.raises(NotImplementedError, match="one number as stride"):
        adapted.candidate(np.zeros((1, 4, 4, 1)), (2, 3))


def test_an_argument_that_is_changed_has_the_courses_name(tmp_path: Path) -> None:
    (tmp_path / "homework.py").write_text("def relu_backward(dout, cache):\n    dout[cache <= 0] = 0\n    return dout\n")
    report = grade_file(f"{tmp_path}/homework.py:relu_backward", "relu_backward", style="cs231n")
    assert "It changes its argument dout in place" in (report.diagnosis or "")


def test_of_a_loss_it_is_said_what_stands_for_the_gradient_from_above() -> None:
    def softmax_loss(x: Array, y: Array) -> Any:
        return None, kind_of("softmax_cross_entropy_backward").reference(np.ones(len(x)), x, y)

    report = grade(softmax_loss, "softmax_cross_entropy_backward", style="cs231n")
    assert "multiplied by the number of examples N" in (report.diagnosis or "")
    assert "Here dout is 1/N for each of the N examples, as softmax_loss is their mean." in (report.diagnosis or "")


def test_a_gradient_that_is_not_given_back_its_axes() -> None:
    def affine_backward(dout: Array, cache: Any) -> Any:
        x, w, _ = cache
        return dout @ w.T, x.reshape(len(x), -1).T @ dout, dout.sum(0)

    report = grade(affine_backward, "dense_backward", style="cs231n")
    assert "dx has shape (1, 1): expected (1, 1, 1), that of x." in (report.diagnosis or "")


def loss_of(log_p: Callable[[Array], Array], *, n: bool = True) -> Callable[[Array, Array], Any]:
    """A softmax loss with its own logarithm of the probabilities; without n its gradient is that of the sum."""

    def softmax_loss(x: Array, y: Array) -> Any:
        rows = np.arange(len(x))
        shifted = np.exp(x - x.max(1, keepdims=True))
        dx = shifted / shifted.sum(1, keepdims=True)
        dx[rows, y] -= 1
        return -log_p(x)[rows, y].mean(), dx / len(x) if n else dx

    return softmax_loss


def log_of_p(x: Array) -> Array:
    shifted = np.exp(x - x.max(1, keepdims=True))
    return np.log(shifted / shifted.sum(1, keepdims=True))


def log_unshifted(x: Array) -> Array:
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def log_stable(x: Array) -> Array:
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


@pytest.mark.parametrize(
    ("log_p", "mistakes"),
    [
        pytest.param(log_of_p, ("logarithm of a rounded softmax",), id="log 0"),
        pytest.param(log_unshifted, ("eˣ overflows",), id="an exponent too large"),
        pytest.param(log_stable, (), id="right"),
    ],
)
def test_of_a_loss_that_is_infinite_it_is_said_which_step_is_why(
    log_p: Callable[[Array], Array], mistakes: tuple[str, ...]
) -> None:
    report = grade(loss_of(log_p), "softmax_cross_entropy", style="cs231n")
    assert report.mistakes == mistakes
    assert (report.verdict == "bug") == bool(mistakes)
    assert "NCHW" not in report.subject


def test_of_a_loss_no_gradient_from_above_is_shown() -> None:
    """It has none: its numbers are those of the gradient of the mean."""
    report = grade(loss_of(log_stable, n=False), "softmax_cross_entropy_backward", style="cs231n")
    assert report.smallest
    assert [block.title for block in report.smallest.given] == ["logits", "labels"]
    expected, got = (np.array(block.cells, float) for block in report.smallest.outputs)
    np.testing.assert_allclose(got, expected * len(got), rtol=2e-3, atol=2e-3)
    assert not any("dout[" in finding.example for finding in report.findings)
