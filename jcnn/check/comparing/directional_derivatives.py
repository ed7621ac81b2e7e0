"""Derivatives along a direction without reverse mode: by forward mode and by differences, with how far off these may be.

    φ(x) = ⟨u, f(x)⟩        φ′(x; v) = ⟨J v, u⟩ = ⟨v, Jᵀ u⟩ ≈ (φ(x + h v) − φ(x − h v)) / 2h

Differences are taken over steps that shrink by 4, and extrapolated to h = 0 (Richardson, Romberg): of the whole table the entry
counts whose neighbours differ least from it, rounding included.

Source: Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)"; Press et al. 2007, "Numerical Recipes", section 5.7.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray

STEPS = tuple(2.0**-k for k in range(5, 26, 2))
"""h, from large to small."""

_ORDERS = 4
_ROUNDING = 8 * 2.0**-53
# An estimate is believed to be off by no more than so many times the difference to its neighbours.
_CAUTION = 10.0
_SAME = 1e-6


class Slope(NamedTuple):
    """φ′ along a direction.

    Attributes:
        direction: v, an array for every leaf.
        forward: by forward mode; None where there is none.
        differences: by extrapolated differences.
        error: how far off these may be.
        closest: by the smallest step alone, which no kink beyond it can mislead.
        noise: how far off that may be.
    """

    direction: list[Array]
    forward: float | None
    differences: float
    error: float
    closest: float
    noise: float

    def along(self, gradient: Sequence[Array]) -> tuple[float, float]:
        """⟨v, gradient⟩ and Σ|terms|."""
        # What the direction leaves alone may be NaN.
        terms = [v[v != 0] * g[v != 0] for v, g in zip(self.direction, gradient, strict=True)]
        return sum(float(t.sum()) for t in terms), sum(float(np.abs(t).sum()) for t in terms)

    def contradicts(self, value: float, terms: float) -> bool:
        """Whether differences exclude a value of φ′, made of terms of that size; False where they can tell nothing."""
        if not np.isfinite(self.closest):
            return False
        if not np.isfinite(value):
            return True
        best = np.isfinite(self.differences) and abs(self.differences - value) > self.error + _SAME * terms
        return bool(best and abs(self.closest - value) > self.noise + _SAME * terms)


class Function(NamedTuple):
    """φ and its parts, compiled once.

    Attributes:
        value: the leaves to y.
        push: the leaves and a direction to J v; raises TypeError where there is no forward mode.
        leaves: the point, flat.
        u: the weights of y.
    """

    value: Callable[..., Any]
    push: Callable[..., Any]
    leaves: list[jax.Array]
    u: Array

    def phi(self, direction: Sequence[Array], h: float) -> float:
        """φ(x + h v)."""
        y = self.value(*(leaf + h * v for leaf, v in zip(self.leaves, direction, strict=True)))
        return float(np.sum(np.asarray(y, np.longdouble) * self.u))

    def pushed(self, direction: Sequence[Array]) -> Array | None:
        """J v by forward mode; None where there is none."""
        try:
            return np.asarray(self.push(self.leaves, [jnp.asarray(v) for v in direction]))
        except TypeError:
            return None

    def size(self) -> float:
        """Σ|terms| of φ(x)."""
        return float(np.sum(np.abs(np.asarray(self.value(*self.leaves)) * self.u)))


def function_of(function: Callable[..., Any], args: Sequence[Any], u: Any) -> Function:
    """φ of a function of trees."""
    leaves, tree = jax.tree.flatten(list(args))
    value = jax.jit(lambda *flat: function(*jax.tree.unflatten(tree, flat)))
    push = jax.jit(lambda flat, v: jax.jvp(value, flat, v)[1])
    return Function(value, push, leaves, np.asarray(u))


def slope(function: Function, direction: list[Array]) -> Slope:
    """φ′ along a direction, by forward mode and by differences."""
    pushed = function.pushed(direction)
    forward = None if pushed is None else float(np.sum(pushed * function.u))
    return Slope(direction, forward, *differences(lambda h: function.phi(direction, h), function.size()))


def differences(phi: Callable[[float], float], size: float) -> tuple[float, float, float, float]:
    """(φ′(0) extrapolated, how far off it may be, φ′(0) by the smallest step, how far off that may be).

    Args:
        phi: h to φ(x + h v).
        size: Σ|terms| of φ, to know where rounding begins.
    """
    central = [(phi(h) - phi(-h)) / (2 * h) for h in STEPS]
    best, error = np.nan, np.inf
    row: list[float] = []
    for h, start in zip(STEPS, central, strict=True):
        above, row = row, [start]
        for order in range(1, min(len(above), _ORDERS) + 1):
            factor = 16.0**order
            row.append((factor * row[-1] - above[order - 1]) / (factor - 1))
            spread = max(abs(row[-1] - row[-2]), abs(row[-1] - above[order - 1]))
            off = _CAUTION * (spread + _ROUNDING * size / h)
            if off < error:
                best, error = row[-1], off
    return best, error, central[-1], _CAUTION * _ROUNDING * size / STEPS[-1]
