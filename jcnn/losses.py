"""Losses, one value per example, each beside its backward."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import Float, Num

from jcnn import arguments
from jcnn.activations import log_softmax, softmax
from jcnn.arguments import AnyArray


def softmax_cross_entropy(logits: Float[AnyArray, "*n c"], labels: Num[AnyArray, "..."]) -> Float[Array, "*n"]:
    """−Σ_c t_c log p_c with p = softmax(logits): how surprised the network is by the label, in nats.

    With a class number t this is log Σ_c e^{z_c} − z_t, computed relative to the largest logit: finite as long as the
    differences of logits are, which in float16 means below 65,504.

    Args:
        logits: (…, C); float16, bfloat16, float32 or float64.
        labels: class numbers, integers of shape (…), each 0 … C − 1; or one-hot or other distributions, (…, C).

    Returns:
        One loss per example, (…), dtype of logits.

    Raises:
        TypeError: dtypes not listed.
        ValueError: shapes that do not fit, an empty batch, or a class number out of range. Under `jit`, where values are not
            known, such an example's loss is NaN instead.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.2.2.3.
    """
    logits, labels = _parse(logits, labels)
    log_p = log_softmax(logits)
    if labels.ndim == logits.ndim:
        return -(labels * log_p).sum(-1)
    return -jnp.take_along_axis(log_p, labels[..., None], -1, mode="fill", fill_value=jnp.nan)[..., 0]


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
    p = softmax(logits)
    if labels.ndim == logits.ndim:
        return dy[..., None] * (p * labels.sum(-1, keepdims=True) - labels)
    hot = jax.nn.one_hot(labels, logits.shape[-1], dtype=p.dtype)
    return dy[..., None] * jnp.where(hot.any(-1, keepdims=True), p - hot, jnp.asarray(jnp.nan, p.dtype))


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
    prediction, target = _parse_pair(prediction, target)
    return ((prediction - target) ** 2).mean(-1)


def mean_squared_error_backward(
    dy: Float[AnyArray, "*n"], prediction: Float[AnyArray, "*n c"], target: Float[AnyArray, "*n c"]
) -> Float[Array, "*n c"]:
    """The gradient by the prediction: dy · 2 (prediction − target) / C."""
    prediction, target = _parse_pair(prediction, target)
    dy = arguments.output_gradient(dy, prediction.shape[:-1], prediction, "mean_squared_error", "prediction")
    return dy[..., None] * (2 / prediction.shape[-1]) * (prediction - target)


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
    labels = arguments.indices("labels", labels)
    if logits.ndim == 0:
        raise ValueError("logits has shape (): expected (…, C)")
    arguments.not_empty("logits", logits)
    if labels.shape == logits.shape:
        return logits, labels.astype(logits.dtype)
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            f"labels has shape {labels.shape}: expected {logits.shape[:-1]} class numbers or {logits.shape} distributions, "
            f"for logits of shape {logits.shape}"
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels has dtype {labels.dtype.name}: expected integers for class numbers")
    if not isinstance(labels, Tracer):
        _check_range(np.asarray(labels), logits.shape[-1])
    # All wrong numbers to one index out of range: negative ones would count from the end, large ones wrap around in int32.
    wrong = (labels < 0) | (labels > min(logits.shape[-1] - 1, int(jnp.iinfo(labels.dtype).max)))
    return logits, jnp.where(wrong, jnp.int32(logits.shape[-1]), labels.astype(jnp.int32))


def _check_range(labels: np.ndarray, classes: int) -> None:
    wrong = np.argwhere((labels < 0) | (labels >= classes))
    if len(wrong):
        raise ValueError(
            f"{arguments.entry('labels', wrong[0])} = {labels[tuple(wrong[0])]}: "
            f"expected a class number from 0 to {classes - 1}, for logits of {classes} classes"
        )
