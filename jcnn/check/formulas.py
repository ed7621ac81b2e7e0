"""What moves no window, as textbooks write it, in NumPy: activations, losses, dense layers, dropout, what whole maps undergo.

An activation is a formula and its derivative, which stand beside its layer; its backward is dy times the latter.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jcnn import arguments
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


def aimed_at(
    logits: Array,
    labels: Array,
    *,
    label_smoothing: float = 0.0,
    class_weights: Array | None = None,
    ignored_label: int | None = None,
) -> Array:
    """w ((1 − s) t + s/C) for every example and class, 0 for examples that do not count."""
    classes = logits.shape[-1]
    counts = np.ones(logits.shape[:-1], bool)
    if labels.shape != logits.shape and ignored_label is not None:
        counts = labels != ignored_label
        labels = np.where(counts, labels, 0)
    t = (1 - label_smoothing) * targets(logits, labels) + label_smoothing / classes
    return t * (1.0 if class_weights is None else class_weights) * counts[..., None]


def softmax_cross_entropy(logits: Array, labels: Array, **options: Any) -> Array:
    """−Σ t log p, one value per example; options as `aimed_at`."""
    return -(aimed_at(logits, labels, **options) * log_softmax(logits)).sum(-1)


def softmax_cross_entropy_backward(dy: Array, logits: Array, labels: Array, **options: Any) -> Array:
    """dy · (p Σt − t)."""
    t = aimed_at(logits, labels, **options)
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


def kept(x: Array, key: Array, *, rate: float, spatial: bool = False) -> Array:
    """What dropout keeps of x: each value, or each map, that draws a number of 32 bits of at least rate · 2³²."""
    shape = (len(x), *(1,) * (x.ndim - 2), x.shape[-1]) if spatial else x.shape
    drawn = np.asarray(jax.random.bits(arguments.random_key("key", key), shape, np.uint32))
    return np.broadcast_to(drawn >= rate * 2.0**32, x.shape)


def dropout(x: Array, key: Array, *, rate: float, spatial: bool = False) -> Array:
    """x / (1 − rate) where it is kept, else 0."""
    return np.where(kept(x, key, rate=rate, spatial=spatial), x / (1 - rate), 0.0)


def dropout_backward(dy: Array, x: Array, key: Array, *, rate: float, spatial: bool = False) -> Array:
    """dy / (1 − rate) where x was kept, else 0."""
    return np.where(kept(x, key, rate=rate, spatial=spatial), dy / (1 - rate), 0.0)


def _stretching(size: int, factor: int, method: str) -> Array:
    """The matrix that enlarges an axis: a row for each output, with the weights of the pixels."""
    outputs = np.arange(size * factor)
    matrix = np.zeros((size * factor, size))
    if method == "nearest":
        matrix[outputs, outputs // factor] = 1
        return matrix
    position = (outputs + 0.5) / factor - 0.5
    before = np.floor(position).astype(int)
    for pixel, weight in ((before, 1 - (position - before)), (before + 1, position - before)):
        np.add.at(matrix, (outputs, np.clip(pixel, 0, size - 1)), weight)
    return matrix


def _along_axes(array: Array, x: Array, factor: int | Sequence[int], method: str, *, back: bool) -> Array:
    for axis, size in enumerate(x.shape[1:-1], 1):
        matrix = _stretching(size, factor if isinstance(factor, int) else factor[axis - 1], method)
        array = np.moveaxis(np.tensordot(matrix.T if back else matrix, array, (1, axis)), 0, axis)
    return array


def upsample(x: Array, factor: int | Sequence[int], *, method: str = "nearest") -> Array:
    """One matrix for each axis."""
    return _along_axes(x, x, factor, method, back=False)


def upsample_backward(dy: Array, x: Array, factor: int | Sequence[int], *, method: str = "nearest") -> Array:
    """Their transposes."""
    return _along_axes(dy, x, factor, method, back=True)
