"""The fully connected layer, activations, softmax and losses, as students write them."""

import math
from typing import Any

import numpy as np

from experiments.mutation.student import Student

Array = np.ndarray


def dense_by_product(x: Array, w: Array, b: Any = None) -> Array:
    """One matrix product."""
    y = x @ w
    if b is not None:
        y = y + b
    return y


def dense_by_loops(x: Array, w: Array, b: Any = None) -> Array:
    """Output by output."""
    rows = x.reshape(-1, x.shape[-1])
    y = np.zeros((rows.shape[0], w.shape[1]))
    for k in range(rows.shape[0]):
        for o in range(w.shape[1]):
            for i in range(w.shape[0]):
                y[k, o] += rows[k, i] * w[i, o]
            if b is not None:
                y[k, o] += b[o]
    return y.reshape(*x.shape[:-1], w.shape[1])


def dense_backward_by_product(dy: Array, x: Array, w: Array) -> Any:
    """Matrix products."""
    flat = dy.reshape(-1, dy.shape[-1])
    dx = dy @ w.T
    dw = x.reshape(-1, x.shape[-1]).T @ flat
    return dx, dw, flat.sum(axis=0)


def dense_backward_by_loops(dy: Array, x: Array, w: Array) -> Any:
    """Example by example."""
    given, seen = dy.reshape(-1, dy.shape[-1]), x.reshape(-1, x.shape[-1])
    dx, dw, db = np.zeros(seen.shape), np.zeros(w.shape), np.zeros(w.shape[1])
    for k in range(len(given)):
        dx[k] = w @ given[k]
        dw += np.outer(seen[k], given[k])
        db += given[k]
    return dx.reshape(x.shape), dw, db


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def relu_where(x: Array) -> Array:
    return np.where(x > 0, x, 0.0)


def relu_backward(dy: Array, x: Array) -> Array:
    return dy * (x > 0)


def relu_backward_masked(dy: Array, x: Array) -> Array:
    dx = dy.copy()
    dx[x <= 0] = 0
    return dx


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    return np.where(x > 0, x, slope * x)


def leaky_relu_of_parts(x: Array, slope: float = 0.01) -> Array:
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def leaky_relu_backward(dy: Array, x: Array, slope: float = 0.01) -> Array:
    return dy * np.where(x > 0, 1.0, slope)


def leaky_relu_backward_masked(dy: Array, x: Array, slope: float = 0.01) -> Array:
    dx = dy.copy()
    dx[x <= 0] *= slope
    return dx


def elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def elu_masked(x: Array, alpha: float = 1.0) -> Array:
    y = x.copy()
    below = x < 0
    y[below] = alpha * np.expm1(x[below])
    return y


def elu_backward(dy: Array, x: Array, alpha: float = 1.0) -> Array:
    return dy * np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


def elu_backward_masked(dy: Array, x: Array, alpha: float = 1.0) -> Array:
    slope = np.ones(x.shape)
    slope[x <= 0] = alpha * np.exp(x[x <= 0])
    return dy * slope


def selu(x: Array) -> Array:
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu_of_parts(x: Array) -> Array:
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * np.maximum(x, 0) + scale * alpha * (np.exp(np.minimum(x, 0)) - 1)


def selu_backward(dy: Array, x: Array) -> Array:
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return dy * scale * np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))


def selu_backward_masked(dy: Array, x: Array) -> Array:
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    dx = scale * dy
    below = x <= 0
    dx[below] *= alpha * np.exp(x[below])
    return dx


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))


def sigmoid_by_tanh(x: Array) -> Array:
    return (np.tanh(x / 2) + 1) / 2


def sigmoid_of_signs(x: Array) -> Array:
    y = np.empty(x.shape)
    right = x >= 0
    y[right] = 1 / (1 + np.exp(-x[right]))
    small = np.exp(x[~right])
    y[~right] = small / (1 + small)
    return y


def sigmoid_backward(dy: Array, x: Array) -> Array:
    y = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
    return dy * y * (1 - y)


def sigmoid_backward_by_exp(dy: Array, x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return dy * small / (1 + small) ** 2


def tanh(x: Array) -> Array:
    return np.tanh(x)


def tanh_by_exp(x: Array) -> Array:
    small = np.exp(-2 * np.abs(x))
    return np.sign(x) * (1 - small) / (1 + small)


def tanh_backward(dy: Array, x: Array) -> Array:
    return dy * (1 - np.tanh(x) ** 2)


def tanh_backward_by_cosh(dy: Array, x: Array) -> Array:
    return dy / np.cosh(np.clip(x, -300, 300)) ** 2


def gelu(x: Array) -> Array:
    y = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        y[at] = x[at] * (1 + math.erf(x[at] / math.sqrt(2))) / 2
    return y


def gelu_by_erfc(x: Array) -> Array:
    erfc = np.vectorize(math.erfc, otypes=[float])
    return 0.5 * x * erfc(-x / np.sqrt(2))


def gelu_backward(dy: Array, x: Array) -> Array:
    erf = np.vectorize(math.erf, otypes=[float])
    below = 0.5 * (1 + erf(x / np.sqrt(2)))
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    return dy * (below + x * density)


def gelu_backward_by_loops(dy: Array, x: Array) -> Array:
    dx = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        below = math.erfc(-x[at] / math.sqrt(2)) / 2
        density = math.exp(-x[at] * x[at] / 2) / math.sqrt(2 * math.pi)
        dx[at] = dy[at] * (below + x[at] * density)
    return dx


def softplus(x: Array) -> Array:
    return np.logaddexp(x, 0)


def softplus_of_parts(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_backward(dy: Array, x: Array) -> Array:
    return dy / (1 + np.exp(-np.clip(x, -700, 700)))


def softplus_backward_by_tanh(dy: Array, x: Array) -> Array:
    return dy * (0.5 + 0.5 * np.tanh(0.5 * x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_by_rows(x: Array) -> Array:
    rows = x.reshape(-1, x.shape[-1])
    y = np.zeros(rows.shape)
    for k in range(rows.shape[0]):
        e = np.exp(rows[k] - np.max(rows[k]))
        y[k] = e / np.sum(e)
    return y.reshape(x.shape)


def softmax_backward(dy: Array, x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return p * (dy - (dy * p).sum(axis=-1, keepdims=True))


def softmax_backward_by_matrix(dy: Array, x: Array) -> Array:
    rows, given = x.reshape(-1, x.shape[-1]), dy.reshape(-1, x.shape[-1])
    dx = np.zeros(rows.shape)
    for k in range(len(rows)):
        e = np.exp(rows[k] - rows[k].max())
        p = e / e.sum()
        dx[k] = (np.diag(p) - np.outer(p, p)) @ given[k]
    return dx.reshape(x.shape)


def log_softmax(x: Array) -> Array:
    z = x - x.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def log_softmax_by_rows(x: Array) -> Array:
    rows = x.reshape(-1, x.shape[-1])
    y = np.zeros(rows.shape)
    for k in range(len(rows)):
        most = rows[k].max()
        y[k] = rows[k] - most - np.log(np.sum(np.exp(rows[k] - most)))
    return y.reshape(x.shape)


def log_softmax_backward(dy: Array, x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return dy - e / e.sum(axis=-1, keepdims=True) * dy.sum(axis=-1, keepdims=True)


def log_softmax_backward_by_rows(dy: Array, x: Array) -> Array:
    rows, given = x.reshape(-1, x.shape[-1]), dy.reshape(-1, x.shape[-1])
    dx = np.zeros(rows.shape)
    for k in range(len(rows)):
        e = np.exp(rows[k] - rows[k].max())
        dx[k] = given[k] - e / e.sum() * given[k].sum()
    return dx.reshape(x.shape)


def cross_entropy(logits: Array, labels: Array) -> Array:
    z = logits - logits.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    if labels.shape == logits.shape:
        return -(labels * log_p).sum(axis=-1)
    return -np.take_along_axis(log_p, labels[..., None], axis=-1)[..., 0]


def cross_entropy_by_rows(logits: Array, labels: Array) -> Array:
    classes = logits.shape[-1]
    rows = logits.reshape(-1, classes)
    t = labels.reshape(-1, classes) if labels.shape == logits.shape else np.eye(classes)[labels.ravel()]
    loss = np.zeros(len(rows))
    for k in range(len(rows)):
        most = rows[k].max()
        total = most + np.log(np.sum(np.exp(rows[k] - most)))
        for c in range(classes):
            loss[k] += t[k, c] * (total - rows[k, c])
    return loss.reshape(logits.shape[:-1])


def cross_entropy_backward(dy: Array, logits: Array, labels: Array) -> Array:
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    t = labels if labels.shape == logits.shape else np.eye(logits.shape[-1])[labels]
    return dy[..., None] * (p - t)


def cross_entropy_backward_by_rows(dy: Array, logits: Array, labels: Array) -> Array:
    classes = logits.shape[-1]
    rows, given = logits.reshape(-1, classes), dy.ravel()
    soft = labels.reshape(-1, classes) if labels.shape == logits.shape else None
    dx = np.zeros(rows.shape)
    for k in range(len(rows)):
        e = np.exp(rows[k] - rows[k].max())
        dx[k] = e / e.sum()
        if soft is None:
            dx[k, labels.ravel()[k]] -= 1
        else:
            dx[k] -= soft[k]
        dx[k] *= given[k]
    return dx.reshape(logits.shape)


def squared(prediction: Array, target: Array) -> Array:
    return ((prediction - target) ** 2).mean(axis=-1)


def squared_by_loops(prediction: Array, target: Array) -> Array:
    outputs = prediction.shape[-1]
    total = np.zeros(prediction.shape[:-1])
    for c in range(outputs):
        off = prediction[..., c] - target[..., c]
        total += off * off
    return total / outputs


def squared_backward(dy: Array, prediction: Array, target: Array) -> Array:
    return 2 * dy[..., None] * (prediction - target) / prediction.shape[-1]


def squared_backward_by_loops(dy: Array, prediction: Array, target: Array) -> Array:
    outputs = prediction.shape[-1]
    dx = np.zeros(prediction.shape)
    for c in range(outputs):
        dx[..., c] = dy * (prediction[..., c] - target[..., c]) * 2 / outputs
    return dx


LAYERS = (
    Student(dense_by_product, "dense", bias=True),
    Student(dense_by_loops, "dense", bias=True),
    Student(dense_backward_by_product, "dense_backward"),
    Student(dense_backward_by_loops, "dense_backward"),
    Student(relu, "relu"),
    Student(relu_where, "relu"),
    Student(relu_backward, "relu_backward"),
    Student(relu_backward_masked, "relu_backward"),
    Student(leaky_relu, "leaky_relu", ("slope",)),
    Student(leaky_relu_of_parts, "leaky_relu", ("slope",)),
    Student(leaky_relu_backward, "leaky_relu_backward", ("slope",)),
    Student(leaky_relu_backward_masked, "leaky_relu_backward", ("slope",)),
    Student(elu, "elu", ("alpha",)),
    Student(elu_masked, "elu", ("alpha",)),
    Student(elu_backward, "elu_backward", ("alpha",)),
    Student(elu_backward_masked, "elu_backward", ("alpha",)),
    Student(selu, "selu"),
    Student(selu_of_parts, "selu"),
    Student(selu_backward, "selu_backward"),
    Student(selu_backward_masked, "selu_backward"),
    Student(sigmoid, "sigmoid"),
    Student(sigmoid_by_tanh, "sigmoid"),
    Student(sigmoid_of_signs, "sigmoid"),
    Student(sigmoid_backward, "sigmoid_backward"),
    Student(sigmoid_backward_by_exp, "sigmoid_backward"),
    Student(tanh, "tanh"),
    Student(tanh_by_exp, "tanh"),
    Student(tanh_backward, "tanh_backward"),
    Student(tanh_backward_by_cosh, "tanh_backward"),
    Student(gelu, "gelu"),
    Student(gelu_by_erfc, "gelu"),
    Student(gelu_backward, "gelu_backward"),
    Student(gelu_backward_by_loops, "gelu_backward"),
    Student(softplus, "softplus"),
    Student(softplus_of_parts, "softplus"),
    Student(softplus_backward, "softplus_backward"),
    Student(softplus_backward_by_tanh, "softplus_backward"),
    Student(softmax, "softmax"),
    Student(softmax_by_rows, "softmax"),
    Student(softmax_backward, "softmax_backward"),
    Student(softmax_backward_by_matrix, "softmax_backward"),
    Student(log_softmax, "log_softmax"),
    Student(log_softmax_by_rows, "log_softmax"),
    Student(log_softmax_backward, "log_softmax_backward"),
    Student(log_softmax_backward_by_rows, "log_softmax_backward"),
    Student(cross_entropy, "softmax_cross_entropy"),
    Student(cross_entropy_by_rows, "softmax_cross_entropy"),
    Student(cross_entropy_backward, "softmax_cross_entropy_backward"),
    Student(cross_entropy_backward_by_rows, "softmax_cross_entropy_backward"),
    Student(squared, "mean_squared_error"),
    Student(squared_by_loops, "mean_squared_error"),
    Student(squared_backward, "mean_squared_error_backward"),
    Student(squared_backward_by_loops, "mean_squared_error_backward"),
)
