"""What moves no window, as textbooks write it, in NumPy: activations, losses, dense layers, what is done to whole maps.

An activation is a formula and its derivative, which stand beside its layer; its backward is dy times the latter.
"""

from collections.abc import Callable

import numpy as np

from jcnn.definition import sums
from jcnn.layers import activation
from jcnn.layers.activation import Activation
from jcnn.layers.formula import Formula

Array = np.ndarray

ACTIVATIONS: dict[str, Formula] = {
    layer.function.__name__: layer.formula
    for layer in vars(activation).values()
    if isinstance(layer, type) and issubclass(layer, Activation) and layer.formula
}
"""The formulas of the activations by the name of their function: every layer of `jcnn.layers.activation` says its own."""


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
