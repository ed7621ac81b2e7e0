"""Two witnesses against a wrong gradient that need neither a reference nor a step size to be chosen.

    adjoint     ⟨J v, u⟩ = ⟨v, Jᵀ u⟩            for any v and u; J v is JAX's forward mode, Jᵀ u the candidate
    Taylor      φ(x + h v) − φ(x) − h ⟨g, v⟩     falls as h² if g is the gradient of φ = ⟨u, f⟩, as h if it is not

Source: Griewank & Walther 2008, "Evaluating Derivatives", sections 3.2 and 3.3; Farrell et al. 2013, "Automated derivation of
the adjoint of high-level transient finite element programs", section 6 (the Taylor test).
"""

from collections.abc import Callable, Sequence

import numpy as np

from jcnn.check import bounds
from jcnn.check.bounds import Expected
from jcnn.check.comparing.directional_derivatives import Function
from jcnn.check.report import Witness

Array = np.ndarray

_ADJOINT = "adjoint test ⟨Jv,u⟩ = ⟨v,Jᵀu⟩"

STEPS = tuple(2.0**-k for k in range(8, 21, 2))
"""h, from large to small."""

_LEAST_SLOPE = 1.7


def witnesses_of(
    function: Function, directions: Sequence[list[Array]], expected: Sequence[Expected], got: Sequence[Array | None], held: str
) -> tuple[Witness, ...]:
    """Both tests of a candidate's gradients: the adjoint test along all directions, Taylor's along the first.

    Args:
        function: ⟨u, f⟩.
        directions: 0 where a gradient is at a kink or missing.
        expected: for the bounds.
        got: the candidate's gradients; None for one that it does not give.
        held: what it computes in.
    """
    g = [np.zeros(right.value.shape) if leaf is None else leaf for right, leaf in zip(expected, got, strict=True)]
    if not all(np.isfinite(leaf).all() for leaf in g):
        return ()
    limits = [right.bound(held, whole=True) for right in expected]
    made = []
    for v in directions:
        jv = function.pushed(v)
        if jv is None:
            made.append(Witness(_ADJOINT, holds=None, found="forward has no forward mode"))
            break
        made.append(adjoint(jv, function.u, v, g, bounds.UNIT[held], limits))
    first = next((witness for witness in made if not witness.holds), made[0])
    v = directions[0]
    slope = sum(float(np.sum(a * b)) for a, b in zip(g, v, strict=True))
    return first, taylor(lambda h: function.phi(v, h), slope, function.size(), bounds.UNIT[held])


def adjoint(
    jv: Array, u: Array, v: Sequence[Array], gradients: Sequence[Array], unit: float, limits: Sequence[Array | float] = ()
) -> Witness:
    """Compares ⟨J v, u⟩ with ⟨v, Jᵀ u⟩.

    Args:
        jv: J v.
        u: the output gradient.
        v: the direction, one array for each gradient.
        gradients: the candidate's Jᵀ u.
        unit: the unit roundoff of its arithmetic.
        limits: what rounding explains in each gradient.
    """
    left = float(np.sum(jv * u))
    right = sum(float(np.sum(a * g)) for a, g in zip(v, gradients, strict=True))
    terms = float(np.sum(np.abs(jv * u))) + sum(float(np.sum(np.abs(a * g))) for a, g in zip(v, gradients, strict=True))
    count = jv.size + sum(g.size for g in gradients)
    # Rounding errors of long sums partly cancel: their expected growth is the root of the count.
    inside = sum(float(np.sum(np.abs(a) * limit)) for a, limit in zip(v, limits, strict=False))
    holds = abs(left - right) <= 64 * np.sqrt(count) * unit * terms + 2 * inside
    return Witness(_ADJOINT, bool(holds), f"{left:.12g} and {right:.12g}")


def taylor(value: Callable[[float], float], slope: float, size: float, unit: float = 2.0**-53) -> Witness:
    """Estimates the order at which φ(x + h v) − φ(x) − h ⟨g, v⟩ vanishes.

    Args:
        value: h to φ(x + h v), in float64.
        slope: ⟨g, v⟩.
        size: the size of the numbers that were added up to φ, to know where rounding begins.
        unit: the unit roundoff of g.
    """
    name = "Taylor test, error ∝ h²"
    start = value(0.0)
    rest = [abs(value(h) - start - h * slope) for h in STEPS]
    noise = [1e3 * 2.0**-53 * size + 1e2 * unit * h * abs(slope) for h in STEPS]
    heard = [(h, r) for h, r, n in zip(STEPS, rest, noise, strict=True) if r > n]
    if len(heard) < 3:
        return Witness(name, holds=True, found="nothing above rounding is left of the first-order term")
    # The smallest steps that rise above rounding: large ones may cross a kink.
    h, r = np.log([entry for entry, _ in heard[-4:]]), np.log([entry for _, entry in heard[-4:]])
    order = float(np.polyfit(h, r, 1)[0])
    return Witness(name, order > _LEAST_SLOPE, f"estimated slope {order:.2f} (2 is right, 1 is wrong)")
