"""Mistakes of the fully connected layer, the activations and the losses."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jcnn.check import formulas, reference
from jcnn.check.formulas import ACTIVATIONS, SELU_ALPHA, SELU_SCALE, sigma, softmax, targets
from jcnn.check.mistakes.catalogue import Mistake, Wrong

Array = np.ndarray


def _square(w: Array) -> Array:
    if w.shape[0] != w.shape[1]:
        raise ValueError("the matrix is not square")
    return w.T


def _dense(leaf: int, change: Callable[[Array, Array, Array], Array]) -> dict[str, Wrong]:
    def backward(dy: Array, x: Array, w: Array) -> tuple[Array, ...]:
        gradients = list(reference.dense_backward(dy, x, w))
        gradients[leaf] = change(dy, x, w)
        return tuple(gradients)

    return {"dense_backward": backward}


def _slope(name: str, change: Callable[..., Array]) -> dict[str, Wrong]:
    return {f"{name}_backward": lambda dy, x, *a, **o: dy * change(x, *a, **o)}


def _at_output(name: str) -> Wrong:
    formula = ACTIVATIONS[name]
    return lambda dy, x, *a, **o: dy * formula.slope(formula.value(x, *a, **o), *a, **o)


def _times_value(name: str) -> Wrong:
    return lambda dy, x, *a, **o: dy * ACTIVATIONS[name].value(x, *a, **o)


def _at_zero(name: str, share: float) -> Wrong:
    formula = ACTIVATIONS[name]

    def wrong(dy: Array, x: Array, *a: Any, **o: Any) -> Array:
        here, other = formula.slope(x, *a, **o), formula.other(*a, **o) if formula.other else 0.0
        return dy * np.where(x == 0, here + share * (other - here), here)

    return wrong


def _gelu_tanh(x: Array) -> Array:
    return x * sigma(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def _gelu_tanh_slope(x: Array) -> Array:
    c = 2 * math.sqrt(2 / math.pi)
    inner = sigma(c * (x + 0.044715 * x**3))
    return inner + x * inner * sigma(-c * (x + 0.044715 * x**3)) * c * (1 + 3 * 0.044715 * x**2)


def _exponential(x: Array) -> Array:
    return np.exp(x)


def _over_batch(x: Array) -> Array:
    shifted = np.exp(x - x.max(0, keepdims=True))
    return shifted / shifted.sum(0, keepdims=True)


def _unshifted(x: Array) -> Array:
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def _entropy(log_p: Callable[[Array], Array]) -> Wrong:
    return lambda logits, labels: -(targets(logits, labels) * log_p(logits)).sum(-1)


def _entropy_backward(change: Callable[[Array, Array], Array]) -> dict[str, Wrong]:
    return {
        "softmax_cross_entropy_backward": lambda dy, logits, labels: dy[..., None] * change(logits, targets(logits, labels))
    }


def _squared_backward(change: Callable[[Array], Array]) -> dict[str, Wrong]:
    return {"mean_squared_error_backward": lambda dy, p, t: dy[..., None] * change(p - t)}


_KINKED = ("relu", "leaky_relu", "selu")

DENSE = (
    Mistake(
        "weights transposed",
        "The weight matrix is used the wrong way round: y = x · w with w of shape (C_in, C_out), and back dx = dy · wᵀ.",
        {
            "dense": lambda x, w, b=None: reference.dense(x, _square(w), b),
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
        _dense(1, lambda dy, x, w: reference.dense_backward(dy, x, w)[1].T),
    ),
    Mistake(
        "last example only in dw",
        "dw comes from the last example alone: each example overwrites the one before (= for +=).",
        _dense(1, lambda dy, x, w: reference.dense_backward(dy[-1:], x[-1:], w)[1]),
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

ACTIVATION = (
    Mistake(
        "derivative 1 at 0",
        "The derivative at 0 is taken from the right (x >= 0 for x > 0): a valid subgradient, but the convention here, in JAX "
        "and PyTorch is the left one.",
        {f"{name}_backward": _at_zero(name, 1.0) for name in _KINKED},
        "kink",
    ),
    Mistake(
        "derivative 1/2 at 0",
        "The derivative at 0 is taken halfway between both sides: a valid subgradient, but the convention is the left side's.",
        {f"{name}_backward": _at_zero(name, 0.5) for name in _KINKED},
        "kink",
    ),
    Mistake(
        "mask by the sign of dy",
        "The gradient passes where dy is positive: whether it passes is decided by the sign of x.",
        {"relu_backward": lambda dy, x: np.maximum(dy, 0)},
    ),
    Mistake(
        "mask by an output that is never negative",
        "The gradient passes everywhere: the mask asks whether the output is ≥ 0, which a relu's always is; ask whether x > 0.",
        {"relu_backward": lambda dy, x: dy.copy()},
    ),
    Mistake(
        "derivative at the output",
        "The derivative is taken at y = f(x) in place of x: a formula in terms of y and one in terms of x were mixed up.",
        {f"{name}_backward": _at_output(name) for name in ACTIVATIONS if name not in {"relu", "leaky_relu"}},
    ),
    Mistake(
        "value for derivative",
        "dy is multiplied by f(x): the chain rule asks for f′(x).",
        {f"{name}_backward": _times_value(name) for name in ACTIVATIONS if name != "sigmoid"},
    ),
    Mistake("negative numbers kept", "Negative numbers pass: relu is max(x, 0).", {"relu": lambda x: x.copy()}),
    Mistake("absolute value", "Negative numbers come out positive: relu is max(x, 0), not |x|.", {"relu": np.abs}),
    Mistake(
        "slope forgotten",
        "Negative numbers become 0: they are multiplied by the slope, and so are their gradients.",
        {"leaky_relu": lambda x, slope=0.01: np.maximum(x, 0), **_slope("leaky_relu", lambda x, slope=0.01: (x > 0) * 1.0)},
    ),
    Mistake(
        "slope on the positive side",
        "The slope is for negative numbers; here the positive ones get it.",
        {
            "leaky_relu": lambda x, slope=0.01: np.where(x > 0, slope * x, x),
            **_slope("leaky_relu", lambda x, slope=0.01: np.where(x > 0, slope, 1.0)),
        },
    ),
    Mistake(
        "parameter ignored",
        "The default value of the parameter is used whatever was given.",
        {
            "leaky_relu": lambda x, slope=0.01: ACTIVATIONS["leaky_relu"].value(x),
            **_slope("leaky_relu", lambda x, slope=0.01: ACTIVATIONS["leaky_relu"].slope(x)),
            "elu": lambda x, alpha=1.0: ACTIVATIONS["elu"].value(x),
            **_slope("elu", lambda x, alpha=1.0: ACTIVATIONS["elu"].slope(x)),
        },
    ),
    Mistake(
        "−1 forgotten",
        "Below 0 it is α(eˣ − 1), and the −1 is missing: the function jumps at 0.",
        {
            "elu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.exp(np.minimum(x, 0))),
            "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.exp(np.minimum(x, 0))),
        },
    ),
    Mistake(
        "−1 kept in the derivative",
        "The derivative of α(eˣ − 1) is αeˣ: the −1 is a constant and vanishes.",
        {
            **_slope("elu", lambda x, alpha=1.0: np.where(x > 0, 1.0, alpha * np.expm1(np.minimum(x, 0)))),
            **_slope("selu", lambda x: SELU_SCALE * np.where(x > 0, 1.0, SELU_ALPHA * np.expm1(np.minimum(x, 0)))),
        },
    ),
    Mistake(
        "scale forgotten",
        "selu is λ · elu(x, α), and the factor λ = 1.0507 is missing.",
        {
            "selu": lambda x: ACTIVATIONS["selu"].value(x) / SELU_SCALE,
            **_slope("selu", lambda x: ACTIVATIONS["selu"].slope(x) / SELU_SCALE),
        },
    ),
    Mistake(
        "sign of the exponent",
        "The exponent has the wrong sign: σ(x) = 1 / (1 + e⁻ˣ), which grows with x.",
        {
            "sigmoid": lambda x: sigma(-x),
            **_slope("softplus", lambda x: sigma(-x)),
            "softplus": lambda x: ACTIVATIONS["softplus"].value(-x),
        },
    ),
    Mistake(
        "second factor forgotten",
        "The derivative is a product, σ(1 − σ) or (1 − tanh)(1 + tanh), and one factor is missing.",
        {**_slope("sigmoid", sigma), **_slope("tanh", lambda x: 1 - np.tanh(x))},
    ),
    Mistake(
        "x taken for the output",
        "The derivative in terms of the output y is used with the input x: σ′ = y(1 − y) and tanh′ = 1 − y² need y = f(x).",
        {**_slope("sigmoid", lambda x: x * (1 - x)), **_slope("tanh", lambda x: 1 - x * x)},
    ),
    Mistake(
        "x σ(x) for x Φ(x)",
        "That is SiLU, x σ(x): gelu weighs x by the normal distribution Φ(x).",
        {"gelu": lambda x: x * sigma(x), **_slope("gelu", lambda x: sigma(x) + x * sigma(x) * sigma(-x))},
    ),
    Mistake(
        "gelu approximated by tanh",
        "That is the approximation by tanh, off by up to 0.0005: the exact gelu uses erf.",
        {"gelu": _gelu_tanh, **_slope("gelu", _gelu_tanh_slope)},
    ),
    Mistake(
        "density for distribution",
        "x is weighed by the normal density φ: it is the distribution function Φ.",
        {"gelu": lambda x: x * formulas.normal_density(x)},
    ),
    Mistake(
        "product rule forgotten",
        "x Φ(x) is a product: beside Φ(x) its derivative has the term x φ(x).",
        _slope("gelu", formulas.normal_cdf),
    ),
    Mistake(
        "eˣ overflows",
        "eˣ is infinite from x = 710 on (in float32 from 89) and the result inf or NaN: use a form whose exponents are never "
        "positive.",
        {
            "sigmoid": lambda x: np.exp(x) / (1 + np.exp(x)),
            "tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
            "softplus": lambda x: np.log(1 + np.exp(x)),
            **_slope("sigmoid", lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
            **_slope("softplus", lambda x: np.exp(x) / (1 + np.exp(x))),
            "softmax": _unshifted,
            "softmax_backward": lambda dy, x: _unshifted(x) * (dy - (_unshifted(x) * dy).sum(-1, keepdims=True)),
            "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
            "log_softmax_backward": lambda dy, x: dy - _unshifted(x) * dy.sum(-1, keepdims=True),
            "softmax_cross_entropy": _entropy(lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
            **_entropy_backward(lambda x, t: _unshifted(x) * t.sum(-1, keepdims=True) - t),
        },
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
            **_entropy_backward(lambda x, t: _over_batch(x) - t),
        },
    ),
    Mistake(
        "not normalised",
        "The exponentials are not divided by their sum: probabilities add up to 1.",
        {
            "softmax": lambda x: np.exp(x - x.max(-1, keepdims=True)),
            "log_softmax": lambda x: x - x.max(-1, keepdims=True),
            **_entropy_backward(lambda x, t: np.exp(x - x.max(-1, keepdims=True)) - t),
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
        {"softmax_backward": lambda dy, x: x * (dy - (x * dy).sum(-1, keepdims=True)), **_entropy_backward(lambda x, t: x - t)},
    ),
    Mistake(
        "softmax taken twice",
        "Softmax is applied to what is already a softmax: the loss takes logits.",
        {
            "softmax": lambda x: softmax(softmax(x)),
            "log_softmax": lambda x: formulas.log_softmax(softmax(x)),
            "softmax_cross_entropy": _entropy(lambda x: formulas.log_softmax(softmax(x))),
            **_entropy_backward(lambda x, t: softmax(softmax(x)) * t.sum(-1, keepdims=True) - t),
        },
    ),
    Mistake(
        "logarithm to base 2",
        "The logarithm is to base 2: losses are in nats, by the natural logarithm.",
        {"softmax_cross_entropy": _entropy(lambda x: formulas.log_softmax(x) / math.log(2))},
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
        _entropy_backward(lambda x, t: softmax(x) * t.sum(-1, keepdims=True)),
    ),
    Mistake(
        "1 subtracted from every class",
        "1 is subtracted from all probabilities: only the label's.",
        _entropy_backward(lambda x, t: softmax(x) - 1),
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

MISTAKES = (*DENSE, *ACTIVATION, *LOSSES)
