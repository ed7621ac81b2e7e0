"""Mistakes of the activations, and the overflow they share with softmax."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jcnn.check.formulas import ACTIVATIONS
from jcnn.check.mistakes.catalogue import Mistake, Wrong
from jcnn.check.mistakes.layers import entropy, entropy_backward
from jcnn.layers.formula import SELU_ALPHA, SELU_SCALE, normal_cdf, normal_density, sigma

Array = np.ndarray


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


def _unshifted(x: Array) -> Array:
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


_KINKED = ("relu", "leaky_relu", "selu")

MISTAKES = (
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
        {"gelu": lambda x: x * normal_density(x)},
    ),
    Mistake(
        "product rule forgotten",
        "x Φ(x) is a product: beside Φ(x) its derivative has the term x φ(x).",
        _slope("gelu", normal_cdf),
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
            "softmax_cross_entropy": entropy(lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
            **entropy_backward(lambda x, t: _unshifted(x) * t.sum(-1, keepdims=True) - t),
        },
    ),
)
