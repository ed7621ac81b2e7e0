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
    "one-hot-int": np.eye(4, dtype=np.int32)[CLASSES],
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


@pytest.mark.parametrize("label", [-1, 4, 2**31 - 1, -(2**31)])
def test_labels_out_of_range_are_nan_under_jit(label: int) -> None:
    labels = jnp.asarray([0, label], jnp.int32)
    losses = jax.jit(softmax_cross_entropy)(LOGITS[:2], labels)
    assert np.isfinite(losses[0])
    assert np.isnan(losses[1])
    dlogits = jax.jit(softmax_cross_entropy_backward)(jnp.ones(2), LOGITS[:2], labels)
    assert np.isfinite(dlogits[0]).all()
    assert np.isnan(dlogits[1]).all()


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
