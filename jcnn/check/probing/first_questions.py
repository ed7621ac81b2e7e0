"""Before formulas are read off a candidate: does it answer the same twice, give 0 for 0, and is it linear at all?"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jcnn.check.operations import kind_of
from jcnn.check.outcome import Outcome, call
from jcnn.check.probing.claims import Claim, is_scaled, is_shifted
from jcnn.check.probing.collect import Answer, Calls
from jcnn.check.probing.decode import SIMPLE, distinct
from jcnn.check.probing.geometries import Geometry
from jcnn.check.probing.plans import Plan

Array = np.ndarray

_GEOMETRIES = (
    Geometry(3, 4, (2, 2), examples=2, inputs=2, outputs=2),
    Geometry(4, 4, (2, 2), examples=2, inputs=2, outputs=2),
    Geometry(4, 4, (2, 2)),
)
"""The first that the candidate takes."""


class Answered(NamedTuple):
    """What is said of an output, and whether its terms are still worth reading.

    Attributes:
        leaf: the output; "" for the whole candidate.
        sentence: what is found.
        linear: terms can be read all the same.
        claim: what it says of every call; None where it is about the calls that were made.
    """

    leaf: str
    sentence: str
    linear: bool
    claim: Claim | None = None


def ask_first_questions(kind: str, answer: Answer, plan: Plan) -> list[Answered]:
    """What keeps a candidate from being a sum of products, or is added to one.

    Args:
        kind: the operation.
        answer: what the candidate does with a case.
        plan: how the operation is probed.
    """
    if plan.hot is None:
        return []
    for geometry in _GEOMETRIES:
        sized = geometry._replace(outputs=geometry.inputs) if plan.window else geometry
        asked = _Asked(kind, answer, Calls(kind, plan, sized))
        if (found := asked.all()) is not None:
            return found
    return []


class _Asked:
    """The questions in one geometry."""

    def __init__(self, kind: str, answer: Answer, calls: Calls) -> None:
        self.kind, self.answer, self.calls = kind, answer, calls

    def all(self) -> list[Answered] | None:
        """The answers; None where the candidate fails on this geometry."""
        shape = self.calls.shape(self.calls.plan.arguments[str(self.calls.plan.hot)])
        one, other = 3.7 * distinct(shape, 101), 2.9 * distinct(shape, 102)
        inputs = (one, one, np.zeros(shape), 2 * one, other, one + other, -one)
        outcomes = [self.answer(self.calls.case(dy)) for dy in inputs]
        if any(outcome.raised or outcome.declined or not outcome.leaves for outcome in outcomes):
            return None
        if any(outcome.leaves != () and len(outcome.leaves) != len(kind_of(self.kind).leaves) for outcome in outcomes):
            return None
        if rounded := self._of_arguments():
            return rounded
        right = call(kind_of(self.kind).reference, kind_of(self.kind), self.calls.case(one))
        found = []
        for number, leaf in enumerate(kind_of(self.kind).leaves):
            leaves = [_leaf(outcome, number) for outcome in outcomes]
            if leaf not in self.calls.plan.reads or any(array is None for array in leaves):
                continue
            arrays = [array for array in leaves if array is not None]
            if len({array.shape for array in arrays}) > 1:
                found.append(Answered(leaf, f"{leaf} has another shape for other numbers.", linear=False))
                continue
            found += self._of_leaf(leaf, arrays, right.leaves[number])
        return found

    def _of_arguments(self) -> list[Answered]:
        """Whether the right formula is computed of arguments whose digits are cut off."""
        case = self.calls.case(10 * distinct(self.calls.shape(self.calls.plan.arguments[str(self.calls.plan.hot)]), 103))
        outcome = self.answer(case)
        kind = kind_of(self.kind)
        for name, value in case.args.items():
            if not isinstance(value, np.ndarray):
                continue
            for text, rule in _ROUNDED:
                changed = case._replace(args={**case.args, name: rule(value)})
                right = call(kind.reference, kind, changed).leaves
                here = [_differs(one, two) for one, two in zip(right, call(kind.reference, kind, case).leaves, strict=True)]
                same = [not _differs(one, two) for one, two in zip(right, outcome.leaves, strict=False)]
                if any(here) and len(same) == len(here) and all(same):
                    return [
                        Answered(
                            "", f"It computes with {text}: {name} is to be used as it is given.".format(name=name), linear=False
                        )
                    ]
        return []

    def _of_leaf(self, leaf: str, arrays: list[Array], right: Array | None) -> list[Answered]:
        first, again, zero, twice, other, both, negative = arrays
        if any(not np.isfinite(array).all() for array in arrays):
            return [Answered(leaf, _not_finite(leaf, first, zero, str(self.calls.plan.hot)), linear=False)]
        probed = self.calls.plan.hot
        if not _close(first, again):
            return [
                Answered(
                    leaf,
                    f"{leaf} is another one each time for the same input: something random, something kept from an "
                    "earlier call, or memory that was never set (np.empty for np.zeros).",
                    linear=False,
                )
            ]
        if right is None or right.shape != first.shape:
            return []
        linear = _close(twice - zero, 2 * (first - zero)) and _close(both - zero, first + other - 2 * zero)
        if not linear and (sentence := self._overwritten(leaf, right)):
            return [Answered(leaf, sentence, linear=False)]
        if not linear:
            return [Answered(leaf, f"{leaf} is not linear in {probed}: {_unlike(first, negative, right)}.", linear=False)]
        if (factor := _factor(first, right)) is not None:
            if noun := self.calls.plan.noun:
                return [Answered(leaf, f"{leaf}: {noun} is multiplied by {factor:.12g}.", linear=False)]
            return [
                Answered(
                    leaf, f"Every number of {leaf} is {factor:.12g} times what it should be.", linear=False, claim=is_scaled
                )
            ]
        if np.abs(zero).max(initial=0) > 1e-12:
            return [
                Answered(leaf, f"{leaf} is not 0 where {probed} is 0: {self._constant(zero)}.", linear=True, claim=is_shifted)
            ]
        return []

    def _overwritten(self, leaf: str, right: Array) -> str:
        """Said where what was written for another gradient is multiplied, in the place of an argument or besides it."""
        plan, calls = self.calls.plan, self.calls
        hot, of = str(plan.hot), plan.reads[leaf].of
        others = {read.of: name for name, read in plan.reads.items() if read.of not in {None, of}}
        if of is None or len(others) != 1:
            return ""
        ((other, written),) = others.items()
        number = kind_of(self.kind).leaves.index(leaf)
        dy = 3.7 * distinct(calls.shape(plan.arguments[hot]), 101)

        def parts(changed: dict[str, Array], times: float = 1.0) -> tuple[Array, Array] | None:
            """What is the same for the opposite sign of dy, and what is the opposite."""
            found = []
            for sign in (times, -times):
                case = calls.case(sign * dy)
                got = _leaf(self.answer(case._replace(args=case.args | changed)), number)
                if got is None or got.shape != right.shape:
                    return None
                found.append(got)
            return (found[0] + found[1]) / 2, (found[0] - found[1]) / 2

        now, twice = parts({}), parts({}, 2.0)
        elsewhere = parts({of: distinct(calls.shape(plan.arguments[of]), 104)})
        larger = parts({str(other): 2 * calls.values[str(other)]})
        if now is None or twice is None or elsewhere is None or larger is None or _close(now[0], 0 * now[0]):
            return ""
        squared = _close(twice[0], 4 * now[0]) and _close(elsewhere[0], now[0]) and _close(larger[0], 2 * now[0])
        if not squared:
            return ""
        if max(np.abs(one[1]).max() for one in (now, elsewhere)) <= 1e-9 * np.abs(now[0]).max():
            return (
                f"{leaf} does not depend on {of}: the array of {of} is overwritten before it is used (another name for the "
                f"same array, or a view, is no copy), so {hot} is multiplied by what was written for {written}."
            )
        if _close(now[1], right):
            return (
                f"{leaf} is not linear in {hot}: besides {of}, what was written for {written} is multiplied by {hot}, as where "
                f"{written} is added up in the array of {of} (another name for the same array, or a view, is no copy)."
            )
        return ""

    def _constant(self, zero: Array) -> str:
        """What an output is that does not depend on what is probed."""
        if np.ptp(zero) < 1e-12:
            return f"{zero.reshape(-1)[0]:.6g} is added to every number"
        for name, value in self.calls.values.items():
            if value.shape == zero.shape and name != self.calls.plan.hot:
                ratio = zero / value
                if np.ptp(ratio) < 1e-9 * abs(ratio.reshape(-1)[0]):
                    return f"{ratio.reshape(-1)[0]:.6g}·{name} is added, as weight decay does"
        return "something is added that does not depend on it"


def _not_finite(leaf: str, first: Array, zero: Array, probed: str) -> str:
    """Where numbers are NaN or infinite."""
    lost = ~np.isfinite(first)
    if not lost.any():
        return (
            f"{leaf} holds NaN or infinite numbers where {probed} is 0."
            if not np.isfinite(zero).all()
            else f"{leaf} overflows."
        )
    where = "everywhere" if lost.all() else f"in {int(lost.sum())} of {lost.size} places"
    return f"{leaf} is NaN or infinite {where}: 0 / 0, a root or logarithm of a negative number, or memory that was never set."


def _factor(got: Array, right: Array) -> float | None:
    """By which factor all numbers are off, where it is none that formulas have."""
    large = np.abs(right) > 1e-3 * np.abs(right).max(initial=0)
    if not large.any() or np.any(np.abs(got[right == 0]) > 0):
        return None
    ratios = got[large] / right[large]
    factor = float(ratios.mean())
    known = np.any(np.abs(SIMPLE - abs(factor)) < 1e-12 * abs(factor))
    if known or factor == 0 or np.ptp(ratios) > 1e-12 * abs(factor):
        return None
    return factor


def _leaf(outcome: Outcome, number: int) -> Array | None:
    return outcome.leaves[number] if number < len(outcome.leaves) else None


def _close(one: Array, other: Array) -> bool:
    scale = max(float(np.abs(one).max(initial=0)), float(np.abs(other).max(initial=0)), 1e-300)
    return bool(np.all(np.abs(one - other) <= 1e-9 * scale))


_ROUNDED: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("whole numbers, the fractions of {name} cut off (an integer array)", np.trunc),
    ("{name} rounded to whole numbers", np.round),
    ("|{name}|", np.abs),
    ("the negative numbers of {name} as 0", lambda value: np.maximum(value, 0)),
    *(
        (f"{{name}} rounded to {digits} digits behind the point", lambda value, digits=digits: np.round(value, digits))
        for digits in range(1, 9)
    ),
)


def _differs(one: Array | None, other: Array | None) -> bool:
    return one is None or other is None or one.shape != other.shape or not bool(np.allclose(one, other, rtol=1e-11, atol=1e-12))


_RULES: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("its fractions are cut off, as whole numbers (an integer array) hold none", np.trunc),
    ("it is rounded to whole numbers", np.round),
    ("it is rounded down to whole numbers", np.floor),
    ("its absolute value is given", np.abs),
    ("negative numbers become 0", lambda right: np.maximum(right, 0)),
    ("positive numbers become 0", lambda right: np.minimum(right, 0)),
    ("it is squared", np.square),
    ("it is cut off at −1 and 1", lambda right: np.clip(right, -1, 1)),
    ("only its sign is given", np.sign),
)


def _unlike(first: Array, negative: Array, right: Array) -> str:
    """By which rule it goes from the right numbers to these."""
    for text, rule in _RULES:
        if np.allclose(first, rule(right), rtol=1e-9, atol=1e-9):
            return text
    for digits in range(1, 9):
        if np.allclose(first, np.round(right, digits), rtol=0, atol=1e-12):
            return f"it is rounded to {digits} digits behind the point"
    if np.array_equal(first, np.round(first)):
        return "all its numbers are whole, as in an integer array"
    for factor in SIMPLE[:40]:
        if np.allclose(first, factor * np.abs(right)):
            return f"it is {factor:g} times the absolute value"
    if _close(negative, first):
        return "it is the same for the opposite sign"
    return "twice as much gives not twice as much"
