"""One output against what it should be: every element within rounding, at a kink, or wrong."""

from typing import NamedTuple

import numpy as np

from jcnn.check import bounds
from jcnn.check.bounds import Expected
from jcnn.check.report import Row, Verdict, Worst

Array = np.ndarray


class Judged(NamedTuple):
    """A row, and the coarsest precision that it took to explain the errors."""

    row: Row
    precision: str


def judge(
    case: str, leaf: str, expected: Expected, got: Array, precisions: tuple[str, ...], *, whole: bool, factor: float = 1.0
) -> Judged:
    """Compares values of the right shape.

    Args:
        case: the case's name, for the row.
        leaf: the output's name.
        expected: the right values, their bounds and kinks.
        got: the candidate's values, float64.
        precisions: which may explain an error, finest first; beyond the first the verdict is `"rounding"`.
        whole: one bound for all elements, the largest.
        factor: how much more than a plain sum the algorithm may amplify rounding.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(got - expected.value)
    error = np.where(np.isfinite(got), error, np.inf)
    limits = {precision: expected.bound(precision, whole=whole, factor=factor) for precision in precisions}
    tight = {precision: expected.bound(precision, whole=False, factor=factor) for precision in precisions}
    kink = expected.low < expected.high
    verdict, precision = _verdict(expected, got, error, limits, tight)
    limit = limits[precision]
    error = np.where(_overflown(expected, got, precision), 0.0, error)
    # At a kink another choice is no error, unless nothing else is wrong and the choice is what there is to show.
    chosen = _chosen(expected, got, limit) if verdict == "bug" else None
    excused = kink & chosen if chosen is not None else np.zeros_like(kink)
    shown = np.where(excused, 0.0, error)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        measure = shown / np.maximum(limit, np.finfo(np.float64).tiny)
        relative = np.where(expected.value != 0, shown / np.abs(expected.value), 0.0)
    terms = np.full_like(error, expected.terms.max(initial=0)) if whole else expected.terms
    summed = terms > 0
    row = Row(
        case=case,
        verdict=verdict,
        leaf=leaf,
        error=float(shown.max(initial=0)),
        relative=float(relative.max(initial=0)),
        ulps=float(bounds.in_ulps(shown, terms, precision).max(initial=0, where=summed)),
        bound=float(bounds.in_ulps(limit, terms, precision).max(initial=0, where=summed)),
        kinks=int(kink.sum()),
        worst=_worst(leaf, expected, got, measure),
    )
    return Judged(row, precision)


def _worst(leaf: str, expected: Expected, got: Array, measure: Array) -> Worst | None:
    if not measure.size:
        return None
    at = np.unravel_index(int(np.argmax(measure)), measure.shape)
    return Worst(leaf, tuple(map(int, at)), float(expected.value[at]), float(got[at]))


def _verdict(
    expected: Expected, got: Array, error: Array, limits: dict[str, Array], tight: dict[str, Array]
) -> tuple[Verdict, str]:
    """The verdict and the precision it took: rounding is tried first, then another choice at kinks, each from the finest on.

    At a kink rounding explains no more than what the element itself is made of: a choice is exact in any precision, and where
    dy is small it would else pass for the rounding of larger elements.
    """
    finest, *_ = limits
    kink = expected.low < expected.high
    for precision, limit in limits.items():
        close = error <= np.where(kink, tight[precision], limit)
        if (close | _overflown(expected, got, precision)).all():
            return ("agrees" if precision == finest else "rounding"), precision
    for precision, limit in limits.items() if kink.any() else ():
        chosen = _chosen(expected, got, limit)
        if chosen is not None and ((error <= limit) | (kink & chosen)).all():
            return "kink", precision
    return "bug", finest


def _overflown(expected: Expected, got: Array, precision: str) -> Array:
    """Where there is no number because the precision has none that large."""
    return ~np.isfinite(got) & expected.overflows(precision)


def _chosen(expected: Expected, got: Array, limit: Array) -> Array | None:
    """Where another choice at a kink gives what was got; None where no choice gives all of it together."""
    chosen = (got >= expected.low - limit) & (got <= expected.high + limit)
    kink = expected.low < expected.high
    if expected.together is None or not chosen[kink].all():
        return chosen
    return chosen if expected.together(got, limit) else None
