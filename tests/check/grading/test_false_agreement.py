"""Wrong functions that only some numbers, paddings or maps tell from the right one: none of them agrees.

They are written as homework is: images only, one number for stride and for padding.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade
from jcnn.check.bounds import as_leaves
from jcnn.check.operations import kind_of
from tests.draws import DEFAULT, DRAWS

DEEP = DRAWS > DEFAULT
Array = np.ndarray


def homework(
    *,
    crop: Callable[[int, int], int] = lambda _, padding: padding,
    dx_type: Any = float,
    dw_type: Any = float,
    change: Any = None,
) -> Callable[..., Any]:
    """A backward pass of convolution by a loop over positions, with a mistake or none."""

    def conv_backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> tuple[Array, Array, Array]:
        if x.ndim != 4 or not isinstance(stride, int) or not isinstance(padding, int):
            raise NotImplementedError("images, one number for all axes")
        f, g = w.shape[:2]
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        grown, dw = np.zeros(padded.shape, dx_type), np.zeros(w.shape, dw_type)
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                at = (slice(None), slice(i * stride, i * stride + f), slice(j * stride, j * stride + g))
                grown[at] = grown[at] + np.tensordot(dy[:, i, j], w, (1, 3))
                dw[...] = dw + np.tensordot(padded[at], dy[:, i, j], (0, 0))
        start = crop(f, padding) if padding else 0
        dx = grown[:, start : start + x.shape[1], start : start + x.shape[2]].astype(float)
        return (change(dx) if change else dx), dw.astype(float), dy.sum((0, 1, 2))

    return conv_backward


def test_homework_agrees() -> None:
    assert grade(homework(), "conv_backward").verdict == "agrees"


def only_padding_of(amounts: Callable[[int], set[int]], candidate: Callable[..., Any]) -> Callable[..., Any]:
    """A candidate that refuses the paddings with which its mistake would be an error of shapes."""

    def conv_backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Any:
        if x.ndim == 4 and isinstance(padding, int) and padding not in amounts(min(w.shape[:2])):
            raise NotImplementedError("more cropped than padded")
        return candidate(dy, x, w, stride, padding)

    return conv_backward


@pytest.mark.parametrize(
    ("candidate", "named"),
    [
        pytest.param(homework(crop=lambda f, padding: 1), "dx cropped by one pixel", id="cropped by 1"),
        pytest.param(homework(crop=lambda f, padding: f // 2), None, id="cropped by half the filter"),
        pytest.param(
            only_padding_of(lambda f: {0, *range(f // 2, 9)}, homework(crop=lambda f, padding: f // 2)),
            None,
            id="cropped by half the filter, no less padding",
        ),
        *(
            pytest.param(homework(change=lambda dx, n=n: np.round(dx, n)), None, id=f"rounded to {n} decimals")
            for n in (3, 6, 8)
        ),
        pytest.param(homework(change=lambda dx: dx + 1e-8), None, id="a small constant added"),
        pytest.param(homework(dx_type=int), None, id="summed in integers"),
    ],
)
def test_wrong_homework(candidate: Callable[..., Any], named: str | None) -> None:
    report = grade(candidate, "conv_backward")
    assert report.verdict == "bug"
    assert named is None or report.mistakes == (named,)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_sums_kept_in_few_digits(dtype: Any) -> None:
    report = grade(homework(dw_type=dtype), "conv_backward")
    assert (report.verdict, report.mistakes) == ("rounding", (f"{np.dtype(dtype).name} arithmetic",))
    assert np.dtype(dtype).name in str(report.diagnosis)


def test_tiles_along_the_wrong_axes() -> None:
    def max_pool(x: Array, window: int) -> Array:
        if x.ndim != 4 or not isinstance(window, int):
            raise NotImplementedError("square windows on maps")
        n, height, width, channels = x.shape
        rows, columns = height // window, width // window
        cut = x[:, : rows * window, : columns * window]
        return cut.reshape(n, rows, columns, window, window, channels).max((3, 4))

    report = grade(max_pool, "max_pool")
    assert (report.verdict, report.mistakes) == ("bug", ("tiles cut along the wrong axes",))


def test_slow_homework_is_graded_in_seconds() -> None:
    """Six loops and a product of two numbers in the middle; in processor time, whatever else runs."""

    def conv_backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> tuple[Array, Array, Array]:
        if x.ndim != 4 or not isinstance(stride, int) or not isinstance(padding, int):
            raise NotImplementedError("images, one number for all axes")
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        grown, dw = np.zeros(padded.shape), np.zeros(w.shape)
        for n, i, j, o in np.ndindex(*dy.shape):
            for a, b, c in np.ndindex(*w.shape[:3]):
                grown[n, i * stride + a, j * stride + b, c] += dy[n, i, j, o] * w[a, b, c, o]
                dw[a, b, c, o] += dy[n, i, j, o] * padded[n, i * stride + a, j * stride + b, c]
        inside = slice(padding, padding + x.shape[1]), slice(padding, padding + x.shape[2])
        return grown[(slice(None), *inside)], dw, dy.sum((0, 1, 2))

    start = time.process_time()
    assert grade(conv_backward, "conv_backward").verdict == "agrees"
    assert time.process_time() - start < 10


def wrong_where(kind: str, condition: Callable[..., bool]) -> Callable[..., Any]:
    """The right function, but for zeros where a condition on its arguments and options holds."""

    def candidate(*args: Any, **options: Any) -> Any:
        leaves = as_leaves(kind_of(kind).reference(*args, **options))
        made = tuple(
            leaf * 0 if condition(dict(zip((*kind_of(kind).cases[0].args, "b"), args, strict=False)), options) else leaf
            for leaf in leaves
        )
        first, *others = made
        return made if others else first

    return candidate


def per_axis(options: dict[str, Any], name: str) -> bool:
    return isinstance(options.get(name), tuple) and not per_side(options, name)


def per_side(options: dict[str, Any], name: str) -> bool:
    value: Any = options.get(name)
    return isinstance(value, tuple) and any(isinstance(entry, tuple) for entry in value)


CONVOLUTIONS = ("conv", "conv_backward", "conv_transpose")
TOGETHER: dict[str, Callable[[dict[str, Any], dict[str, Any]], bool]] = {
    "groups and dilation": lambda _, o: "groups" in o and "dilation" in o,
    "groups and a named padding": lambda _, o: "groups" in o and isinstance(o.get("padding"), str),
    "groups and a padding for every axis": lambda _, o: "groups" in o and per_axis(o, "padding"),
    "groups and a stride for every axis": lambda _, o: "groups" in o and per_axis(o, "stride"),
    "a stride and paddings for every side": lambda _, o: "stride" in o and per_side(o, "padding"),
    "a stride and a padding for every axis": lambda _, o: per_axis(o, "stride") and per_axis(o, "padding"),
    "dilation and paddings for every side": lambda _, o: "dilation" in o and per_side(o, "padding"),
    "same, dilation and stride": lambda _, o: o.get("padding") == "same" and "dilation" in o and "stride" in o,
    "same_lower and stride": lambda _, o: o.get("padding") == "same_lower" and "stride" in o,
    "an even filter, dilation and stride": lambda a, o: a["w"].shape[0] % 2 == 0 and "dilation" in o and "stride" in o,
    **{
        f"{axes} axes and {name}": lambda a, o, axes=axes, takes=takes: a["w"].ndim == axes + 2 and takes(o)
        for axes in (1, 3)
        for name, takes in {
            "dilation": lambda o: "dilation" in o,
            "groups": lambda o: "groups" in o,
            "a padding for every axis": lambda o: per_axis(o, "padding"),
            "paddings for every side": lambda o: per_side(o, "padding"),
            "a named padding": lambda o: isinstance(o.get("padding"), str),
        }.items()
    },
}
CEIL: dict[str, Callable[[dict[str, Any], dict[str, Any]], bool]] = {
    "groups": lambda _, o: "groups" in o,
    "dilation": lambda _, o: "dilation" in o,
    "a stride for every axis": lambda _, o: per_axis(o, "stride"),
    "a padding for every axis": lambda _, o: per_axis(o, "padding"),
}
BIAS: dict[str, Callable[[dict[str, Any], dict[str, Any]], bool]] = {
    "three axes": lambda a, _: a["w"].ndim == 5,
    "ceil": lambda _, o: "rounding" in o,
    "same_lower": lambda _, o: o.get("padding") == "same_lower",
    "a padding for every axis": lambda _, o: per_axis(o, "padding"),
    "groups and dilation": lambda _, o: "groups" in o and "dilation" in o,
}


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        # Each of one convolution by default, whose cases meet in the same options; of all in the deep tests.
        *(
            pytest.param(kind, condition, id=f"{kind}: {name}")
            for number, (name, condition) in enumerate(TOGETHER.items())
            for kind in (CONVOLUTIONS if DEEP else (CONVOLUTIONS[number % 3],))
        ),
        *(
            pytest.param(kind, lambda a, o, of=of: "rounding" in o and of(a, o), id=f"{kind}: ceil and {name}")
            for number, (name, of) in enumerate(CEIL.items())
            for kind in (("conv", "conv_backward") if DEEP else (("conv", "conv_backward")[number % 2],))
        ),
        *(
            pytest.param("conv", lambda a, o, of=of: "b" in a and of(a, o), id=f"conv: a bias and {name}")
            for name, of in BIAS.items()
        ),
        pytest.param("conv", lambda a, o: len(a["x"]) == 5, id="conv: five examples"),
        pytest.param("conv", lambda a, o: a["x"].shape[-1] > 6, id="conv: seven channels"),
        pytest.param("conv", lambda a, o: o.get("stride") == 4 and "padding" not in o, id="conv: stride 4"),
        pytest.param("conv", lambda a, o: a["w"].shape[0] > 5, id="conv: 7×7"),
        pytest.param("conv_backward", lambda a, o: a["x"].ndim == 4 and a["x"].shape[1] > 23, id="conv_backward: tall"),
        pytest.param("dense_backward", lambda a, o: len(a["dy"]) > 16, id="dense_backward: many examples"),
        pytest.param("softmax", lambda a, o: a["x"].shape[-1] > 10, id="softmax: many classes"),
        pytest.param("softmax_cross_entropy", lambda a, o: a["logits"].ndim > 3, id="softmax_cross_entropy: maps"),
    ],
)
def test_wrong_only_where_options_or_sizes_meet(kind: str, condition: Callable[..., bool]) -> None:
    assert grade(wrong_where(kind, condition), kind).verdict == "bug"


def clipped(kind: str, argument: int, low: float, high: float) -> Callable[..., Any]:
    """The right function of an argument that is clipped."""

    def candidate(*args: Any, **options: Any) -> Any:
        given = list(args)
        given[argument] = np.clip(given[argument], low, high)
        return kind_of(kind).reference(*given, **options)

    return candidate


LINEAR = ("conv", "conv_backward", "conv_transpose", "locally_connected", "dense", "dense_backward", "avg_pool", "flatten")


@pytest.mark.parametrize("most", [50.0, 1e5])
@pytest.mark.parametrize("kind", [*LINEAR, "avg_pool_backward", "max_pool_backward", "maxout", "global_avg_pool", "relu"])
def test_large_numbers_clipped(kind: str, most: float) -> None:
    report = grade(clipped(kind, 0, -most, most), kind)
    assert report.verdict == "bug"
    assert "smaller" not in str(report.diagnosis)


@pytest.mark.parametrize("start", [-999.0, -1e4, -1e6])
@pytest.mark.parametrize("kind", ["max_pool", "max_pool_backward", "global_max_pool", "global_max_pool_backward", "maxout"])
def test_maxima_that_start_too_high(kind: str, start: float) -> None:
    assert grade(clipped(kind, int(kind.endswith("backward")), start, np.inf), kind).verdict == "bug"


def test_maxima_padded_with_a_finite_number() -> None:
    def max_pool(x: Array, window: Any, **options: Any) -> Array:
        padding = options.get("padding", 0)
        if not isinstance(padding, int) or options.get("rounding") == "ceil":
            raise NotImplementedError
        padded = np.pad(x, ((0, 0), *((padding, padding),) * (x.ndim - 2), (0, 0)), constant_values=-1e6)
        return kind_of("max_pool").reference(padded, window, **{**options, "padding": 0})

    assert grade(max_pool, "max_pool").verdict == "bug"


def leaky_relu_by_maximum(x: Array, slope: float = 0.01) -> Array:
    return np.maximum(x, slope * x)


def leaky_relu_by_absolute_slope(x: Array, slope: float = 0.01) -> Array:
    return np.where(x > 0, x, abs(slope) * x)


def elu_up_to_1(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, min(alpha, 1.0) * np.expm1(np.minimum(x, 0)))


def relu_up_to_a_million(x: Array) -> Array:
    return np.where(x > 1e6, 0, np.maximum(x, 0))


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        pytest.param(leaky_relu_by_maximum, "leaky_relu", id="maximum of x and slope · x"),
        pytest.param(leaky_relu_by_absolute_slope, "leaky_relu", id="no negative slope"),
        pytest.param(elu_up_to_1, "elu", id="alpha up to 1"),
        pytest.param(relu_up_to_a_million, "relu", id="relu of millions"),
    ],
)
def test_textbook_formulas_beyond_their_range(candidate: Callable[..., Any], kind: str) -> None:
    assert grade(candidate, kind).verdict == "bug"


def softmax_cross_entropy_backward(dy: Array, logits: Array, labels: Array) -> Array:
    p = kind_of("softmax").reference(logits)
    t = labels if labels.ndim == logits.ndim else np.eye(logits.shape[-1])[labels]
    return dy[..., None] * (p - t)


def test_the_textbook_gradient_of_the_cross_entropy_is_right() -> None:
    """Soft labels are distributions, whose sum is 1."""
    assert grade(softmax_cross_entropy_backward, "softmax_cross_entropy_backward").verdict == "agrees"


@pytest.mark.parametrize("kind", ["conv", "mean_squared_error", "global_avg_pool", "relu"])
def test_float16_that_overflows_is_rounding_in_float16(kind: str) -> None:
    def candidate(*args: Any, **options: Any) -> Any:
        with np.errstate(all="ignore"):
            given = [arg.astype(np.float16).astype(float) for arg in args]
            return np.float64(np.float16(kind_of(kind).reference(*given, **options)))

    report = grade(candidate, kind)
    assert (report.verdict, report.mistakes) == ("rounding", ("float16 arithmetic",))
    lost = grade(lambda *args, **options: kind_of(kind).reference(*args, **options) * np.nan, kind)
    assert lost.verdict == "bug"
