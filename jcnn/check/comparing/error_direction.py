"""Has an error a direction? Rounding has none.

Rounding errs to both sides, whatever it rounds. So the error e of n rounded numbers stands nearly at right angles to any
direction d that knows nothing of it:

    c = ⟨e, d⟩ / (‖e‖ ‖d‖),  a random number of mean 0 and deviation 1/√n

Where |c| is much larger along the right gradient g, what came is a multiple of g; along ones, something was added to it. Only
what a handful of rounded constants and sums that all numbers share can do is excused, however sure its direction.
"""

import numpy as np

from jcnn.check import bounds
from jcnn.check.bounds import Expected

Array = np.ndarray

_DEVIATIONS = 6.0
_ALONG = 0.95  # of fewer than 40 numbers: in 16 dimensions one of three million directions is as near
_ENOUGH = 16
_SHARED = 12.0  # roundings that all numbers may have in common


def direction(leaf: str, expected: Expected, got: Array, precisions: tuple[str, ...]) -> str | None:
    """Where the errors of a gradient point, in a sentence; None if they point nowhere, or are as small as they may be.

    Args:
        leaf: the gradient's name.
        expected: the right values.
        got: what came, of the same shape.
        precisions: what may have been computed in, finest first.
    """
    smooth = expected.low >= expected.high
    right, error = expected.value[smooth], (got - expected.value)[smooth]
    if right.size < _ENOUGH or not np.isfinite(error).all() or not error.any():
        return None
    for name, along in (("times", right), ("plus", np.ones_like(right))):
        length = float(np.linalg.norm(along))
        if not length:
            continue
        cosine = float(error @ along) / (float(np.linalg.norm(error)) * length)
        if abs(cosine) < min(_ALONG, _DEVIATIONS / np.sqrt(right.size)):
            continue
        slope = float(error @ along) / length**2
        rest = got.astype(np.float64).copy()
        rest[smooth] -= slope * along
        precision = _explaining(expected, rest, precisions)
        if precision is None:
            continue
        # Sums in 16 bits are taken in 32; in others an error that all numbers share grows with the number of terms.
        growth = 1.0 if precision in {"float16", "bfloat16"} else np.sqrt(float(np.max(expected.length)))
        excused = _SHARED * bounds.UNIT[precision] * growth
        noise = float(np.linalg.norm(np.broadcast_to(expected.unsteady, got.shape)[smooth])) * bounds.UNIT[precision]
        scale = 1.0 if name == "times" else float(np.sqrt(np.mean(right**2)))
        if abs(slope) <= excused * scale or abs(slope) * length <= noise:
            continue
        if name == "times":
            factor = f"{1 + slope:.6g}" if abs(slope) > 1e-4 else f"1 {'+' if slope > 0 else '−'} {abs(slope):.1e}"
            return f"{leaf} is {factor} times what it should be: rounding errs to both sides."
        return f"{leaf} is too {'large' if slope > 0 else 'small'} by {abs(slope):.3g} everywhere: rounding errs to both sides."
    return None


def _explaining(expected: Expected, got: Array, precisions: tuple[str, ...]) -> str | None:
    """The finest precision that explains what is left."""
    error = np.abs(got - expected.value)
    smooth = expected.low >= expected.high
    for precision in precisions:
        if (error <= expected.bound(precision, whole=True))[smooth].all():
            return precision
    return None
