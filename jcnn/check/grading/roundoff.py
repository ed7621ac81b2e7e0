"""Is an error as small as rounding's made by rounding?

Floating-point arithmetic of any precision rounds relative to the size of the numbers, to both sides, and to binary digits. So
an error is something else, and a bug however small it is, where

- the numbers are decimal: `np.round(dx, 6)`;
- all errors point to the same side: `dx + 1e-8`, `p / (p.sum() + 1e-8)`;
- it is relatively larger for smaller numbers: a case is given again times a power of two, which leaves every digit of every
  float as it is. Decimals halfway, and constants added or compared with.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jcnn.check import bounds
from jcnn.check.bounds import Expected
from jcnn.check.cases import Case

Array = np.ndarray

# So many numbers are not decimal, or off to the same side, by chance: one in 2¹⁹ at the most.
_ENOUGH = 20
_DECIMALS = range(1, 11)
_TIMES = 4
_LEAST = np.finfo(np.float64).tiny


class Output(NamedTuple):
    """One output in one case.

    Attributes:
        case: what was given.
        expected: what should have come.
        got: what came.
    """

    case: Case
    expected: Expected
    got: Array

    @property
    def error(self) -> Array:
        """What came less what should have come."""
        return self.got - self.expected.value


def unlike_rounding(leaf: str, outputs: Sequence[Output], *, whole: bool) -> str | None:
    """What shows that the errors of an output are not rounding, in a sentence; None where nothing does.

    Args:
        leaf: the output's name.
        outputs: of all cases.
        whole: as `Expected.bound` takes it.
    """
    as_given = [output for output in outputs if output.case.twin is None and not output.case.whole]
    rough = [output for output in as_given if _precision(output, whole=whole) != "float64"]
    digits = _decimals([output.got for output in rough])
    if digits is not None:
        return (
            f"{leaf} is rounded to {digits} decimal{'s' if digits > 1 else ''}: "
            f"that is no precision, for numbers small enough lose all their digits. Return it as it was computed."
        )
    if any(_precision(output, whole=whole) is None for output in outputs if output.case.twin is None):
        return None
    side = _side(rough, whole=whole)
    if side:
        most = max(float(np.abs(output.error).max()) for output in rough)
        return (
            f"{leaf} is {side}, by up to {most:.1e}: rounding errs to both sides. "
            f"Is a small constant added, or one written with few digits?"
        )
    if _absolute(outputs, whole=whole):
        return (
            f"{leaf} is worse the smaller the numbers are: floats of every precision round relative to their size. "
            f"Is something rounded to decimals, or a constant such as 1e-8 added, or compared with?"
        )
    return None


def _precision(output: Output, *, whole: bool) -> str | None:
    """The finest precision that explains the error, None if none does."""
    error = np.abs(output.error)
    for precision in bounds.UNIT:
        if (error <= output.expected.bound(precision, whole=whole)).all():
            return precision
    return None


def _decimals(arrays: Sequence[Array]) -> int | None:
    """To how many decimals all numbers are rounded; None if they are not."""
    values = np.concatenate([array.ravel() for array in arrays]) if arrays else np.zeros(0)
    values = values[(values != 0) & np.isfinite(values)]
    # Numbers of few bits have few decimals too.
    if values.size < _ENOUGH or any(_held_in(values, precision) for precision in ("float16", "bfloat16")):
        return None
    unit = bounds.UNIT["float32" if _held_in(values, "float32") else "float64"]
    for digits in _DECIMALS:
        with np.errstate(over="ignore"):
            shifted = values * 10.0**digits
        slack = 4 * unit * np.abs(shifted)
        if slack.max() < 0.1 and (np.abs(shifted - np.rint(shifted)) <= slack).all():
            return digits
    return None


def _held_in(values: Array, precision: str) -> bool:
    with np.errstate(over="ignore"):
        return np.array_equal(values, values.astype(jnp.dtype(precision)).astype(np.float64))


def _side(outputs: Sequence[Output], *, whole: bool) -> str | None:
    """To which side all errors that float64 does not explain point, if to one."""
    errors, values = [np.zeros(0)], [np.zeros(0)]
    for output in outputs:
        beyond = np.abs(output.error) > output.expected.bound("float64", whole=whole)
        errors.append(output.error[beyond])
        values.append(output.expected.value[beyond])
    error, value = np.concatenate(errors), np.concatenate(values)
    if error.size < _ENOUGH:
        return None
    for sign, side in (
        (error, "too large everywhere"),
        (-error, "too small everywhere"),
        (error * value, "too far from 0 everywhere"),
        (-error * value, "too near to 0 everywhere"),
    ):
        if (sign > 0).all():
            return side
    return None


def _absolute(outputs: Sequence[Output], *, whole: bool) -> bool:
    """Whether a case times a power of two below 1 has a relatively larger error than the case itself."""
    by_name = {output.case.name: output for output in outputs}
    for output in outputs:
        twin = by_name.get(output.case.twin or "")
        precision = _precision(twin, whole=whole) if twin else None
        if twin is None or precision is None or output.expected.terms.max(initial=0) > twin.expected.terms.max(initial=0):
            continue
        relative = np.abs(twin.error).max(initial=0) / max(float(twin.expected.terms.max(initial=0)), _LEAST)
        # Sums in another order may differ by some times as much; and the smallest numbers of a precision have fewer digits.
        limit = _TIMES * relative * output.expected.terms.max(initial=0) + bounds.underflow(output.expected.length, precision)
        if (np.abs(output.error) > limit + output.expected.bound("float64", whole=whole)).any():
            return True
    return False
