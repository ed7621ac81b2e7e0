"""Mistakes of the fully connected layer and the losses."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jcnn.check import formulas
from jcnn.check.formulas import softmax, targets
from jcnn.check.mistakes.catalogue import Mistake, Wrong
from jcnn.definition import sums

Array = np.ndarray


def _square(w: Array) -> Array:
    if w.shape[0] != w.shape[1]:
        raise ValueError("the matrix is not square")
    return w.T


def _dense(leaf: int, change: Callable[[Array, Array, Array], Array]) -> dict[str, Wrong]:
    def backward(dy: Array, x: Array, w: Array) -> tuple[Array, ...]:
        gradients = list(formulas.dense_backward(dy, x, w))
        gradients[leaf] = change(dy, x, w)
        return tuple(gradients)

    return {"dense_backward": backward}


def _over_batch(x: Array) -> Array:
    shifted = np.exp(x - x.max(0, keepdims=True))
    return shifted / shifted.sum(0, keepdims=True)


def entropy(log_p: Callable[[Array], Array]) -> Wrong:
    """The cross-entropy with another logarithm of the softmax."""
    return lambda logits, labels: -(targets(logits, labels) * log_p(logits)).sum(-1)


def entropy_backward(change: Callable[[Array, Array], Array]) -> dict[str, Wrong]:
    """Its backward with dy · change(logits, targets)."""
    return {
        "softmax_cross_entropy_backward": lambda dy, logits, labels: dy[..., None] * change(logits, targets(logits, labels))
    }


def _squared_backward(change: Callable[[Array], Array]) -> dict[str, Wrong]:
    return {"mean_squared_error_backward": lambda dy, p, t: dy[..., None] * change(p - t)}


DENSE = (
    Mistake(
        "weights transposed",
        "The weight matrix is used the wrong way round: y = x · w with w of shape (C_in, C_out), and back dx = dy · wᵀ.",
        {
            "dense": lambda x, w, b=None: formulas.dense(x, _square(w), b),
            **_dense(0, lambda dy, _x, w: dy @ _square(w).T),
        },
    ),
    Mistake("bias forgotten", "The bias is not added.", {"dense": lambda x, w, b=None: x @ w}),
    Mistake(
        "bias subtracted",
        "The bias is subtracted where it is to be added.",
        {"dense": lambda x, w, b=None: x @ w - (0 if b is None else b)},
    ),
    Mistake(
        "mean instead of sum over the inputs",
        "The products are averaged over the inputs: a dense layer adds them up.",
        {"dense": lambda x, w, b=None: x @ w / len(w) + (0 if b is None else b)},
    ),
    Mistake(
        "dw transposed",
        "dw has the shape (C_out, C_in): it is xᵀ · dy, the shape of w.",
        _dense(1, lambda dy, x, w: formulas.dense_backward(dy, x, w)[1].T),
    ),
    Mistake(
        "last example only in dw",
        "dw comes from the last example alone: each example overwrites the one before (= for +=).",
        _dense(1, lambda dy, x, w: formulas.dense_backward(dy[-1:], x[-1:], w)[1]),
    ),
    Mistake(
        "mean instead of sum in db",
        "db is the mean of dy over the examples: the gradient of an added b is the sum.",
        _dense(2, lambda dy, _x, _w: dy.mean(tuple(range(dy.ndim - 1)))),
    ),
    Mistake(
        "bias not summed over the batch",
        "db is dy itself: it is to be summed over the examples, each of which added the same b.",
        _dense(2, lambda dy, _x, _w: dy),
    ),
    Mistake(
        "bias of the last example only",
        "db holds the last example alone: it is overwritten for each example, where it should be added.",
        _dense(2, lambda dy, _x, _w: dy[-1].reshape(-1, dy.shape[-1]).sum(0)),
    ),
)

LOSSES = (
    Mistake(
        "logarithm of a rounded softmax",
        "The logarithm is taken of p, which has rounded to 0 for unlikely classes: log p is to be formed from the logits, "
        "x − max − log Σ.",
        {
            "log_softmax": lambda x: np.log(softmax(x)),
            "softmax_cross_entropy": lambda logits, labels: -(targets(logits, labels) * np.log(softmax(logits))).sum(-1),
        },
    ),
    Mistake(
        "over the batch instead of the classes",
        "The sum runs over the first axis, the examples: softmax sums over the last, the classes.",
        {
            "softmax": _over_batch,
            "log_softmax": lambda x: np.log(np.maximum(_over_batch(x), 1e-300)),
            "softmax_backward": lambda dy, x: softmax(x) * (dy - (softmax(x) * dy).sum(0, keepdims=True)),
            "log_softmax_backward": lambda dy, x: dy - softmax(x) * dy.sum(0, keepdims=True),
            **entropy_backward(lambda x, t: _over_batch(x) - t),
        },
    ),
    Mistake(
        "not normalised",
        "The exponentials are not divided by their sum: probabilities add up to 1.",
        {
            "softmax": lambda x: np.exp(x - x.max(-1, keepdims=True)),
            "log_softmax": lambda x: x - x.max(-1, keepdims=True),
            **entropy_backward(lambda x, t: np.exp(x - x.max(-1, keepdims=True)) - t),
        },
    ),
    Mistake(
        "diagonal of the Jacobian only",
        "Only ∂pᵢ/∂xᵢ = pᵢ(1 − pᵢ) is used: every logit moves every probability, ∂pᵢ/∂xⱼ = −pᵢpⱼ as well.",
        {
            "softmax_backward": lambda dy, x: dy * softmax(x) * (1 - softmax(x)),
            "log_softmax_backward": lambda dy, x: dy * (1 - softmax(x)),
        },
    ),
    Mistake(
        "outer factor p forgotten",
        "The factor p in front of (dy − Σ p dy) is missing.",
        {"softmax_backward": lambda dy, x: dy - (softmax(x) * dy).sum(-1, keepdims=True)},
    ),
    Mistake(
        "Σ dy forgotten",
        "softmax(x) is to be multiplied by Σ dy over the classes, which is 1 only for some losses.",
        {"log_softmax_backward": lambda dy, x: dy - softmax(x)},
    ),
    Mistake(
        "logits taken for probabilities",
        "The derivative in terms of p is used with the logits: p = softmax(x) first.",
        {"softmax_backward": lambda dy, x: x * (dy - (x * dy).sum(-1, keepdims=True)), **entropy_backward(lambda x, t: x - t)},
    ),
    Mistake(
        "softmax taken twice",
        "Softmax is applied to what is already a softmax: the loss takes logits.",
        {
            "softmax": lambda x: softmax(softmax(x)),
            "log_softmax": lambda x: formulas.log_softmax(softmax(x)),
            "softmax_cross_entropy": entropy(lambda x: formulas.log_softmax(softmax(x))),
            **entropy_backward(lambda x, t: softmax(softmax(x)) * t.sum(-1, keepdims=True) - t),
        },
    ),
    Mistake(
        "logarithm to base 2",
        "The logarithm is to base 2: losses are in nats, by the natural logarithm.",
        {"softmax_cross_entropy": entropy(lambda x: formulas.log_softmax(x) / math.log(2))},
    ),
    Mistake(
        "probability instead of its logarithm",
        "The loss is 1 − p of the label: it is −log p.",
        {"softmax_cross_entropy": lambda logits, labels: (targets(logits, labels) * (1 - softmax(logits))).sum(-1)},
    ),
    Mistake(
        "averaged over the batch",
        "One number comes out for the batch: the loss is one value per example; whoever trains averages.",
        {
            "softmax_cross_entropy": lambda *a: np.asarray(formulas.softmax_cross_entropy(*a).mean()),
            "mean_squared_error": lambda *a: np.asarray(formulas.mean_squared_error(*a).mean()),
        },
    ),
    Mistake(
        "label not subtracted",
        "The gradient is p − t, and the label t is missing.",
        entropy_backward(lambda x, t: softmax(x) * t.sum(-1, keepdims=True)),
    ),
    Mistake(
        "1 subtracted from every class",
        "1 is subtracted from all probabilities: only the label's.",
        entropy_backward(lambda x, t: softmax(x) - 1),
    ),
    Mistake(
        "sum instead of mean",
        "The squares are added up: the mean divides by the number of outputs C, and so does its gradient.",
        {"mean_squared_error": lambda p, t: ((p - t) ** 2).sum(-1), **_squared_backward(lambda d: 2 * d)},
    ),
    Mistake(
        "halved",
        "A factor ½ that is not in the mean of squares (some books put it there, to cancel the 2 of the derivative).",
        {
            "mean_squared_error": lambda p, t: ((p - t) ** 2).mean(-1) / 2,
            **_squared_backward(lambda d: d / d.shape[-1]),
        },
    ),
    Mistake(
        "magnitude instead of square",
        "The errors are not squared.",
        {"mean_squared_error": lambda p, t: np.abs(p - t).mean(-1), **_squared_backward(lambda d: np.sign(d) / d.shape[-1])},
    ),
    Mistake(
        "root taken",
        "The root of the mean is taken: that is the RMS error.",
        {"mean_squared_error": lambda p, t: np.sqrt(((p - t) ** 2).mean(-1))},
    ),
)


def _averaged_filters(w: Array, rank: int) -> Array:
    return np.broadcast_to(w.mean(tuple(range(rank)), keepdims=True), w.shape)


def _with_shared_dw(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
    dx, dw, db = sums.locally_connected_backward(dy, x, w, **options)
    return dx, _averaged_filters(dw, x.ndim - 2), db


def _with_summed_db(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, ...]:
    dx, dw, db = sums.locally_connected_backward(dy, x, w, **options)
    return dx, dw, db.sum(tuple(range(db.ndim - 1)))


def _across(dy: Array, x: Array, pieces: int) -> Array:
    parts = x.reshape(*x.shape[:-1], pieces, -1).swapaxes(-1, -2)
    routed = formulas.maxout_backward(dy, parts.reshape(x.shape), pieces).reshape(parts.shape)
    return routed.swapaxes(-1, -2).reshape(x.shape)


OTHERS = (
    Mistake(
        "filters shared",
        "All positions use the same filters: unshared filters are a set of their own for every position.",
        {
            "locally_connected": lambda x, w, b=None, **o: sums.locally_connected(x, _averaged_filters(w, x.ndim - 2), b, **o),
        },
    ),
    Mistake(
        "gradients of filters shared",
        "dw is the same at all positions, the mean over them: every position's filters have a gradient of their own.",
        {"locally_connected_backward": _with_shared_dw},
    ),
    Mistake(
        "bias summed over space",
        "db is summed over the positions: with a bias for every position only the examples are added.",
        {"locally_connected_backward": _with_summed_db},
    ),
    Mistake(
        "column-major order",
        "The pixels come in another order, the first axis fastest (order='F'): flattening is row-major, the channels fastest.",
        {
            "flatten": lambda x: x.reshape(len(x), -1, order="F"),
            "flatten_backward": lambda dy, x: dy.reshape(x.shape, order="F"),
        },
    ),
    Mistake(
        "examples flattened too",
        "The examples are joined as well: flattening keeps the first axis, (N, …) → (N, M).",
        {"flatten": lambda x: x.reshape(-1)},
    ),
    Mistake(
        "channels grouped across",
        "A unit takes the largest of channels C / pieces apart: its pieces are neighbours.",
        {
            "maxout": lambda x, pieces: x.reshape(*x.shape[:-1], pieces, -1).max(-2),
            "maxout_backward": _across,
        },
    ),
)

MISTAKES = (*DENSE, *LOSSES, *OTHERS)
