"""How much weights have to enlarge a signal, so that it is as strong behind the activation that follows as before the weights.

With independent weights of mean 0 and variance g² / fan_in, inputs x of mean square 1 become z of variance g², whatever their
distribution, nearly normal for a large fan_in. The activation f then gives back E[f(z)²], which is to be 1 again:

    E[f(g·z)²] = 1, z standard normal

For relu that is g² = 2. Where f is so bounded that no g does (tanh, sigmoid), g keeps the variance of z at 1 instead, of all
layers after the first: g² E[f(z)²] = 1.

Source: He et al. 2015, "Delving deep into rectifiers", section 2.2, for relu and its leaky form; Klambauer et al. 2017,
"Self-normalizing neural networks", whose selu has g = 1 by its making; Poole et al. 2016, "Exponential expressivity in deep
neural networks through transient chaos", section 2, for the mean square from layer to layer.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

# Beyond 12 standard deviations lies less than 10⁻³²; the trapezoidal rule is exact for smooth functions that end in nothing.
_POINTS = np.linspace(-12.0, 12.0, 4801)
_WEIGHTS = np.exp(-(_POINTS**2) / 2) / np.exp(-(_POINTS**2) / 2).sum()

_LARGEST = 16.0
"""No gain is above, and none below its inverse: an activation that needs more is taken for bounded."""


def keeping_gain(function: Callable[[Array], Array]) -> float:
    """g for an elementwise activation, found by the numbers it gives."""

    def mean_square(gain: float) -> float:
        # In float64 whatever the caller has set, and now, also where the caller is being traced.
        with jax.ensure_compile_time_eval(), jax.enable_x64(True):
            found = function(jnp.asarray(gain * _POINTS)[:, None])  # one channel each, should they be looked at together
        return float(_WEIGHTS @ np.asarray(found, np.float64)[:, 0] ** 2)

    low, high = 1 / _LARGEST, _LARGEST
    if not mean_square(low) < 1 < mean_square(high):
        return 1 / math.sqrt(mean_square(1.0))
    while high / low > 1 + 1e-14:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if mean_square(middle) < 1 else (low, middle)
    return math.sqrt(low * high)


def keeping_gain_of_maximum(pieces: int) -> float:
    """g for the largest of so many independent numbers, whose density is k Φ(z)^(k−1) φ(z)."""
    below = np.array([(1 + math.erf(point / math.sqrt(2))) / 2 for point in _POINTS])
    return 1 / math.sqrt(pieces * float(_WEIGHTS @ (below ** (pieces - 1) * _POINTS**2)))
