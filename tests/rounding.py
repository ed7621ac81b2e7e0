"""How far rounding can take a convolution and its gradients from their definition, entry by entry.

A direct sum of n products errs by at most γ_n = n·u / (1 − n·u) of the sum of their absolute values (Higham 2002, "Accuracy and
stability of numerical algorithms", section 3.1). The Fourier transform and minimal filtering mix whole images and tiles: their
errors are relative to Σ_c ‖moving_c‖_p ‖weight_c‖_q over the channels.
"""

from typing import Any

import numpy as np

from jcnn.conv.winograd import default_tile, winograd_bound
from jcnn.definition import conv_backward_definition, conv_definition

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of y, dx and dw."""


def magnitudes(options: dict[str, Any], dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> Arrays:
    """The sums of absolute products behind every entry of y, dx and dw."""
    dy, x, w = map(np.abs, (dy, x, w))
    dx, dw, _ = conv_backward_definition(dy, x, w, **options)
    return conv_definition(x, w, **options), dx, dw


def norms(groups: int, orders: tuple[float, float], dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> Arrays:
    """Σ_c ‖moving‖_p ‖weight‖_q for y, dx and dw, with norms over the pixels (p, q): weights of y and dx are w, of dw dy."""
    p, q = orders
    axes = tuple(range(1, x.ndim - 1))
    x_p, dy_p, dy_q, w_q = _norm(x, p, axes), _norm(dy, p, axes), _norm(dy, q, axes), _norm(w, q, tuple(range(w.ndim - 2)))
    dx, _, _ = conv_backward_definition(dy_p, x_p, w_q, groups=groups)
    _, dw, _ = conv_backward_definition(dy_q, x_p, w_q, groups=groups)
    return conv_definition(x_p, w_q, groups=groups), dx, dw


def direct(options: dict[str, Any], dy: np.ndarray, x: np.ndarray, w: np.ndarray, unit: float) -> Arrays:
    """What direct sums, in any order and rounded to `unit`, may be off by."""
    products = magnitudes(options, np.ones_like(dy), np.ones_like(x), np.ones_like(w))
    # At the most at an entry, and a few roundings more for sums in parts.
    gammas = [(terms.max() + 8) * unit / (1 - (terms.max() + 8) * unit) for terms in products]
    y, dx, dw = (gamma * size for gamma, size in zip(gammas, magnitudes(options, dy, x, w), strict=True))
    return y, dx, dw


def minimal(groups: int, dy: np.ndarray, x: np.ndarray, w: np.ndarray, dtype: str) -> Arrays:
    """What minimal filtering may be off by, whichever tile it takes, for outputs and inputs as many as there are."""
    taps, outputs = w.shape[:-2], dy.shape[1:-1]
    tile = default_tile(taps, (max(outputs + x.shape[1:-1]),) * len(taps))
    terms = w.shape[-2], w.shape[-1] // groups, len(x) * int(np.prod(outputs))  # tiles of one output at the worst
    bounds = [winograd_bound(tile, taps, count, dtype) for count in terms]
    y, dx, dw = (bound * size for bound, size in zip(bounds, norms(groups, (np.inf, 1), dy, x, w), strict=True))
    return y, dx, dw


def _norm(array: np.ndarray, order: float, axes: tuple[int, ...]) -> np.ndarray:
    if order == np.inf:
        return np.abs(array).max(axes, keepdims=True)
    return (np.abs(array) ** order).sum(axes, keepdims=True) ** (1 / order)
