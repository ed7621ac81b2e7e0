"""Losses, one value per example, each beside its backward; float16 and bfloat16 are computed in float32 and rounded once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import Float, Num

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.geometry import LIMIT, wrong
from jcnn.precision import rounded_once, wide
from jcnn.programs import compiled, rounded_program


def softmax_cross_entropy(
    logits: Float[AnyArray, "*n c"],
    labels: Num[AnyArray, "..."],
    *,
    label_smoothing: float = 0.0,
    class_weights: Float[AnyArray, " c"] | None = None,
    ignored_label: int | None = None,
) -> Float[Array, "*n"]:
    """−Σ_c t_c log p_c with p = softmax(logits): how surprised the network is by the label, in nats.

    With a class number t this is log Σ_c e^{z_c} − z_t, computed relative to the largest logit, so that e^z never overflows.

    With smoothing s and class weights w it is −Σ_c w_c ((1 − s) t_c + s/C) log p_c. The mean of weighted losses over a batch is
    their sum divided by that of `label_weights`.

    A logit of −∞ is a class that cannot be. Where its share of the target is 0 it costs nothing (0 · log 0 = 0) and has no
    gradient, where it is not the loss is ∞. With a logit of +∞ or NaN, or where all are −∞, there is no softmax: loss and
    gradients are NaN.

    Args:
        logits: (…, C); float16, bfloat16, float32 or float64.
        labels: class numbers, integers of shape (…), each 0 … C − 1; or one-hot or other distributions, (…, C), floating,
            entries of 0 or more.
        label_smoothing: s, from 0 to below 1: how much of every target is spread evenly over all classes.
        class_weights: w, (C,), dtype of logits, or float32 with 16-bit logits; finite, 0 or more. None: 1 for each.
        ignored_label: a class number, or any other integer, of examples that do not count: their loss and gradient are 0,
            whatever their logits are. None: all count.

    Returns:
        One loss per example, (…), dtype of logits.

    Raises:
        TypeError: dtypes not listed, or integers in the shape of the logits.
        ValueError: shapes that do not fit, an empty batch, a class number out of range, an entry of a distribution that is
            negative or NaN, a weight that is negative or not finite, a smoothing out of range, or an ignored label for
            distributions. Under `jit`, where values are not known, the loss of an example with such a label is NaN instead,
            and so are its gradients.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.2.2.3; for smoothing Szegedy et al. 2016,
    "Rethinking the Inception architecture", section 7; smoothing together with weights as PyTorch's `cross_entropy` has them.
    """
    logits, labels, weights, target = _parse(logits, labels, label_smoothing, class_weights, ignored_label)
    if weights is None and target == _AS_LABELLED:
        return _forward(logits, labels)
    return _forward_towards(logits, labels, weights, target)


def softmax_cross_entropy_backward(
    dy: Float[AnyArray, "*n"],
    logits: Float[AnyArray, "*n c"],
    labels: Num[AnyArray, "..."],
    *,
    label_smoothing: float = 0.0,
    class_weights: Float[AnyArray, " c"] | None = None,
    ignored_label: int | None = None,
) -> Float[Array, "*n c"]:
    """The gradient of `softmax_cross_entropy` by the logits: what was predicted less what was true.

    From ∂(log Σ e^z)/∂z_c = p_c and Σ t = 1:  dlogits = dy · (p − t). For targets of another sum τ, dy · (τp − t).

    Smoothing and weights only make another target of it, a_c = w_c ((1 − s) t_c + s/C) with τ = Σ a. Of an ignored example a is
    0, and so is its gradient.

    Args:
        dy: the gradient of each example's loss, (…).
        logits: as in `softmax_cross_entropy`.
        labels: as in `softmax_cross_entropy`.
        label_smoothing: as in `softmax_cross_entropy`.
        class_weights: as in `softmax_cross_entropy`.
        ignored_label: as in `softmax_cross_entropy`.

    Returns:
        dlogits, shape and dtype of logits.

    Raises:
        TypeError: as `softmax_cross_entropy`.
        ValueError: as `softmax_cross_entropy`.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 6.2.2.3.
    """
    logits, labels, weights, target = _parse(logits, labels, label_smoothing, class_weights, ignored_label)
    dy = arguments.output_gradient(dy, logits.shape[:-1], logits, "softmax_cross_entropy", "logits")
    if weights is None and target == _AS_LABELLED:
        return _backward(dy, logits, labels)
    return _backward_towards(dy, logits, labels, weights, target)


def label_weights(
    logits: Float[AnyArray, "*n c"],
    labels: Num[AnyArray, "..."],
    *,
    class_weights: Float[AnyArray, " c"] | None = None,
    ignored_label: int | None = None,
) -> Float[Array, "*n"]:
    """How much each example counts in the mean of `softmax_cross_entropy` over a batch: mean = Σ loss / Σ weight.

    The weight of its class; 0 for an ignored label; 1 for a distribution, of which class weights count in the loss alone. So
    the mean of weighted losses stays in nats for each example, as in PyTorch's `cross_entropy(reduction="mean")`. Where all
    examples are ignored the sum is 0.

    Args:
        logits: as in `softmax_cross_entropy`; only shape and dtype matter.
        labels: as in `softmax_cross_entropy`.
        class_weights: as in `softmax_cross_entropy`.
        ignored_label: as in `softmax_cross_entropy`.

    Returns:
        One weight per example, (…), dtype of logits.

    Raises:
        TypeError: as `softmax_cross_entropy`.
        ValueError: as `softmax_cross_entropy`.
    """
    return _label_weights(*_parse(logits, labels, 0.0, class_weights, ignored_label))


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


class _Target(NamedTuple):
    """What becomes of a label.

    Attributes:
        smoothing: how much of it is spread over all classes.
        ignored: the label that does not count.
    """

    smoothing: float = 0.0
    ignored: int | None = None


_AS_LABELLED = _Target()


def _parse(
    logits: Any, labels: Any, label_smoothing: Any, class_weights: Any, ignored_label: Any
) -> tuple[Array, Array, Array | None, _Target]:
    logits = arguments.numeric("logits", logits)
    ignored = None if ignored_label is None else geometry.integer("ignored_label", ignored_label, -LIMIT)
    labels = check_labels(labels, logits, ignored)
    smoothing = arguments.number("label_smoothing", label_smoothing)
    if not 0 <= smoothing < 1:
        raise ValueError(wrong("label_smoothing", label_smoothing, "a part of every target, from 0 to below 1"))
    weights = None if class_weights is None else _class_weights(class_weights, logits)
    return logits, labels, weights, _Target(smoothing, ignored)


def _class_weights(weights: Any, logits: Array) -> Array:
    weights = arguments.per_channel("class_weights", weights, logits, "logits", "class")
    if not isinstance(weights, Tracer):
        values = np.asarray(weights, np.float64)
        bad = np.argwhere(~(np.isfinite(values) & (values >= 0)))
        if len(bad):
            where = arguments.entry("class_weights", bad[0])
            raise ValueError(f"{where} = {weights[tuple(bad[0])]}: expected a finite number of 0 or more")
    return weights


def check_labels(labels: AnyArray, logits: Array | jax.ShapeDtypeStruct, ignored_label: int | None = None) -> Array:
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
        if ignored_label is not None:
            numbers = f"{logits.shape[:-1]} class numbers"
            raise ValueError(f"ignored_label={ignored_label}: labels are distributions, {labels.shape}; expected {numbers}")
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
        ignored = "" if ignored_label is None else f", or ignored_label={ignored_label}"
        expected = f"a class number from 0 to {classes - 1}, for logits of {classes} classes{ignored}"
    # Of what JAX traces the values are not known.
    if not isinstance(labels, Tracer):
        values = np.asarray(labels)
        bad = np.argwhere(_wrong(values, logits.shape) & ~_is_ignored(values, ignored_label))
        if len(bad):
            raise ValueError(f"{arguments.entry('labels', bad[0])} = {labels[tuple(bad[0])]}: expected {expected}")
    return labels


def _wrong(labels: Any, logits_shape: tuple[int, ...]) -> Any:
    """Which entries are none of a distribution, or no class number."""
    if labels.ndim == len(logits_shape):
        return ~(labels >= 0)
    last = min(logits_shape[-1] - 1, int(jnp.iinfo(labels.dtype).max))
    return (labels < 0) | (labels > last)


def _is_ignored(labels: Any, ignored_label: int | None) -> Any:
    """Which labels do not count."""
    nothing = np.zeros(labels.shape, bool)
    if ignored_label is None or not jnp.issubdtype(labels.dtype, jnp.integer):
        return nothing
    limits = jnp.iinfo(labels.dtype)
    return labels == labels.dtype.type(ignored_label) if limits.min <= ignored_label <= limits.max else nothing


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


@compiled("target")
def _forward_towards(logits: Array, labels: Array, weights: Array | None, target: _Target) -> Array:
    logits, labels, counts = _counted(logits, labels, target)

    def forward(logits: Array, labels: Array, trust: Array) -> Array:
        return jnp.where(counts, _cross_entropy(logits, _towards(logits, labels, weights, target), trust), 0)

    return rounded_once(forward, logits, *_trusted(logits, labels))


@compiled("target")
def _backward_towards(dy: Array, logits: Array, labels: Array, weights: Array | None, target: _Target) -> Array:
    logits, labels, counts = _counted(logits, labels, target)

    def backward(dy: Array, logits: Array, labels: Array, trust: Array) -> Array:
        towards = _towards(logits, labels, weights, target)
        slope = jax.nn.softmax(logits) * towards.sum(-1, keepdims=True) - towards
        return jnp.where(counts[..., None], (dy * trust)[..., None] * slope, 0)

    return rounded_once(backward, dy, logits, *_trusted(logits, labels))


@compiled("target")
def _label_weights(logits: Array, labels: Array, weights: Array | None, target: _Target) -> Array:
    if labels.ndim == logits.ndim:
        return jnp.ones(logits.shape[:-1], logits.dtype)
    _, labels, counts = _counted(logits, labels, target)
    labels, trust = _trusted(logits, labels)
    own = trust if weights is None else trust * weights.astype(logits.dtype)[labels]
    return jnp.where(counts, own, jnp.zeros_like(own))


def _counted(logits: Array, labels: Array, target: _Target) -> tuple[Array, Array, Array]:
    """Logits and labels with zeros for those of ignored examples, which may be anything, and which examples count."""
    if labels.ndim == logits.ndim:
        return logits, labels, jnp.ones(logits.shape[:-1], bool)
    ignored = jnp.asarray(_is_ignored(labels, target.ignored))
    logits = jnp.where(ignored[..., None], jnp.zeros_like(logits), logits)
    return logits, jnp.where(ignored, jnp.zeros_like(labels), labels), ~ignored


def _towards(logits: Array, labels: Array, weights: Array | None, target: _Target) -> Array:
    """a_c = w_c ((1 − s) t_c + s/C)."""
    classes = logits.shape[-1]
    if labels.ndim < logits.ndim:
        labels = jax.nn.one_hot(labels, classes, dtype=logits.dtype)
    spread = labels if target.smoothing == 0 else (1 - target.smoothing) * labels + target.smoothing / classes
    return spread if weights is None else spread * wide(weights).reshape((1,) * (spread.ndim - 1) + (-1,))


@rounded_program
def _mean_squared_error(prediction: Array, target: Array) -> Array:
    return ((prediction - target) ** 2).mean(-1)


@rounded_program
def _mean_squared_error_backward(dy: Array, prediction: Array, target: Array) -> Array:
    return dy[..., None] * (2 / prediction.shape[-1]) * (prediction - target)
