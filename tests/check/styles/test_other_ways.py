"""A candidate that is written for another layout, in another style or order is told so, and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade, grade_file
from jcnn.check.classroom.score import score_of
from jcnn.check.operations import kind_of
from jcnn.definition import sums
from tests.check.styles.test_layouts import with_channels_second

Array = np.ndarray


@pytest.mark.parametrize("kind", ["conv", "max_pool_backward", "global_max_pool"])
def test_another_layout_is_told(kind: str) -> None:
    right = kind_of(kind).reference
    for candidate, layout, other in ((with_channels_second(kind, right), "NHWC", "NCHW"), (right, "NCHW", "NHWC")):
        report = grade(candidate, kind, layout=layout)
        assert report.verdict == "bug"
        assert f'Grade it with layout="{other}" (--layout {other}).' in (report.diagnosis or ""), report
        assert "cases that were tried are right" in (report.diagnosis or "")
        assert not report.rows
        assert score_of(report, kind).points == 0


def test_of_a_wrong_one_the_shapes_show_it() -> None:
    report = grade(with_channels_second("conv", lambda *args, **options: 2 * sums.conv(*args, **options)), "conv")
    assert "there its outputs have the right shapes. Grade it with layout" in (report.diagnosis or "")


def conv_backward_naive(dout: Array, cache: Any) -> Any:
    return dout, cache, dout


def max_pool_forward(x: Array, pool_param: Any) -> Any:
    return x[:, :, :: pool_param["stride"]]


def relu_forward(x: Array) -> Any:
    return np.maximum(x, 0), x


def in_keras_order(x: Array, kernel: Array, grad: Array, strides: Any = 1) -> Any:
    return sums.conv_backward(grad, x, kernel, stride=strides)


def plain(dout: Array, x: Array, w: Array, stride: int, pad: int) -> Any:
    return sums.conv_backward(dout, x, w, stride=stride, padding=pad)


@pytest.mark.parametrize(
    ("candidate", "kind", "style", "said"),
    [
        pytest.param(conv_backward_naive, "conv_backward", "jcnn", 'with style="cs231n" (--style cs231n)', id="a cache"),
        pytest.param(max_pool_forward, "max_pool", "jcnn", 'with style="cs231n" (--style cs231n)', id="a dictionary"),
        pytest.param(relu_forward, "relu", "jcnn", 'with style="cs231n" (--style cs231n)', id="the function's name"),
        pytest.param(
            *(plain, "conv_backward", "cs231n", 'with style="jcnn", layout="NCHW" (--style jcnn --layout NCHW)'), id="options"
        ),
        pytest.param(
            *(in_keras_order, "conv_backward", "jcnn", "takes (x, kernel, grad), where the order (dy, x, w) is expected."),
            id="order",
        ),
    ],
)
def test_names_show_another_style(candidate: Callable[..., Any], kind: str, style: str, said: str) -> None:
    report = grade(candidate, kind, style=style)
    assert said in (report.diagnosis or ""), report
    assert not report.rows


def test_of_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "pool.py").write_text(
        "def max_pool(x, size, stride=None):\n"
        "    s = stride or size\n"
        "    rows, columns = (x.shape[2] - size) // s + 1, (x.shape[3] - size) // s + 1\n"
        "    out = __import__('numpy').zeros((*x.shape[:2], rows, columns))\n"
        "    for i in range(rows):\n"
        "        for j in range(columns):\n"
        "            out[:, :, i, j] = x[:, :, i * s : i * s + size, j * s : j * s + size].max((2, 3))\n"
        "    return out\n"
    )
    assert grade_file(f"{tmp_path}/pool.py:max_pool", "max_pool", layout="NCHW").verdict == "agrees"
    report = grade_file(f"{tmp_path}/pool.py:max_pool", "max_pool")
    assert re.match(
        r"It is written for the layout NCHW: there all \d cases that were tried are right\.", report.diagnosis or ""
    )
    (tmp_path / "style.py").write_text("def conv_forward(x, w, b, conv_param):\n    return x, None\n")
    report = grade_file(f"{tmp_path}/style.py:conv_forward", "conv")
    assert "takes 4 parameters (x, w, b, conv_param). Expected: conv(x, w, b=None, " in (report.diagnosis or "")
    assert 'grade it with style="cs231n"' in (report.diagnosis or "")


def pooled(dy: Array, x: Array, window: Any, **options: Any) -> Array:
    return sums.avg_pool_backward(dy, x, window, **options)


@pytest.mark.parametrize(
    "candidate",
    [
        pytest.param(lambda *args, **options: pooled(*args, **options).swapaxes(1, 2), id="axes exchanged"),
        pytest.param(lambda *args, **options: pooled(*args, **options)[..., None], id="an axis too many"),
        pytest.param(lambda *args, **options: 2 * pooled(*args, **options), id="wrong numbers"),
    ],
)
def test_what_is_wrong_in_every_layout_is_told_nothing(candidate: Callable[..., Any]) -> None:
    kind = "avg_pool_backward"
    for report in (grade(candidate, kind), grade(with_channels_second(kind, candidate), kind, layout="NCHW")):
        assert report.verdict == "bug"
        assert "rade it with" not in (report.diagnosis or "")
        assert report.rows


def failing(x: Array, w: Array, stride: Any = 1) -> Array:
    return x @ np.ones((x.shape[-1] + 1, 2))


def test_an_exception_names_the_line(tmp_path: Path) -> None:
    line = failing.__code__.co_firstlineno + 1
    said = grade(failing, "conv").diagnosis or ""
    assert f"(line {line}: `return x @ np.ones((x.shape[-1] + 1, 2))`)" in said
    (tmp_path / "own.py").write_text(
        "import numpy as np\n\ndef deep(x):\n    return np.pad(x, -1)\n\ndef relu(x):\n    return deep(x)\n"
    )
    assert "(line 4: `return np.pad(x, -1)`)" in (grade_file(f"{tmp_path}/own.py:relu", "relu").diagnosis or "")
    (tmp_path / "missing.py").write_text("a = 1\nb = a / 0\n")
    assert "(line 2: `b = a / 0`)" in (grade_file(f"{tmp_path}/missing.py:relu", "relu").diagnosis or "")


def of_all(dout: Array, x: Array, w: Array, b: Array, conv_param: Any) -> Any:
    return dout, x, w, b, conv_param


def with_a_cache(dout: Array, cache: Any) -> Any:
    return dout, cache, dout


def by_name_only(*, dy: Array, x: Array, w: Array) -> Any:
    return dy, x, w


@pytest.mark.parametrize(
    ("candidate", "said", "not_said"),
    [
        pytest.param(of_all, "of_all takes 5 parameters (dout, x, w,", "--style", id="which would refuse it"),
        pytest.param(with_a_cache, "--style cs231n", "by name only", id="which takes it"),
        pytest.param(by_name_only, "It takes dy, x, w by name only, where they are given by pos", "--style", id="by name"),
    ],
)
def test_a_style_is_advised_where_it_takes_the_candidate(candidate: Callable[..., Any], said: str, not_said: str) -> None:
    diagnosis = grade(candidate, "conv_backward").diagnosis or ""
    assert said in diagnosis
    assert not_said not in diagnosis


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Without `functools.wraps`."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def plain_conv(x: Array, w: Array, b: Array | None = None, stride: Any = 1, padding: Any = 0) -> Array:
    return sums.conv(x, w, b, stride=stride, padding=padding)


def fails_with_a_stride(x: Array, w: Array, b: Array | None = None, stride: Any = 1, padding: Any = 0) -> Array:
    if stride != 1:
        raise TypeError("f() got an unexpected keyword argument 'stride'")
    return sums.conv(x, w, b, stride=stride, padding=padding)


def test_options_behind_a_decorator_are_those_of_the_function() -> None:
    report = grade(timed(plain_conv), "conv")
    assert report.verdict == "agrees", report
    assert {"takes no dilation", "takes no rounding"} <= {reason.partition(" (")[0] for reason in report.left_out}
    assert not any(reason.startswith(("takes no stride", "takes no padding")) for reason in report.left_out)


def test_an_option_in_the_signature_may_not_be_declined_so() -> None:
    assert grade(fails_with_a_stride, "conv").verdict == "bug"
