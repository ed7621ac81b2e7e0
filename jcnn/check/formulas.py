"""What moves no window, as textbooks write it, in NumPy: activations, losses, dense layers, what is done to whole maps.

An activation is a formula and its derivative; its backward is dy times the latter.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jcnn.definition import sums

Array = np.ndarray

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


class Formula(NamedTuple):
    """An activation.

    Attributes:
        value: f(x, …).
        slope: f′(x, …), at a kink the side that is the convention.
        other: f′(0, …) from the other side of a kink at 0; None where there is none.
        straight: made of straight pieces, so that it scales with x.
        parameters: values to give its parameter, by what is special in them.
    """

    value: Callable[..., Array]
    slope: Callable[..., Array]
    other: Callable[..., float] | None = None
    straight: bool = False
    parameters: dict[str, dict[str, float]] = {}  # noqa: RUF012 (never changed)


def sigma(x: Array) -> Array:
    """σ(x), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def normal_cdf(x: Array) -> Array:
    """Φ(x)."""
    return _erfc(-x / math.sqrt(2)) / 2


def normal_density(x: Array) -> Array:
    """φ(x)."""
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _elu_slope(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


ACTIVATIONS: dict[str, Formula] = {
    "relu": Formula(lambda x: np.maximum(x, 0.0), lambda x: (x > 0) * 1.0, lambda: 1.0, straight=True),
    "leaky_relu": Formula(
        lambda x, slope=0.01: np.where(x > 0, x, slope * x),
        lambda x, slope=0.01: np.where(x > 0, 1.0, slope),
        lambda slope=0.01: 1.0,
        straight=True,
        parameters={
            "another parameter": {"slope": 0.2},
            "a slope above 1": {"slope": 1.5},
            "a negative slope": {"slope": -0.75},
        },
    ),
    "elu": Formula(
        _elu,
        _elu_slope,
        lambda alpha=1.0: 1.0,
        parameters={"another parameter": {"alpha": 0.5}, "an alpha above 1": {"alpha": 2.5}},
    ),
    "selu": Formula(
        lambda x: SELU_SCALE * _elu(x, SELU_ALPHA),
        lambda x: SELU_SCALE * _elu_slope(x, SELU_ALPHA),
        lambda: SELU_SCALE,
    ),
    "sigmoid": Formula(sigma, lambda x: sigma(x) * sigma(-x)),
    "tanh": Formula(np.tanh, lambda x: 4 * sigma(2 * x) * sigma(-2 * x)),
    "gelu": Formula(lambda x: x * normal_cdf(x), lambda x: normal_cdf(x) + x * normal_density(x)),
    "softplus": Formula(lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), sigma),
}


def softmax(x: Array) -> Array:
    """eˣ / Σ eˣ over the last axis, shifted by the maximum."""
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def softmax_backward(dy: Array, x: Array) -> Array:
    """p · (dy − Σ p dy)."""
    p = softmax(x)
    return p * (dy - (p * dy).sum(-1, keepdims=True))


def log_softmax(x: Array) -> Array:
    """x − log Σ eˣ, shifted by the maximum."""
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def log_softmax_backward(dy: Array, x: Array) -> Array:
    """dy − softmax(x) Σ dy."""
    return dy - softmax(x) * dy.sum(-1, keepdims=True)


def targets(logits: Array, labels: Array) -> Array:
    """Class numbers as one-hot distributions; distributions as they are."""
    return labels if labels.shape == logits.shape else np.eye(logits.shape[-1])[labels]


def softmax_cross_entropy(logits: Array, labels: Array) -> Array:
    """−Σ t log p, one value per example."""
    return -(targets(logits, labels) * log_softmax(logits)).sum(-1)


def softmax_cross_entropy_backward(dy: Array, logits: Array, labels: Array) -> Array:
    """dy · (p Σt − t)."""
    t = targets(logits, labels)
    return dy[..., None] * (softmax(logits) * t.sum(-1, keepdims=True) - t)


def mean_squared_error(prediction: Array, target: Array) -> Array:
    """Σ (prediction − target)² / C, one value per example."""
    return ((prediction - target) ** 2).mean(-1)


def mean_squared_error_backward(dy: Array, prediction: Array, target: Array) -> Array:
    """dy · 2 (prediction − target) / C."""
    return dy[..., None] * 2 * (prediction - target) / prediction.shape[-1]


def global_avg_pool(x: Array) -> Array:
    """The mean of each map."""
    return x.mean(tuple(range(1, x.ndim - 1)))


def global_avg_pool_backward(dy: Array, x: Array) -> Array:
    """dy / pixels everywhere."""
    spread = dy.reshape(dy.shape[0], *(1,) * (x.ndim - 2), dy.shape[-1])
    return np.broadcast_to(spread / np.prod(x.shape[1:-1]), x.shape).copy()


def global_max_pool(x: Array) -> Array:
    """The largest value of each map."""
    return x.max(tuple(range(1, x.ndim - 1)))


def global_max_pool_backward(dy: Array, x: Array, *, share: Callable[[Array], Array] | None = None) -> Array:
    """dy at the first maximum of each map."""
    pixels = np.moveaxis(x.reshape(x.shape[0], -1, x.shape[-1]), 1, 0)
    return np.moveaxis((share or sums.first_maximum)(pixels) * dy, 0, 1).reshape(x.shape)


def dense(x: Array, w: Array, b: Array | None = None) -> Array:
    """x · w + b."""
    return x @ w if b is None else x @ w + b


def dense_backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """(dy · wᵀ, xᵀ · dy, Σ dy)."""
    rows = dy.reshape(-1, dy.shape[-1])
    return dy @ w.T, x.reshape(-1, x.shape[-1]).T @ rows, rows.sum(0)


def flatten(x: Array) -> Array:
    """Each example as one vector, row-major."""
    return x.reshape(len(x), -1).copy()


def flatten_backward(dy: Array, x: Array) -> Array:
    """dy in the shape of x."""
    return dy.reshape(x.shape).copy()


def maxout(x: Array, pieces: int) -> Array:
    """The largest of each `pieces` neighbouring channels."""
    return x.reshape(*x.shape[:-1], -1, pieces).max(-1)


def maxout_backward(dy: Array, x: Array, pieces: int, *, share: Callable[[Array], Array] | None = None) -> Array:
    """dy at the first maximum of each group of channels; `share` as in `max_pool_backward`."""
    parts = np.moveaxis(x.reshape(*x.shape[:-1], -1, pieces), -1, 0)
    return np.moveaxis((share or sums.first_maximum)(parts) * dy, 0, -1).reshape(x.shape)
