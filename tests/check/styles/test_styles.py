"""Whatever layout and style a function is written in, it gets the verdict of the plain one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jcnn.check import CATALOGUE, grade, grade_file
from jcnn.definition import sums

Array = np.ndarray
WRONG = {mistake.name: mistake.wrong["conv_backward"] for mistake in CATALOGUE if "conv_backward" in mistake.wrong}
TRIED = ("filter not flipped", "bias of the last example only")


def last(array: Array) -> Array:
    """From NCHW to NHWC, or the filters alike."""
    return np.moveaxis(array, 1, -1)


def filters_last(w: Array) -> Array:
    return np.moveaxis(w, (0, 1), (-1, -2))


def filters_first(w: Array) -> Array:
    return np.moveaxis(w, (-1, -2), (0, 1))


def first(array: Array) -> Array:
    return np.moveaxis(array, -1, 1)


def in_nchw(function: Callable[..., Any]) -> Callable[..., Any]:
    """A backward pass as somebody writes it who has the channels first."""

    def backward(dy: Array, x: Array, w: Array, stride: Any = 1, padding: Any = 0) -> Any:
        dx, dw, db = function(last(dy), last(x), filters_last(w), stride=stride, padding=padding)
        return first(dx), filters_first(dw), db

    return backward


@pytest.mark.parametrize("name", TRIED)
def test_a_mistake_is_named_in_either_layout(name: str) -> None:
    assert grade(in_nchw(WRONG[name]), "conv_backward", layout="NCHW").mistakes == (name,)


def test_what_is_right_agrees_in_either_layout() -> None:
    assert grade(in_nchw(sums.conv_backward), "conv_backward", layout="NCHW").verdict == "agrees"
    assert grade(in_nchw(sums.conv_backward), "conv_backward").verdict == "bug"


def test_options_may_have_other_names() -> None:
    def backward(dy: Array, x: Array, w: Array, strides: Any = 1, pad: Any = 0) -> Any:
        return sums.conv_backward(dy, x, w, stride=strides, padding=pad)

    report = grade(backward, "conv_backward")
    assert report.verdict == "agrees"
    assert not any("takes no stride" in reason for reason in report.left_out)


COURSE = """
import numpy as np

def conv_forward_naive(x, w, b, conv_param):
    s, p = conv_param["stride"], conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    f, _, high, wide = w.shape
    rows, columns = (x.shape[2] + 2 * p - high) // s + 1, (x.shape[3] + 2 * p - wide) // s + 1
    out = np.zeros((len(x), f, rows, columns))
    for i in range(rows):
        for j in range(columns):
            seen = padded[:, :, i * s : i * s + high, j * s : j * s + wide]
            out[:, :, i, j] = np.tensordot(seen, w, axes=([1, 2, 3], [1, 2, 3])) BIAS
    return out, (x, w, b, conv_param)

def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    s, p = conv_param["stride"], conv_param["pad"]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    grown, dw = np.zeros_like(padded), np.zeros_like(w)
    high, wide = w.shape[2:]
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            at = (slice(None), slice(None), slice(i * s, i * s + high), slice(j * s, j * s + wide))
            grown[at] ADD np.tensordot(dout[:, :, i, j], w, axes=(1, 0))
            dw += np.tensordot(dout[:, :, i, j], padded[at], axes=(0, 0))
    return grown[:, :, p : p + x.shape[2], p : p + x.shape[3]], dw, dout.sum((0, 2, 3))
"""


@pytest.mark.parametrize(
    ("bias", "add", "said"),
    [
        pytest.param("+ b", "+=", None, id="right"),
        pytest.param("+ b", "=", "= for +=", id="a wrong backward"),
        pytest.param(
            "", "=", "Its forward conv_forward_naive is wrong as well: The bias is not added.", id="a wrong forward too"
        ),
    ],
)
def test_a_forward_and_a_backward_with_a_cache(tmp_path: Path, bias: str, add: str, said: str | None) -> None:
    (tmp_path / "homework.py").write_text(COURSE.replace("BIAS", bias).replace("ADD", add))
    report = grade_file(f"{tmp_path}/homework.py:conv_backward_naive", "conv_backward", style="cs231n")
    assert (report.verdict == "agrees") == (said is None), report
    assert said is None or said in (report.diagnosis or "")


def test_options_and_a_bias_may_be_required() -> None:
    def conv(x: Array, w: Array, bias: Array, stride: Any, padding: Any) -> Array:
        return sums.conv(x, w, bias, stride=stride, padding=padding)

    def in_channels_first(x: Array, w: Array, b: Array, stride: Any, pad: Any) -> Array:
        return first(sums.conv(last(x), filters_last(w), b, stride=stride, padding=pad))

    def max_pool(x: Array, window: Any, stride: Any) -> Array:
        return sums.max_pool(x, window, stride=stride)

    assert grade(conv, "conv").verdict == "agrees"
    assert grade(in_channels_first, "conv", layout="NCHW").verdict == "agrees"
    assert grade(max_pool, "max_pool").verdict == "agrees"
    assert grade(lambda x, w, b: x @ w + b, "dense").verdict == "agrees"


def test_one_output_may_come_as_a_list_of_lists() -> None:
    def max_pool(x: Array, window: Any, stride: Any = None) -> Any:
        return first(sums.max_pool(last(x), window, stride=stride)).tolist()

    assert grade(max_pool, "max_pool", layout="NCHW").verdict == "agrees"


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_who_has_no_signature_gets_a_report(layout: str) -> None:
    assert grade(dict, "max_pool_backward", layout=layout).verdict == "bug"


SPATIAL = """
import numpy as np

def batchnorm_forward(x, gamma, beta, bn_param):
    mu, var = x.mean(0), x.var(0)
    std = np.sqrt(var + bn_param["eps"])
    normal = (x - mu) / std
    return gamma * normal + beta, (normal, std, gamma)

def batchnorm_backward(dout, cache):
    normal, std, gamma = cache
    g = dout * gamma
    dx = (g - g.mean(0) - normal * (g * normal).mean(0)) / std
    return dx, (dout * normal).sum(0), dout.sum(0)

def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
    out, cache = batchnorm_forward(x.transpose(0, 2, 3, 1).reshape(-1, C), gamma, beta, bn_param)
    return out.reshape(N, H, W, C).transpose(0, 3, 1, 2), cache

def spatial_batchnorm_backward(dout, cache):
    N, C, H, W = dout.shape
    dx, dgamma, dbeta = batchnorm_backward(dout.transpose(0, 2, 3, 1).reshape(-1, C), cache)
    return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta
"""


@pytest.mark.parametrize(
    ("slip", "verdict", "mistakes"),
    [
        (("", ""), "agrees", ()),
        (("- normal * (g * normal).mean(0)", ""), "bug", ("path through the variance forgotten",)),
    ],
    ids=["right", "a path forgotten"],
)
def test_batch_normalisation_as_a_course_has_it(
    tmp_path: Path, slip: tuple[str, str], verdict: str, mistakes: tuple[str, ...]
) -> None:
    (tmp_path / "layers.py").write_text(SPATIAL.replace(*slip))
    report = grade_file(f"{tmp_path}/layers.py:spatial_batchnorm_backward", "batch_norm_backward", style="cs231n")
    assert (report.verdict, report.mistakes) == (verdict, mistakes), str(report)


def _normalised(x: Array, scale: Array, offset: Array, epsilon: float) -> Array:
    axes = (0, 1, 2)
    return scale * (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon) + offset


@pytest.mark.parametrize(
    "candidate",
    [
        pytest.param(lambda x, gamma, beta, eps: _normalised(x, gamma, beta, eps), id="eps"),
        pytest.param(lambda x, scale, offset, *, epsilon: _normalised(x, scale, offset, epsilon), id="epsilon"),
    ],
)
def test_epsilon_may_have_another_name_and_no_default(candidate: Callable[..., Any]) -> None:
    report = grade(candidate, "batch_norm")
    assert (report.verdict, report.left_out) == ("agrees", ())


WEIGHTED = """
import numpy as np

def softmax_cross_entropy(logits, labels, class_weights=None):
    if labels.ndim == logits.ndim:
        raise NotImplementedError
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    own = -np.take_along_axis(log_p, labels[..., None], -1)[..., 0]
    return own if class_weights is None else own * class_weights[WHERE]
"""


@pytest.mark.parametrize(("where", "verdict"), [("labels", "agrees"), ("labels - 1", "bug")])
def test_options_that_are_arrays_reach_a_process_of_its_own(tmp_path: Path, where: str, verdict: str) -> None:
    (tmp_path / "loss.py").write_text(WEIGHTED.replace("WHERE", where))
    report = grade_file(f"{tmp_path}/loss.py:softmax_cross_entropy", "softmax_cross_entropy")
    assert report.verdict == verdict, str(report)
    assert not any("class_weights" in reason for reason in report.left_out)
