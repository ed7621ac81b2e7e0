"""What a candidate need not take is left out; what it takes and gets wrong is not."""

from typing import Any

import numpy as np

from jcnn.check import grade
from jcnn.definition import sums

Array = np.ndarray
Gradients = tuple[Array, Array, Array]


def for_numbers(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
    """Of images, and with one number as stride and padding."""
    assert x.ndim == 4
    rows, columns = (n + 2 * padding for n in x.shape[1:3])
    return sums.conv_backward(dy, x, w, stride=stride, padding=(padding,) * 2) if rows and columns else (x, w, dy)


def with_axes_exchanged(dy: Array, x: Array, w: Array, stride: Any = 1, padding: Any = 0) -> Gradients:
    """Right with one number; a padding of each axis is that of the other axis."""
    exchanged = padding[::-1] if isinstance(padding, tuple) and not isinstance(padding[0], tuple) else padding
    return sums.conv_backward(dy, x, w, stride=stride, padding=exchanged)


def test_a_candidate_that_raises_for_strides_of_each_axis_is_graded_on_the_rest() -> None:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        if not isinstance(stride, int):
            raise TypeError("unsupported operand type(s) for +: 'int' and 'tuple'")
        return for_numbers(dy, x, w, stride, padding)

    report = grade(backward, "conv_backward")
    assert report.verdict == "agrees"
    left_out = " ".join(report.left_out)
    words = 'a word as padding, "same" or "valid"'
    for form in ("a stride of each axis", "a padding of each side", words, "images of 1 spatial axis"):
        assert f"does not take {form}" in left_out


def test_a_candidate_that_takes_them_and_is_wrong_is_wrong() -> None:
    report = grade(with_axes_exchanged, "conv_backward")
    assert report.verdict == "bug"
    assert "P of the other axis" in (report.diagnosis or "") or "exchanged" in (report.diagnosis or "")


def test_a_candidate_that_raises_everywhere_is_told_so() -> None:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        raise IndexError("index 3 is out of bounds")

    report = grade(backward, "conv_backward")
    assert report.verdict == "bug"
    assert "IndexError: index 3 is out of bounds" in (report.diagnosis or "")


def test_an_image_of_integers_keeps_its_fractions_and_may_be_refused() -> None:
    def kept(x: Array, w: Array, b: Array | None = None, stride: int = 1, padding: int = 0) -> Array:
        return sums.conv(x, w, b, stride=stride, padding=padding).astype(x.dtype)

    def refused(x: Array, w: Array, b: Array | None = None, stride: int = 1, padding: int = 0) -> Array:
        if x.dtype != w.dtype:
            raise TypeError("x and w have different dtypes")
        return sums.conv(x, w, b, stride=stride, padding=padding)

    assert "fractions are lost" in (grade(kept, "conv").diagnosis or "")
    assert grade(refused, "conv").verdict == "agrees"


def test_who_answers_wrongly_in_some_cases_of_a_form_takes_it() -> None:
    def exchanged(dy: Array, x: Array, w: Array, stride: Any = 1, padding: int = 0) -> Gradients:
        if isinstance(stride, tuple):
            if x.shape[1] > x.shape[2]:
                raise ValueError("operands could not be broadcast together")
            return np.zeros_like(x), np.zeros_like(w), dy.sum((0, 1, 2))
        return for_numbers(dy, x, w, stride, padding)

    assert grade(exchanged, "conv_backward").verdict == "bug"


def test_images_of_two_axes_are_enough_though_others_give_an_answer() -> None:
    report = grade(lambda x: x.mean((1, 2)), "global_avg_pool")
    assert report.verdict == "agrees"
    assert any(reason.startswith("does not take images of 3 spatial axes") for reason in report.left_out)
    assert grade(lambda x: x.sum((1, 2)), "global_avg_pool").verdict == "bug"
    assert grade(lambda x: x.mean((1, 2), keepdims=True), "global_avg_pool").verdict == "bug"


def test_who_has_a_parameter_and_declines_its_numbers_is_told_how_both_go_together() -> None:
    def backward(dy: Array, x: Array, w: Array, stride: int = 1, padding: int = 0) -> Gradients:
        if padding:
            raise NotImplementedError
        return for_numbers(dy, x, w, stride, padding)

    def without(dy: Array, x: Array, w: Array, stride: int = 1) -> Gradients:
        return for_numbers(dy, x, w, stride, 0)

    report = grade(backward, "conv_backward")
    assert "a parameter padding has to take any one number as padding" in (report.diagnosis or "")
    assert grade(without, "conv_backward").verdict == "agrees"
