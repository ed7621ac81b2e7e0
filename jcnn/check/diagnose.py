"""From wrong numbers to the mistake behind them.

Every known mistake is run on the same cases, and the one that gives the same numbers is it.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from jcnn.check.bounds import Expected
from jcnn.check.cases import Case
from jcnn.check.mistakes import CATALOGUE, Mistake
from jcnn.check.operations import Kind, kind_of
from jcnn.check.outcome import Outcome, call

Array = np.ndarray

# Equal to float64 rounding first; then for candidates that make the mistake in float32.
_TOLERANCES = (1e-9, 1e-5)


def mistaken(kind: Kind, number: int, cases: tuple[Case, ...], place: int) -> Outcome:
    """What entry `number` of the catalogue gives in the case at `place`."""
    if cases is kind.cases:
        return _mistaken(kind.name, number, place)
    return call(CATALOGUE[number].wrong[kind.name], kind, cases[place])


@lru_cache(maxsize=1 << 16)
def _mistaken(name: str, number: int, place: int) -> Outcome:
    kind = kind_of(name)
    return call(CATALOGUE[number].wrong[name], kind, kind.cases[place])


def known_mistakes(
    kind: Kind,
    cases: tuple[Case, ...],
    outcomes: Sequence[Outcome],
    expected: Sequence[tuple[Expected, ...]],
    wrong: Sequence[set[int]],
) -> tuple[tuple[str, Mistake], ...]:
    """The mistakes that reproduce the outcomes: one for all outputs, or one for each wrong output that has one.

    Args:
        kind: what the candidate should be.
        cases: what it was given.
        outcomes: what it did in every case.
        expected: what it should have done.
        wrong: for every case, the outputs that are wrong.

    Returns:
        Pairs of an output's name, or of several's, "" for all of them, and the mistake.
    """
    leaves = sorted(set().union(*wrong))
    entries = [number for number, mistake in enumerate(CATALOGUE) if kind.name in mistake.wrong]
    made = {number: partial(mistaken, kind, number, cases) for number in entries}
    named: tuple[tuple[str, Mistake], ...] = ()
    for tolerance in _TOLERANCES:
        # A mistake that does not reproduce what is wrong need not be held to what is right.
        scores = {
            (number, leaf): _score(leaf, outcomes, made[number], expected, wrong, tolerance)
            for number in entries
            for leaf in leaves
        }
        right = [leaf for leaf in range(len(kind.leaves)) if leaf not in leaves]
        together = {
            number: sum(scores[number, leaf] for leaf in leaves)
            for number in entries
            if all(scores[number, leaf] > 0 for leaf in leaves)
            and all(_score(leaf, outcomes, made[number], expected, wrong, tolerance) >= 0 for leaf in right)
        }
        if together and leaves:
            best = max(together, key=lambda number: (together[number], -number))
            only = ", ".join(kind.leaves[leaf] for leaf in leaves) if len(leaves) < len(kind.leaves) else ""
            return ((only, CATALOGUE[best]),)
        single = []
        for leaf in leaves:
            # Of mistakes that give the same, that of fewer operations says more.
            best = max(entries, key=lambda n: (scores[n, leaf], -len(CATALOGUE[n].wrong), -n), default=None)
            if best is not None and scores[best, leaf] > 0:
                single.append((kind.leaves[leaf], CATALOGUE[best]))
        if len(single) > len(named):
            named = tuple(single)
        if len(named) == len(leaves):
            break
    return named


def _score(
    leaf: int,
    outcomes: Sequence[Outcome],
    made_at: Callable[[int], Outcome],
    expected: Sequence[tuple[Expected, ...]],
    wrong: Sequence[set[int]],
    tolerance: float,
) -> int:
    """In how many cases a wrong output is reproduced; −1 if in any case the mistake gives another one."""
    score = 0
    # Where the output is wrong another mistake is soonest told apart.
    for place in sorted(range(len(outcomes)), key=lambda place: leaf not in wrong[place]):
        outcome, right, at = outcomes[place], expected[place], wrong[place]
        if leaf >= len(outcome.leaves) or (got := outcome.leaves[leaf]) is None:
            continue
        entry = made_at(place)
        if leaf >= len(entry.leaves) or (made := entry.leaves[leaf]) is None:
            continue
        if not _same(got, made, tolerance, right[leaf]):
            return -1
        # Where the mistake makes no difference it explains none.
        score += leaf in at and not _same(right[leaf].value, made, tolerance, right[leaf])
    return score


def _same(got: Array, made: Array, tolerance: float, right: Expected) -> bool:
    if got.shape != made.shape:
        return False
    finite = np.isfinite(made)
    scale = max(float(np.abs(made[finite]).max(initial=0)), float(right.terms.max(initial=0)))
    with np.errstate(invalid="ignore"):
        close = np.abs(got - made) <= tolerance * scale
    # Infinite and not a number are one: which of them overflow ends in is chance.
    return bool((np.where(finite, close, ~np.isfinite(got))).all())


def ratio(outcomes: Sequence[Outcome], expected: Sequence[tuple[Expected, ...]]) -> float | None:
    """By which one factor everything is off, if it is."""
    factors = []
    for outcome, right in zip(outcomes, expected, strict=True):
        for got, leaf in zip(outcome.leaves, right, strict=False):
            if got is None or got.shape != leaf.value.shape:
                return None
            large = np.abs(leaf.value) > 1e-6 * max(float(leaf.terms.max(initial=0)), 1e-300)
            if not np.isfinite(got).all() or (np.abs(got[~large]) > 1e-5 * leaf.terms.max(initial=0)).any():
                return None
            factors.append((got[large] / leaf.value[large]).reshape(-1))
    together = np.concatenate(factors) if factors else np.zeros(0)
    if not together.size or np.ptp(together) > 1e-6 * abs(float(together[0])):
        return None
    return float(together[0])


class Common(NamedTuple):
    """What failing cases have in common.

    Attributes:
        features: in words; none where they share nothing.
        exactly: no other case has all, or any, of them.
    """

    features: tuple[str, ...]
    exactly: bool = False


def in_common(cases: Sequence[Case], failed: Sequence[bool]) -> Common:
    """What all failing cases have: only those features that no other case has, if there are any."""
    bad = [case.features for case, fails in zip(cases, failed, strict=True) if fails]
    good = [case.features for case, fails in zip(cases, failed, strict=True) if not fails]
    always = frozenset.intersection(*bad)
    alone = always - frozenset().union(*good)
    return Common(tuple(sorted(alone or always)), bool(alone))


def pattern(cases: Sequence[Case], failed: Sequence[bool]) -> str:
    """What the failing cases have and the others have not, in words."""
    if all(failed):
        return "It fails in every case."
    common = in_common(cases, failed)
    if common.exactly:
        return f"It fails in exactly the cases with {' and '.join(common.features)}."
    having = [fails for case, fails in zip(cases, failed, strict=True) if case.features.issuperset(common.features)]
    # What few of those that have it fail for is not why.
    if common.features and 2 * sum(having) > len(having):
        return f"It fails in {sum(having)} of the {len(having)} cases with {' and '.join(common.features)}, and in no other."
    return f"It fails in {sum(failed)} of {len(cases)} cases."
