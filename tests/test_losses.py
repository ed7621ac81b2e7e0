"""Losses: known values, extreme logits, every kind of label, gradients by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from jcnn import (
    label_weights,
    mean_squared_error,
    mean_squared_error_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from tests.references import assert_agree, normal

LOGITS = 3 * normal(5, 4)
CLASSES = np.array([0, 3, 1, 1, 2])
LABELS: dict[str, Any] = {
    "int32": CLASSES.astype(np.int32),
    "int64": CLASSES,
    "uint8": CLASSES.astype(np.uint8),
    "one-hot": np.eye(4)[CLASSES],
    "soft": scipy.special.softmax(normal(5, 4, seed=1), -1),
    "unnormalised": np.abs(normal(5, 4, seed=2)),
}
kinds = pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)


@kinds
def test_value_and_gradient(labels: Any) -> None:
    targets = labels if labels.ndim == 2 else np.eye(4)[labels]
    assert_agree(softmax_cross_entropy(LOGITS, labels), -(targets * scipy.special.log_softmax(LOGITS, -1)).sum(-1))
    dy = jnp.asarray(normal(5))
    _, pullback = jax.vjp(lambda logits: softmax_cross_entropy(logits, labels), jnp.asarray(LOGITS))
    by_hand = softmax_cross_entropy_backward(dy, jnp.asarray(LOGITS), labels)
    assert_agree(by_hand, pullback(dy)[0])
    predicted = scipy.special.softmax(LOGITS, -1) * targets.sum(-1, keepdims=True)
    assert_agree(by_hand, np.asarray(dy)[:, None] * (predicted - targets))


@kinds
def test_the_same_under_jit_and_vmap(labels: Any) -> None:
    mapped = jax.jit(jax.vmap(softmax_cross_entropy))(LOGITS, jnp.asarray(labels))
    assert_agree(mapped, softmax_cross_entropy(LOGITS, labels))
    one = jnp.ones(5)
    by_hand = jax.jit(softmax_cross_entropy_backward)(one, LOGITS, jnp.asarray(labels))
    assert_agree(by_hand, softmax_cross_entropy_backward(one, jnp.asarray(LOGITS), labels))


WEIGHTS = np.array([0.5, 0.0, 2.0, 3.0])
OPTIONS: dict[str, dict[str, Any]] = {
    "smoothed": {"label_smoothing": 0.1},
    "weighted": {"class_weights": WEIGHTS},
    "ignored class": {"ignored_label": 1},
    "ignored beyond": {"ignored_label": -100},
    "everything": {"label_smoothing": 0.3, "class_weights": WEIGHTS, "ignored_label": -100},
    "distributions": {"label_smoothing": 0.3, "class_weights": WEIGHTS},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_smoothing_weights_and_ignored_labels(name: str) -> None:
    """Value and both gradients, from the target written out; an ignored example may have any logits."""
    options, counts = OPTIONS[name], np.ones(5)
    labels: Any = LABELS["soft"] if name == "distributions" else CLASSES.copy()
    logits = LOGITS.copy()
    if "ignored_label" in options:
        labels[2] = options["ignored_label"]
        counts = (labels != options["ignored_label"]) * 1.0
        logits[2] = np.nan
    one_hot = labels if labels.ndim == 2 else np.eye(4)[labels % 4]
    smoothing = options.get("label_smoothing", 0.0)
    target = counts[:, None] * options.get("class_weights", 1.0) * ((1 - smoothing) * one_hot + smoothing / 4)
    log_p = scipy.special.log_softmax(LOGITS, -1)
    dy = jnp.asarray(normal(5))
    loss, pullback = jax.vjp(lambda logits: softmax_cross_entropy(logits, labels, **options), jnp.asarray(logits))
    assert_agree(loss, -(target * log_p).sum(-1))
    by_hand = jax.jit(lambda dy, x, t: softmax_cross_entropy_backward(dy, x, t, **options))(dy, logits, jnp.asarray(labels))
    assert_agree(by_hand, np.asarray(dy)[:, None] * (np.exp(log_p) * target.sum(-1, keepdims=True) - target))
    assert_agree(by_hand, pullback(dy)[0])
    weighing = {key: value for key, value in options.items() if key != "label_smoothing"}
    weights = counts if labels.ndim == 2 else counts * options.get("class_weights", np.ones(4))[labels % 4]
    assert_agree(label_weights(logits, labels, **weighing) + 1, weights + 1)


def test_an_ignored_label_that_the_dtype_does_not_hold_is_none_of_them() -> None:
    labels = CLASSES.astype(np.uint8)
    assert_agree(softmax_cross_entropy(LOGITS, labels, ignored_label=-100), softmax_cross_entropy(LOGITS, labels))
    labels[0] = 255
    assert float(softmax_cross_entropy(LOGITS, labels, ignored_label=255)[0]) == 0


def test_half_precision_with_weights_in_float32() -> None:
    logits = jnp.asarray(LOGITS, "bfloat16")
    weights = jnp.asarray(WEIGHTS, "float32")
    loss = softmax_cross_entropy(logits, CLASSES, class_weights=weights)
    assert loss.dtype == "bfloat16"
    assert_agree(loss, WEIGHTS[CLASSES] * np.asarray(softmax_cross_entropy(logits.astype("float32"), CLASSES)), 2.0**-8)


def test_under_jit_a_wrong_label_beside_ignored_ones_makes_its_loss_nan() -> None:
    labels = jnp.asarray([0, -100, 7, -1, 2])
    losses = jax.jit(lambda labels: softmax_cross_entropy(LOGITS, labels, ignored_label=-100))(labels)
    np.testing.assert_array_equal(np.isnan(losses), [False, False, True, True, False])
    assert losses[1] == 0


@pytest.mark.parametrize(
    ("options", "error", "pieces"),
    [
        ({"label_smoothing": 1.0}, ValueError, ["label_smoothing=1.0", "from 0 to below 1"]),
        ({"label_smoothing": "some"}, TypeError, ["label_smoothing='some'"]),
        ({"class_weights": WEIGHTS[:3]}, ValueError, ["class_weights has shape (3,)", "expected (4,)", "class of logits"]),
        ({"class_weights": -WEIGHTS}, ValueError, ["class_weights[0] = -0.5", "0 or more"]),
        ({"class_weights": [1.0] * 4}, TypeError, ["class_weights is a list"]),
        ({"class_weights": WEIGHTS.astype("float32")}, TypeError, ["logits float64", "class_weights float32"]),
        ({"ignored_label": 1.5}, ValueError, ["ignored_label=1.5", "an integer"]),
        ({"ignored_label": -1, "labels": np.array([0, -1, -2, 0, 0])}, ValueError, ["labels[2] = -2", "or ignored_label=-1"]),
        ({"ignored_label": 1, "labels": np.eye(4)[CLASSES]}, ValueError, ["ignored_label=1", "distributions"]),
    ],
    ids=str,
)
def test_options_that_are_refused_are_named(options: dict[str, Any], error: type[Exception], pieces: list[str]) -> None:
    with pytest.raises(error) as caught:
        softmax_cross_entropy(LOGITS, **{"labels": CLASSES, **options})
    assert all(piece in str(caught.value) for piece in pieces), str(caught.value)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_equal_logits_cost_the_logarithm_of_the_number_of_classes(classes: int) -> None:
    losses = softmax_cross_entropy(np.zeros((3, classes)), np.array([0, 1, classes - 1]))
    assert_agree(losses, np.full(3, np.log(classes)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["numbers", "one-hot"])
def test_extreme_logits(kind: str, dtype: str) -> None:
    """Loss 0 for the right and 2e4 for the wrong class at ±1e4; the gradient is that of a certain prediction."""
    logits = jnp.asarray([[1e4, -1e4], [1e4, -1e4]], dtype)
    labels = jnp.asarray([0, 1], jnp.int32)
    targets: Any = labels if kind == "numbers" else jnp.eye(2, dtype=dtype)[labels]
    losses = softmax_cross_entropy(logits, targets)
    assert losses.dtype == dtype
    assert_agree(losses, [0, 2e4], float(jnp.finfo(dtype).eps))
    dlogits = softmax_cross_entropy_backward(jnp.ones(2, dtype), logits, targets)
    derived = jax.grad(lambda logits: softmax_cross_entropy(logits, targets).sum())(logits)
    for gradient in (dlogits, derived):
        assert gradient.dtype == dtype
        np.testing.assert_array_equal(gradient.astype(jnp.float64), [[0, 0], [1, -1]])


@given(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), st.integers(0, 2), st.floats(-1e4, 1e4))
@settings(max_examples=80)
def test_a_shift_of_all_logits_changes_nothing(logits: list[float], label: int, shift: float) -> None:
    x = np.array([logits])
    losses = [float(softmax_cross_entropy(z, np.array([label]))[0]) for z in (x, x + shift)]
    assert losses[0] >= 0
    assert abs(losses[0] - losses[1]) <= 4 * np.spacing(3e4)  # the shifted logits themselves are rounded


def both_gradients(dy: Any, logits: Any, labels: Any) -> tuple[Any, Any]:
    """By hand and by autodiff."""
    _, pullback = jax.vjp(lambda logits: softmax_cross_entropy(logits, labels), logits)
    return softmax_cross_entropy_backward(dy, logits, labels), pullback(dy)[0]


NO_CLASS = {str(label): np.array([0, label], np.int32) for label in (-1, 4, 2**31 - 1, -(2**31))}
NO_DISTRIBUTION = {str(part): np.array([[0.0, 1, 0, 0], [1, part, 0, 0]]) for part in (-1.0, np.nan, -np.inf)}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("labels", [*NO_CLASS.values(), *NO_DISTRIBUTION.values()], ids=[*NO_CLASS, *NO_DISTRIBUTION])
def test_what_is_no_label_makes_loss_and_gradients_nan_under_jit(labels: np.ndarray, dtype: str) -> None:
    """Of that example only; a finite gradient would be followed as though nothing were wrong."""
    logits = jnp.asarray(LOGITS[:2], dtype)
    losses = jax.jit(softmax_cross_entropy)(logits, labels)
    by_hand, derived = jax.jit(both_gradients)(jnp.ones(2, dtype), logits, labels)
    assert np.isfinite(losses[0])
    assert np.isnan(losses[1])
    for gradient in (by_hand, derived):
        assert np.isfinite(gradient[0]).all()
        assert np.isnan(gradient[1]).all()


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (NO_CLASS["4"], ValueError, r"labels\[1\] = 4: expected a class number from 0 to 3, for logits of 4 classes"),
        (NO_DISTRIBUTION["-1.0"], ValueError, r"labels\[1, 1\] = -1.0: expected 0 or more"),
        (NO_DISTRIBUTION["nan"], ValueError, r"labels\[1, 1\] = nan: expected 0 or more"),
        (
            np.eye(4, dtype=np.int32)[:2],
            TypeError,
            r"int32 and the shape of logits, \(2, 4\): .*labels.astype\(logits.dtype\), or \(2,\) class numbers.*argmax\(-1\)",
        ),
        (np.eye(4, dtype=np.uint8)[:2], TypeError, r"labels has dtype uint8 and the shape of logits"),
    ],
    ids=["no-class", "negative", "nan", "one-hot-int", "one-hot-uint8"],
)
def test_what_is_no_label_is_refused(labels: np.ndarray, error: type[Exception], message: str) -> None:
    for call in (softmax_cross_entropy, lambda x, labels: softmax_cross_entropy_backward(np.ones(2), x, labels)):
        with pytest.raises(error, match=message):
            call(LOGITS[:2], labels)


def test_integers_in_the_shape_of_logits_are_refused_where_they_could_be_class_numbers_too() -> None:
    """Ten examples of ten classes, one-hot: a test of shapes alone would not find it, and a cast would hide it."""
    with pytest.raises(TypeError, match=r"labels.argmax\(-1\)"):
        jax.jit(softmax_cross_entropy)(jnp.zeros((3, 3)), jnp.eye(3, dtype=jnp.int32))


IMPOSSIBLE = np.array([[1.0, -np.inf, 2.0, 0.5], [-np.inf, -np.inf, 0.0, 1.0]])
"""Logits of classes that cannot be, none of them the label below."""
POSSIBLE: dict[str, Any] = {
    "numbers": np.array([2, 3]),
    "one-hot": np.eye(4)[[2, 3]],
    "soft": np.array([[0.5, 0, 0.25, 0.25], [0, 0, 0.5, 0.5]]),
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("labels", POSSIBLE.values(), ids=POSSIBLE)
def test_a_class_that_cannot_be_is_as_if_it_were_not_there(labels: Any, dtype: str) -> None:
    """Loss, gradients and second derivatives are those of logits that are merely so low that e^z is 0."""
    low = jnp.asarray(np.maximum(IMPOSSIBLE, -3e4), dtype)
    logits = jnp.asarray(IMPOSSIBLE, dtype)
    dy = jnp.asarray([1, -2], dtype)

    @jax.jit
    def everything(logits: Any) -> Any:
        losses = softmax_cross_entropy(logits, labels)
        by_hand, derived = both_gradients(dy, logits, labels)
        hessian = jax.jacfwd(jax.grad(lambda logits: softmax_cross_entropy(logits, labels).sum()))(logits)
        return losses, by_hand, derived, hessian

    for found, expected in zip(everything(logits), everything(low), strict=True):
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found, expected)


def test_the_gradient_by_a_distribution_is_the_surprise_of_every_class() -> None:
    """Also where t_c is 0, as long as the class can be."""
    by_labels = jax.grad(lambda labels: softmax_cross_entropy(jnp.asarray(LOGITS), labels).sum())(jnp.eye(4)[CLASSES])
    assert_agree(by_labels, -scipy.special.log_softmax(LOGITS, -1))
    beside = jax.grad(lambda labels: softmax_cross_entropy(jnp.asarray(IMPOSSIBLE), labels).sum())(jnp.eye(4)[np.array([2, 3])])
    assert np.isfinite(beside).all()


@pytest.mark.parametrize("labels", [np.array([1, 0]), np.eye(4)[[1, 0]]], ids=["numbers", "one-hot"])
def test_what_cannot_be_and_is_costs_infinitely_much(labels: np.ndarray) -> None:
    logits = jnp.asarray(IMPOSSIBLE)
    assert np.isposinf(softmax_cross_entropy(logits, labels)).all()
    for gradient in both_gradients(jnp.ones(2), logits, labels):
        assert_agree(gradient, scipy.special.softmax(IMPOSSIBLE, -1) - np.eye(4)[[1, 0]])


@pytest.mark.parametrize("wrong", [np.inf, np.nan, None], ids=["one is ∞", "one is NaN", "all are −∞"])
@pytest.mark.parametrize("labels", [np.array([2, 3]), np.eye(4)[[2, 3]]], ids=["numbers", "one-hot"])
def test_where_there_is_no_softmax_all_is_nan(labels: np.ndarray, wrong: float | None) -> None:
    logits = jnp.asarray(LOGITS[:2]).at[1].set(-jnp.inf) if wrong is None else jnp.asarray(LOGITS[:2]).at[1, 0].set(wrong)
    losses = softmax_cross_entropy(logits, labels)
    for found in (losses, *both_gradients(jnp.ones(2), logits, labels)):
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()


def test_class_numbers_beyond_32_bits_are_out_of_range_too() -> None:
    assert np.isnan(jax.jit(softmax_cross_entropy)(LOGITS[:1], jnp.asarray([2**32]))).all()


def test_maps_of_logits_have_a_loss_at_every_pixel() -> None:
    logits, labels = normal(2, 3, 3, 4), np.arange(18).reshape(2, 3, 3) % 4
    flat = softmax_cross_entropy(logits.reshape(-1, 4), labels.reshape(-1))
    assert_agree(softmax_cross_entropy(logits, labels), np.asarray(flat).reshape(2, 3, 3))
    dy = jnp.asarray(normal(2, 3, 3))
    derived = jax.vjp(lambda logits: softmax_cross_entropy(logits, labels), jnp.asarray(logits))[1](dy)[0]
    assert_agree(softmax_cross_entropy_backward(dy, jnp.asarray(logits), labels), derived)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)], ids=str)
def test_mean_squared_error_and_its_gradient(shape: tuple[int, ...]) -> None:
    prediction, target = jnp.asarray(normal(*shape)), jnp.asarray(normal(*shape, seed=1))
    losses, pullback = jax.vjp(lambda p: mean_squared_error(p, target), prediction)
    assert_agree(losses, np.square(prediction - target).mean(-1))
    dy = jnp.asarray(normal(*shape[:-1]))
    assert_agree(mean_squared_error_backward(dy, prediction, target), pullback(dy)[0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_losses_keep_the_dtype(dtype: str) -> None:
    x, labels = jnp.asarray(LOGITS, dtype), jnp.asarray(CLASSES)
    losses, errors = softmax_cross_entropy(x, labels), mean_squared_error(x, jnp.zeros_like(x))
    assert losses.dtype == errors.dtype == softmax_cross_entropy_backward(losses, x, labels).dtype == dtype
    eps = float(jnp.finfo(dtype).eps)
    # A handful of roundings, of terms no larger than the spread of the logits.
    assert_agree(losses, softmax_cross_entropy(x.astype(jnp.float64), labels), 8 * eps)
    assert_agree(errors, mean_squared_error(x.astype(jnp.float64), jnp.zeros_like(LOGITS)), 8 * eps)
