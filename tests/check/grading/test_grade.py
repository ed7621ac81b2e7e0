"""Grading whatever may be handed in: right in another way, wrong in any way, or no function at all."""

import importlib.util
import signal
import threading
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jcnn import dense_backward, max_pool, relu_backward, softmax_cross_entropy
from jcnn.check import CATALOGUE, assert_grades, grade, operations
from jcnn.check.grading import grade as grading
from jcnn.check.grading.left_out import must_take
from jcnn.check.operations import kind_of
from jcnn.check.probing.jacobians import right_outputs
from jcnn.check.report import row_cells
from jcnn.definition import sums

Array = np.ndarray
right = sums.conv_backward


def test_a_conv_of_a_student_that_knows_images_and_strides_only() -> None:
    def conv(x: Array, w: Array, b: Array | None = None, stride: Any = 1) -> Array:
        stride = (stride, stride) if isinstance(stride, int) else stride
        n, height, width, _ = x.shape
        f, g, _, filters = w.shape
        y = np.zeros((n, (height - f) // stride[0] + 1, (width - g) // stride[1] + 1, filters))
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                seen = x[:, i * stride[0] : i * stride[0] + f, j * stride[1] : j * stride[1] + g]
                y[:, i, j] = np.tensordot(seen, w, 3)
        return y if b is None else y + b

    report = grade(conv, "conv")
    assert report.verdict == "agrees"
    left_out = " ".join(report.left_out)
    assert all(word in left_out for word in ("padding", "dilation", "groups", "rounding", "1 spatial axis", "3 spatial axes"))


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        pytest.param(dense_backward, "dense_backward", id="dense_backward"),
        pytest.param(relu_backward, "relu_backward", id="relu_backward"),
        pytest.param(softmax_cross_entropy, "softmax_cross_entropy", id="softmax_cross_entropy"),
    ],
)
def test_ours_agree(candidate: Callable[..., Any], kind: str) -> None:
    assert grade(candidate, kind).verdict == "agrees"


def test_two_mistakes_of_a_student_are_named_apart() -> None:
    """Written as a loop over positions, as students do, not as the catalogue makes its mistakes."""

    def conv_backward(dy: Array, x: Array, w: Array, *, stride: int = 1, padding: int = 0) -> tuple[Array, Array, Array]:
        if not isinstance(stride, int) or not isinstance(padding, int):
            raise NotImplementedError("one number for all axes")
        f, g = w.shape[:2]
        edge = (padding, padding)
        padded = np.pad(x, ((0, 0), edge, edge, (0, 0)))
        dx, dw = np.zeros_like(padded), np.zeros_like(w)
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                at = (slice(None), slice(i * stride, i * stride + f), slice(j * stride, j * stride + g))
                dw += np.einsum("nabc,nk->abck", padded[at], dy[:, i, j])
                dx[at] = np.einsum("nk,abck->nabc", dy[:, i, j], w)
        cropped = dx[:, padding : padding + x.shape[1], padding : padding + x.shape[2]]
        return cropped, dw, dy[0].sum((0, 1))

    report = grade(conv_backward, "conv_backward")
    assert report.verdict == "bug"
    assert set(report.mistakes) == {"windows overwrite each other", "first example only in db"}


def returns(change: Callable[..., Any]) -> Callable[..., Any]:
    return lambda dy, x, w, **options: change(*right(dy, x, w, **options))


def mutating(dy: Array, x: Array, w: Array, **options: Any) -> Any:
    gradients = right(dy, x, w, **options)
    x *= 2
    return gradients


def raising(dy: Array, x: Array, w: Array, **options: Any) -> Any:
    raise IndexError("index 3 is out of bounds")


def leaving(dy: Array, x: Array, w: Array, **options: Any) -> Any:
    raise SystemExit(3)


def interrupting(dy: Array, x: Array, w: Array, **options: Any) -> Any:
    raise KeyboardInterrupt("not by Ctrl-C")


def skipping(dy: Array, x: Array, w: Array, **options: Any) -> Any:
    pytest.skip("a test that is skipped does not fail")


class Hidden(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise SystemExit(0)


def hiding(dy: Array, x: Array, w: Array, **options: Any) -> Any:
    raise Hidden


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        pytest.param(interrupting, "It raises KeyboardInterrupt: not by Ctrl-C", id="interrupt"),
        pytest.param(skipping, "It raises Skipped", id="skip"),
        pytest.param(hiding, "It raises Hidden: (its message cannot be read)", id="hidden message"),
        pytest.param(returns(lambda dx, dw, db: (np.broadcast_to(0.0, (2**50,)), dw, db)), "far more numbers", id="too many"),
        pytest.param(raising, "It raises IndexError: index 3 is out of bounds", id="exception"),
        pytest.param(leaving, "It raises SystemExit: 3", id="exit"),
        pytest.param(lambda: 1, "takes 0 parameters (). Expected: conv_backward(dy, x, w, ", id="no arguments"),
        pytest.param(mutating, "changes its argument x in place", id="mutation"),
        pytest.param(returns(lambda dx, dw, db: (dx, dw)), "returns 2 outputs: expected 3, (dx, dw, db)", id="two outputs"),
        pytest.param(returns(lambda dx, dw, db: dx), "returns 1 output: expected 3", id="one output"),
        pytest.param(returns(lambda dx, dw, db: (None, dw, db)), "dx is None: expected an array", id="none"),
        pytest.param(returns(lambda dx, dw, db: ("dx", dw, db)), "dx is a str: expected an array", id="text"),
        pytest.param(returns(lambda dx, dw, db: (dx.astype(int), dw, db)), "dtype int64: fractions are lost", id="integers"),
        pytest.param(returns(lambda dx, dw, db: (dx + 0j, dw, db)), "dtype complex128: expected real", id="complex"),
        pytest.param(returns(lambda dx, dw, db: (dx * np.nan, dw, db)), "dx is NaN or infinite everywhere", id="nan"),
        pytest.param(returns(lambda dx, dw, db: (dx[..., :0], dw, db)), "dx has shape", id="empty"),
        pytest.param(returns(lambda dx, dw, db: (3 * dx, 3 * dw, 3 * db)), "Every number is 3 times", id="factor"),
        pytest.param(returns(lambda dx, dw, db: (dx + 1, dw, db)), "1 is added to every number", id="constant"),
    ],
)
def test_what_is_wrong_has_a_sentence(candidate: Callable[..., Any], sentence: str) -> None:
    report = grade(candidate, "conv_backward")
    assert report.verdict == "bug"
    assert report.diagnosis
    assert sentence in report.diagnosis


def test_a_mistake_in_each_output_is_named_for_each() -> None:
    def candidate(dy: Array, x: Array, w: Array, **options: Any) -> Any:
        flipped = np.flip(w, tuple(range(w.ndim - 2)))
        dx, _, _ = right(dy, x, flipped, **options)
        _, dw, _ = right(dy, x, w, **options)
        return dx, dw, dy.mean(tuple(range(dy.ndim - 1)))

    report = grade(candidate, "conv_backward")
    assert report.mistakes == ("filter not flipped", "mean instead of sum in db")


def test_a_mistake_made_in_float32_is_named() -> None:
    def candidate(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        flipped = np.flip(w, tuple(range(w.ndim - 2)))
        return sums.conv(x, flipped, b, **options).astype(np.float32)

    assert grade(candidate, "conv").mistakes == ("filter flipped",)


def test_where_it_fails_is_said_when_the_mistake_is_new() -> None:
    def candidate(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        return sums.conv(x, w, b, **options) + (options.get("groups", 1) > 1)

    assert "It fails in exactly the cases with groups." in str(grade(candidate, "conv").diagnosis)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_sums_in_lower_precision_are_rounding(dtype: str) -> None:
    found = grade(lambda dy, x, w: dense_backward(*(jnp.asarray(a, dtype) for a in (dy, x, w))), "dense_backward")
    assert (found.verdict, found.mistakes) == ("rounding", (f"{dtype} arithmetic",))
    assert dtype in str(found.diagnosis)


def test_sums_in_float32_returned_in_float64() -> None:
    def candidate(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        total = np.zeros((), np.float32)
        for tap in np.ndindex(w.shape[:-2]):
            only = np.zeros_like(w)
            only[tap] = w[tap]
            total = total + sums.conv(x, only, **options).astype(np.float32)
        return total.astype(np.float64) + (0 if b is None else b)

    found = grade(candidate, "conv")
    assert (found.verdict, found.mistakes) == ("rounding", ("float32 arithmetic",))


def test_a_small_error_everywhere_is_no_rounding() -> None:
    report = grade(lambda x, w, b=None, **o: sums.conv(x, w, b, **o) * (1 + 1e-4), "conv")
    assert report.verdict == "bug"


def test_any_tie_may_win() -> None:
    def second(seen: Array) -> Array:
        """The second of the tied pixels, where there is one."""
        mask = seen == seen.max(0)
        return mask * ((np.cumsum(mask, 0) == 2) | (mask.sum(0) == 1))

    report = grade(lambda dy, x, size, **o: sums.max_pool_backward(dy, x, size, share=second, **o), "max_pool_backward")
    assert report.verdict == "kink"
    assert report.kinks > 0


def test_the_worst_element_and_the_picture() -> None:
    def candidate(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
        y = sums.conv(x, w, b, **options)
        y[(0,) * y.ndim] += 100
        return y

    report = grade(candidate, "conv")
    assert report.worst
    assert report.worst.leaf == "y"
    assert set(report.worst.index) == {0}
    assert report.worst.got == pytest.approx(report.worst.expected + 100)
    assert report.picture
    assert "smallest failing case: a single pixel" in report.picture
    assert "*" in report.picture


def count_required(kind: str) -> int:
    return sum(must_take(kind_of(kind), case) for case in kind_of(kind).cases)


def test_no_case_taken_is_a_bug() -> None:
    def candidate(*args: Any, **options: Any) -> Any:
        raise NotImplementedError

    report = grade(candidate, "conv")
    assert report.verdict == "bug"
    assert f"takes none of the {count_required('conv')} cases" in str(report.diagnosis)


def test_unknown_kinds_and_things_that_are_no_functions() -> None:
    with pytest.raises(ValueError, match="kind='convolution': expected one of conv"):
        grade(max_pool, "convolution")
    with pytest.raises(TypeError, match="candidate is a int: expected a function"):
        grade(3, "conv")  # pyright: ignore[reportArgumentType]


def test_assert_grades() -> None:
    assert assert_grades(right, "conv_backward").verdict == "agrees"
    with pytest.raises(AssertionError, match="output gradient dy is not used"):
        assert_grades(lambda dy, *args, **options: right(np.ones_like(dy), *args, **options), "conv_backward")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_a_candidate_of_pytorch() -> None:
    torch: Any = importlib.import_module("torch")

    def relu(x: Array) -> Any:
        return torch.relu(torch.from_numpy(x).requires_grad_())

    assert grade(relu, "relu").verdict == "agrees"


def test_a_tensor_that_must_be_detached() -> None:
    class Tensor:
        """As PyTorch's, with a gradient to be detached first."""

        def __init__(self, values: Array) -> None:
            self.values = values

        def detach(self) -> "Tensor":
            return self

        def cpu(self) -> "Tensor":
            return self

        def numpy(self) -> Array:
            return self.values

    assert grade(lambda x: Tensor(np.maximum(x, 0)), "relu").verdict == "agrees"


def test_ctrl_c_stops_the_grading() -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread")

    def pressing(x: Array) -> Array:
        signal.raise_signal(signal.SIGINT)
        return x

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        grade(pressing, "relu")
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_right_is_known_before_the_candidate_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is probed is compared with numbers that are kept, too: none of them may come of this test.
    right_outputs("relu")

    def candidate(x: Array) -> Array:
        monkeypatch.setattr(np, "maximum", lambda x, y: x + 1)
        return x + 1

    operations._expected.cache_clear()
    assert grade(candidate, "relu").verdict == "bug"


def test_results_are_copied_at_once() -> None:
    buffer = np.empty(10**4)

    def candidate(x: Array) -> Array:
        y = buffer[: x.size].reshape(x.shape)
        y[...] = np.maximum(x, 0)
        return y

    assert grade(candidate, "relu").verdict == "agrees"


@pytest.mark.parametrize("name", ["= for +=", "filter not flipped", "mean instead of sum in db"])
def test_a_slow_candidate_that_is_wrong_is_asked_no_more_than_tells_its_mistake(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = next(one for one in CATALOGUE if one.name == name)
    monkeypatch.setattr(grading, "HASTE", 0.0)
    report = grade(mistake.wrong["conv_backward"], "conv_backward")
    leaves = len(kind_of("conv_backward").leaves)
    assert (report.verdict, report.mistakes) == ("bug", (name,))
    assert leaves * grading.ENOUGH <= len(report.rows) <= leaves * (grading.ENOUGH + 1)


def test_a_slow_candidate_that_is_right_is_asked_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading, "HASTE", 0.0)
    monkeypatch.setattr(grading, "PATIENCE", 0.0)
    report = grade(right, "conv_backward")
    assert (report.verdict, report.left_out) == ("agrees", ())


def test_who_declines_what_everybody_takes_has_failed() -> None:
    """In the caller's process as in its own."""

    def candidate(*args: Array, **options: Any) -> Any:
        if args[0].size > 1:
            raise NotImplementedError
        return right(*args, **options)

    report = grade(candidate, "conv_backward")
    assert report.verdict == "bug"
    assert f"It takes only 1 of the {count_required('conv_backward')} cases that every" in str(report.diagnosis)


def test_a_candidate_that_answers_no_question() -> None:
    class Silent:
        def __getattr__(self, name: str) -> Any:
            raise SystemExit(0)

        def __call__(self, *args: Any, **options: Any) -> Any:
            raise SystemExit(0)

    report = grade(Silent(), "relu")
    assert report.verdict == "bug"
    assert (report.diagnosis or "").startswith("It raises SystemExit: 0 (line ")


def dense_of_vectors(dy: Array, x: Array, w: Array) -> Any:
    return dy @ w.T, x.T @ dy, dy.sum(0)


def cross_entropy_of_class_numbers(dy: Array, logits: Array, labels: Array) -> Array:
    e = np.exp(logits - logits.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    return p * dy[:, None]


@pytest.mark.parametrize(
    ("candidate", "kind", "left_out"),
    [
        (dense_of_vectors, "dense_backward", "spatial axes before the channels"),
        (cross_entropy_of_class_numbers, "softmax_cross_entropy_backward", "soft labels"),
    ],
)
def test_textbook_shapes_are_enough(candidate: Any, kind: str, left_out: str) -> None:
    """One vector an example and one class number: the rest is left out, and the report says so."""
    report = grade(candidate, kind)
    assert report.verdict in {"agrees", "rounding"}
    assert any(left_out in text for text in report.left_out)
    assert grade(lambda *args: tuple(2 * leaf for leaf in np.atleast_1d(candidate(*args))), kind).verdict == "bug"


def test_unusable_names_are_refused() -> None:
    unusable: tuple[Any, ...] = (["relu"], {}, "reul")
    for kind in unusable:
        with pytest.raises(ValueError, match="kind="):
            grade(np.abs, kind)
    with pytest.raises(ValueError, match="allow='agress'"):
        assert_grades(np.abs, "relu", allow=("agress",))  # pyright: ignore[reportArgumentType]


def test_an_option_where_a_bias_could_stand() -> None:
    """Given by position, the bias would be taken for the stride."""

    def conv(x: Array, w: Array, stride: int = 1, padding: int = 0) -> Array:
        return kind_of("conv").reference(x, w, stride=stride, padding=padding)

    report = grade(conv, "conv")
    assert report.verdict == "agrees"
    assert any("takes no b" in text for text in report.left_out)


def test_where_the_numbers_are_right_they_are_not_blamed() -> None:
    def relu(x: Array) -> Array:
        x[x < 0] = 0
        return x

    report = grade(relu, "relu")
    smallest = report.smallest
    assert report.verdict == "bug"
    assert report.worst is None
    assert smallest is not None
    assert smallest.note.startswith("y is right; but: It changes its argument x in place")
    wanted, got = smallest.outputs
    assert wanted.cells == got.cells
    assert not any("-0" in row for row in got.cells)
    for row in report.rows:
        if row.verdict == "bug":
            assert row_cells(row)[3:7] == ("", "", "", "")
