"""Losses, one value per example, each beside its backward; float16 and bfloat16 are computed in float32 and rounded once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import Float, Num

from jcnn import arguments
from jcnn.arguments import AnyArray
from jcnn.precision import rounded_once, wide
from jcnn.programs import compiled, rounded_program


def softmax_cross_entropy(logits: Float[AnyArray, "*n c"], labels: Num[AnyArray, "..."]) -> Float[Array, "*n"]:
    """−Σ_c t_c log p_c with p = softmax(logits): how surprised the network is by the label, in nats.

    With a class number t this is log Σ_c e^{z_c} − z_t, computed relative to the largest logit, so that e^z never overflows.

    A logit of −∞ is a class that cannot be. Where its t_c is 0 it costs nothing (0 · log 0 = 0) and has no gradient, where it
    is not the loss is ∞. With a logit of +∞ or NaN, or where all are −∞, there is no softmax: loss and gradients are NaN.

    Args:
        logits: (…, C); float16, bfloat16, float32 or float64.
        labels: class numbers, integers of shape (…), each 0 … C − 1; or one-hot or other distributions, (…, C), floating,
            entries of 0 or more.

    Returns:
        One loss per example, (…), dtype of logits.

    Raises:
        TypeError: dtypes not listed, or integers in the shape of the logits.
        ValueError: shapes that do not fit, an empty batch, a class number out of range, or an entry of a distribution that is
            negative or NaN. Under `jit`, where values are not known, such an example's loss is NaN instead, and so are its
            gradients.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.2.2.3.
    """
    return _forward(*_parse(logits, labels))


def softmax_cross_entropy_backward(
    dy: Float[AnyArray, "*n"], logits: Float[AnyArray, "*n c"], labels: Num[AnyArray, "..."]
) -> Float[Array, "*n c"]:
    """The gradient of `softmax_cross_entropy` by the logits: what was predicted less what was true.

    From ∂(log Σ e^z)/∂z_c = p_c and Σ t = 1:  dlogits = dy · (p − t). For targets of another sum τ, dy · (τp − t).

    Args:
        dy: the gradient of each example's loss, (…).
        logits: as in `softmax_cross_entropy`.
        labels: as in `softmax_cross_entropy`.

    Returns:
        dlogits, shape and dtype of logits.

    Raises:
        TypeError: as `softmax_cross_entropy`.
        ValueError: as `softmax_cross_entropy`.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.2.2.3.
    """
    logits, labels = _parse(logits, labels)
    dy = arguments.output_gradient(dy, logits.shape[:-1], logits, "softmax_cross_entropy", "logits")
    return _backward(dy, logits, labels)


def mean_squared_error(prediction: Float[AnyArray, "*n c"], target: Float[AnyArray, "*n c"]) -> Float[Array, "*n"]:
    """Σ_c (prediction_c − target_c)² / C, one loss per example.

    Args:
        prediction: (…, C); float16, bfloat16, float32 or float64.
        target: same shape and dtype.

    Returns:
        (…), dtype of prediction.

    Raises:
        TypeError: dtypes that differ or are not listed.
        ValueError: shapes that differ, or an empty batch.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 5.1.4.
    """
    return _mean_squared_error(*_parse_pair(prediction, target))


def mean_squared_error_backward(
    dy: Float[AnyArray, "*n"], prediction: Float[AnyArray, "*n c"], target: Float[AnyArray, "*n c"]
) -> Float[Array, "*n c"]:
    """The gradient by the prediction: dy · 2 (prediction − target) / C."""
    prediction, target = _parse_pair(prediction, target)
    dy = arguments.output_gradient(dy, prediction.shape[:-1], prediction, "mean_squared_error", "prediction")
    return _mean_squared_error_backward(dy, prediction, target)


def _parse_pair(prediction: AnyArray, target: AnyArray) -> tuple[Array, Array]:
    prediction, target = arguments.numeric("prediction", prediction), arguments.numeric("target", target)
    arguments.same_dtype(prediction=prediction, target=target)
    if prediction.shape != target.shape or prediction.ndim == 0:
        raise ValueError(
            f"target has shape {target.shape}: expected {prediction.shape}, as prediction, with a last axis to average"
        )
    arguments.not_empty("prediction", prediction)
    return prediction, target


def _parse(logits: AnyArray, labels: AnyArray) -> tuple[Array, Array]:
    logits = arguments.numeric("logits", logits)
    return logits, check_labels(labels, logits)


def check_labels(labels: AnyArray, logits: Array | jax.ShapeDtypeStruct) -> Array:
    """`labels` as class numbers or distributions for these logits, of which only shape and dtype matter.

    Raises:
        TypeError: as `softmax_cross_entropy`.
        ValueError: as `softmax_cross_entropy`.
    """
    labels = arguments.indices("labels", labels)
    if logits.ndim == 0:
        raise ValueError("logits has shape (): expected (…, C)")
    arguments.not_empty("logits", logits)
    if labels.shape == logits.shape:
        if jnp.issubdtype(labels.dtype, jnp.integer):
            raise TypeError(
                f"labels has dtype {labels.dtype.name} and the shape of logits, {labels.shape}: expected floats for "
                f"distributions, such as labels.astype(logits.dtype), or {logits.shape[:-1]} class numbers, such as "
                f"labels.argmax(-1)"
            )
        expected = "0 or more, as in every distribution"
    else:
        if labels.shape != logits.shape[:-1]:
            raise ValueError(
                f"labels has shape {labels.shape}: expected {logits.shape[:-1]} class numbers or {logits.shape} distributions, "
                f"for logits of shape {logits.shape}"
            )
        if not jnp.issubdtype(labels.dtype, jnp.integer):
            raise TypeError(f"labels has dtype {labels.dtype.name}: expected integers for class numbers")
        classes = logits.shape[-1]
        expected = f"a class number from 0 to {classes - 1}, for logits of {classes} classes"
    # Of what JAX traces the values are not known.
    if not isinstance(labels, Tracer):
        wrong = np.argwhere(_wrong(np.asarray(labels), logits.shape))
        if len(wrong):
            raise ValueError(f"{arguments.entry('labels', wrong[0])} = {labels[tuple(wrong[0])]}: expected {expected}")
    return labels


def _wrong(labels: Any, logits_shape: tuple[int, ...]) -> Any:
    """Which entries are none of a distribution, or no class number."""
    if labels.ndim == len(logits_shape):
        return ~(labels >= 0)
    last = min(logits_shape[-1] - 1, int(jnp.iinfo(labels.dtype).max))
    return (labels < 0) | (labels > last)


def _trusted(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Labels to compute with, and for each example 1, or NaN if its label is none.

    Loss and gradients are multiplied by the last: a NaN that were only chosen would be a constant, with a gradient of 0.
    """
    wrong = _wrong(labels, logits.shape)
    if labels.ndim == logits.ndim:
        labels, wrong = labels.astype(wide(logits).dtype), wrong.any(-1)
    else:
        labels = jnp.where(wrong, jnp.int32(0), labels.astype(jnp.int32))
    return labels, jnp.where(wrong, jnp.asarray(jnp.nan, logits.dtype), jnp.ones((), logits.dtype))


@compiled()
def _forward(logits: Array, labels: Array) -> Array:
    return rounded_once(_cross_entropy if labels.ndim == logits.ndim else _surprise, logits, *_trusted(logits, labels))


def _cross_entropy(logits: Array, labels: Array, trust: Array) -> Array:
    log_p = jax.nn.log_softmax(logits)
    # 0 · log 0 = 0. The factor is replaced and not the product, whose gradients would still be NaN.
    impossible = (labels == 0) & (log_p == -jnp.inf)
    return -trust * (labels * jnp.where(impossible, jnp.zeros_like(log_p), log_p)).sum(-1)


def _surprise(logits: Array, labels: Array, trust: Array) -> Array:
    log_p = jax.nn.log_softmax(logits)
    return -trust * jnp.take_along_axis(log_p, labels[..., None], -1, mode="promise_in_bounds")[..., 0]


@compiled()
def _backward(dy: Array, logits: Array, labels: Array) -> Array:
    def backward(dy: Array, logits: Array, labels: Array, trust: Array) -> Array:
        p = jax.nn.softmax(logits)
        if labels.ndim < logits.ndim:
            return (dy * trust)[..., None] * (p - jax.nn.one_hot(labels, logits.shape[-1], dtype=p.dtype))
        return (dy * trust)[..., None] * (p * labels.sum(-1, keepdims=True) - labels)

    return rounded_once(backward, dy, logits, *_trusted(logits, labels))


@rounded_program
def _mean_squared_error(prediction: Array, target: Array) -> Array:
    return ((prediction - target) ** 2).mean(-1)


@rounded_program
def _mean_squared_error_backward(dy: Array, prediction: Array, target: Array) -> Array:
    return dy[..., None] * (2 / prediction.shape[-1]) * (prediction - target)
