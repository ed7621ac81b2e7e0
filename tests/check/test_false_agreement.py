"""Wrong functions that only some numbers, paddings or maps tell from the right one: none of them agrees.

They are written as homework is: images only, one number for stride and for padding.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jcnn.check import grade

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
