"""What is seen of wrong outputs without knowing why: in which calls, at which numbers, and what these have in common."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jcnn.check.bounds import Expected
from jcnn.check.cases import Case
from jcnn.check.diagnose import in_common
from jcnn.check.outcome import Outcome
from jcnn.check.report import Row, Symptom

Array = np.ndarray

_CLOSE = 1e-9
_FEW = 2
_LOST = 0.05
_WORDS = {'rounding="ceil"': "a size that is rounded up", "count_padding": "a padding that counts"}
"""Features in which there is a name of an option and its value."""


class Seen(NamedTuple):
    """What a candidate did in one case, and what it should have done."""

    case: Case
    outcome: Outcome
    expected: tuple[Expected, ...]
    rows: tuple[Row, ...]


class _Wrong(NamedTuple):
    """An output that is wrong in one case, and where."""

    case: Case
    expected: Array
    got: Array
    wrong: Array


def find_symptoms(leaves: Sequence[str], seen: Sequence[Seen]) -> list[Symptom]:
    """What concerns whole calls first, then every wrong output.

    Args:
        leaves: the names of the outputs.
        seen: all cases that the candidate took.
    """
    found = [_of_calls(seen, fails, what) for fails, what in _OF_CALLS]
    found += [_of_leaf(leaf, number, seen) for number, leaf in enumerate(leaves)]
    return [symptom for symptom in found if symptom is not None]


def _raises(one: Seen) -> bool:
    return one.outcome.raised


def _returns_something_else(one: Seen) -> bool:
    return bool(one.outcome.problem) and not one.outcome.raised


BESIDE = (
    "its numbers apart, what it does is not what is expected: how many arrays it returns, of which type, "
    "and whether it leaves its arguments as they are"
)
_OF_CALLS: tuple[tuple[Callable[[Seen], bool], str], ...] = (
    (_raises, "no result comes back: it raises an exception, or its process ends"),
    (_returns_something_else, BESIDE),
)


def _of_calls(seen: Sequence[Seen], fails: Callable[[Seen], bool], what: str) -> Symptom | None:
    failed = [fails(one) for one in seen]
    return Symptom("", _calls([one.case for one in seen], failed), what) if any(failed) else None


def _calls(cases: Sequence[Case], failed: Sequence[bool]) -> str:
    """In which calls, in words."""
    if all(failed):
        return "in every call"
    common = in_common(cases, failed)
    # What few failing calls share may be chance: of several features those tell most that few of the others have.
    others = [case.features for case, fails in zip(cases, failed, strict=True) if not fails]
    rarest = sorted(common.features, key=lambda feature: sum(feature in other for other in others))
    features = " and ".join(_WORDS.get(feature, feature) for feature in rarest[:_FEW])
    if not features:
        return f"in {sum(failed)} of {len(failed)} calls"
    return f"in exactly the calls with {features}" if common.exactly else f"only in calls with {features}, not in all of them"


def _of_leaf(leaf: str, number: int, seen: Sequence[Seen]) -> Symptom | None:
    there = [
        one
        for one in seen
        if not one.outcome.raised and number < len(one.outcome.leaves) and one.outcome.leaves[number] is not None
    ]
    failed = [one.rows[number].verdict != "agrees" and one.rows[number].remark != (one.outcome.problem or "-") for one in there]
    if not any(failed):
        return None
    cases = [one.case for one in there]
    bad = [one for one, fails in zip(there, failed, strict=True) if fails]
    where = _calls(cases, failed)
    verdicts = {one.rows[number].verdict for one in bad}
    pairs = [(one.case, one.expected[number].value, one.outcome.leaves[number]) for one in bad]
    if any(got is not None and got.shape != expected.shape for _, expected, got in pairs):
        return Symptom(leaf, where, "its shape is not the right one", _shape_example(leaf, pairs))
    wrong = [_compared(case, expected, got) for case, expected, got in pairs if got is not None]
    if verdicts == {"rounding"} and max(one.rows[number].relative for one in bad) < _LOST:
        return Symptom(leaf, where, "its first digits are right, the last ones are lost", _example(leaf, bad, number))
    if verdicts <= {"rounding", "kink"}:
        what = "where there is a choice, at ties or at 0, another one is made; all other numbers are right"
        return Symptom(leaf, where, what, _example(leaf, bad, number))
    numbers = next((words for holds, words in _PLACES if holds(wrong)), "")
    what = next((words for holds, words in _LOOKS if holds(wrong)), _share(wrong))
    return Symptom(leaf, f"{where}{', ' if numbers else ''}{numbers}", what, _example(leaf, bad, number))


def _compared(case: Case, expected: Array, got: Array) -> _Wrong:
    scale = max(float(np.abs(expected[np.isfinite(expected)]).max(initial=0)), 1e-300)
    with np.errstate(invalid="ignore"):
        close = (np.abs(got - expected) <= _CLOSE * scale) | (got == expected)
    return _Wrong(case, expected, got, ~close)


def _is_inside(shape: tuple[int, ...]) -> Array:
    """Of images and their outputs: where a pixel is not at the border."""
    inside = np.ones(shape, bool)
    for axis in range(1, len(shape) - 1):
        at = np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - 1 - axis))
        inside &= (at > 0) & (at < shape[axis] - 1)
    return inside


def _like_images(wrong: Sequence[_Wrong]) -> bool:
    return all(one.expected.ndim > 2 and one.expected.shape[:1] == _first(one.case).shape[:1] for one in wrong)


def _first(case: Case) -> Array:
    return next(value for value in case.args.values() if isinstance(value, np.ndarray))


def _only(mask_of: Callable[[_Wrong], Array | None]) -> Callable[[Sequence[_Wrong]], bool]:
    """Whether all wrong numbers lie where the mask says, and others that could be wrong as well do not."""

    def holds(wrong: Sequence[_Wrong]) -> bool:
        masks = [mask_of(one) for one in wrong]
        if any(mask is None for mask in masks):
            return False
        pairs = [(one.wrong, mask) for one, mask in zip(wrong, masks, strict=True) if mask is not None]
        return all(not (here & ~mask).any() for here, mask in pairs) and any((~mask).any() for _, mask in pairs)

    return holds


def _border(one: _Wrong) -> Array | None:
    return ~_is_inside(one.expected.shape) if _like_images([one]) else None


def _after_the_first(one: _Wrong) -> Array | None:
    if one.expected.shape[:1] != _first(one.case).shape[:1] or one.expected.ndim < 2:
        return None
    return np.broadcast_to(np.arange(len(one.expected)).reshape(-1, *(1,) * (one.expected.ndim - 1)) > 0, one.expected.shape)


def _where_x(test: Callable[[Array], Array]) -> Callable[[_Wrong], Array | None]:
    """Of functions of single numbers: by the number that goes in."""

    def mask(one: _Wrong) -> Array | None:
        x = one.case.args.get("x")
        plain = isinstance(x, np.ndarray) and x.shape == one.expected.shape and not {"w", "window"} & one.case.args.keys()
        return test(x) if plain and isinstance(x, np.ndarray) else None

    return mask


_PLACES: tuple[tuple[Callable[[Sequence[_Wrong]], bool], str], ...] = (
    (_only(_where_x(lambda x: x == 0)), "where x is zero"),
    (_only(_where_x(lambda x: x < 0)), "where x is negative"),
    (_only(_where_x(lambda x: x > 0)), "where x is positive"),
    (_only(_border), "at the border"),
    (_only(_after_the_first), "in other examples than the first"),
)


def _ratios(one: _Wrong) -> Array | None:
    """got / expected; None where 0 is not 0 or there is nothing to divide by."""
    there = np.abs(one.expected) > _CLOSE * np.abs(one.expected).max(initial=0)
    if not there.any() or (one.wrong & ~there).any():
        return None
    return one.got[there] / one.expected[there]


def _not_finite(wrong: Sequence[_Wrong]) -> bool:
    return any((~np.isfinite(one.got) & np.isfinite(one.expected)).any() for one in wrong)


def _is_zero(wrong: Sequence[_Wrong]) -> bool:
    return all(not one.got.any() for one in wrong)


def _is_zero_where_wrong(wrong: Sequence[_Wrong]) -> bool:
    return all(not one.got[one.wrong].any() for one in wrong)


def _by_one_factor(wrong: Sequence[_Wrong], spread: Callable[[Sequence[Array]], float]) -> bool:
    ratios = [_ratios(one) for one in wrong]
    kept = [ratio for ratio in ratios if ratio is not None]
    return len(kept) == len(ratios) and spread(kept) < _CLOSE


def _of_all(ratios: Sequence[Array]) -> float:
    return float(np.ptp(np.concatenate(ratios)))


def _of_each(ratios: Sequence[Array]) -> float:
    return max(float(np.ptp(ratio)) for ratio in ratios)


def _signs(wrong: Sequence[_Wrong]) -> bool:
    return all(np.allclose(np.abs(one.got), np.abs(one.expected), rtol=_CLOSE, atol=0) for one in wrong)


def _misplaced(wrong: Sequence[_Wrong]) -> bool:
    return all(np.allclose(np.sort(one.got, None), np.sort(one.expected, None), rtol=_CLOSE, atol=1e-12) for one in wrong)


_LOOKS: tuple[tuple[Callable[[Sequence[_Wrong]], bool], str], ...] = (
    (_not_finite, "NaN or infinite numbers are in it"),
    (_is_zero, "all of it is 0"),
    (_signs, "the size of the numbers is right, not their sign"),
    (_misplaced, "the right numbers are there, at wrong places"),
    (lambda wrong: _by_one_factor(wrong, _of_all), "all numbers are off by one factor, the same in all calls"),
    (lambda wrong: _by_one_factor(wrong, _of_each), "all numbers of a call are off by one factor, which depends on the call"),
    (_is_zero_where_wrong, "the wrong numbers are 0"),
)


def _share(wrong: Sequence[_Wrong]) -> str:
    share = sum(int(one.wrong.sum()) for one in wrong) / max(sum(one.wrong.size for one in wrong), 1)
    return f"{max(round(100 * share), 1) if share < 0.995 else 100} % of its numbers are wrong there"


def _example(leaf: str, bad: Sequence[Seen], number: int) -> str:
    """The worst number of the smallest case."""
    compared = [one for one in bad if one.rows[number].worst]
    if not compared:
        return ""
    one = min(compared, key=lambda one: (not one.case.whole, one.case.size))
    worst = one.rows[number].worst
    if worst is None:
        return ""
    digits = 6 if one.rows[number].relative > 1e-4 else 17
    index = ", ".join(map(str, worst.index))
    return f"{leaf}[{index}] = {worst.got:.{digits}g}; right is {worst.expected:.{digits}g} ({one.case.name})"


def _shape_example(leaf: str, pairs: Sequence[tuple[Case, Array, Array | None]]) -> str:
    case, expected, got = next(triple for triple in pairs if triple[2] is not None and triple[2].shape != triple[1].shape)
    return f"{leaf} has shape {got.shape}; right is {expected.shape} ({case.name})" if got is not None else ""
