"""Calls a candidate with ones at single places, and reads the terms that it adds off what comes back."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.operations import kind_of
from jcnn.check.outcome import Outcome, call
from jcnn.check.patience import Patience
from jcnn.check.probing.decode import Decoder, decoded, distinct
from jcnn.check.probing.geometries import GEOMETRIES, SQUARE, UNPADDED, WITHOUT_AXES, Geometry
from jcnn.check.probing.plans import PLANS, Plan
from jcnn.check.probing.spaces import Space, Terms

Array = np.ndarray
Answer = Callable[[Case], Outcome]

SECONDS = 6.0
"""No further geometry is begun after the candidate took so long."""

_MANY = 7
"""Of a pooling that was read in fewer geometries, as it takes no other, more are read: few tell one formula from the next."""


class Readings(NamedTuple):
    """What a candidate's outputs are made of in the geometries that it takes.

    Attributes:
        terms: by output, in every geometry in which all its numbers could be read.
        shapes: by output, (geometry, its shape, the right shape) where these differ.
        raised: (geometry, what is said) where it raised.
        unread: by output, the geometries in which its numbers are no few terms.
    """

    terms: dict[str, list[Terms]]
    shapes: dict[str, list[tuple[Geometry, tuple[int, ...], tuple[int, ...]]]]
    raised: list[tuple[Geometry, str]]
    unread: dict[str, list[Geometry]]


def read_terms(
    kind: str,
    answer: Answer,
    plan: Plan,
    *,
    seconds: float = SECONDS,
    geometries: Sequence[Geometry] | None = None,
    beside: Readings | None = None,
) -> Readings:
    """Probes a candidate.

    Args:
        kind: the operation.
        answer: what the candidate does with a case.
        plan: how it is probed.
        seconds: after which no further geometry is begun.
        geometries: in place of those that the plan is probed by.
        beside: what was read before, to which it is added.
    """
    found = beside or Readings({leaf: [] for leaf in plan.reads}, {}, [], {})
    patience = Patience(answer)
    usual = GEOMETRIES if plan.spatial else WITHOUT_AXES
    _over(usual if geometries is None else geometries, kind, patience, plan, found, seconds)
    if plan.spatial and found.raised and not any(found.terms.values()) and not found.shapes:
        _over(SQUARE, kind, patience, plan, found, 2 * seconds)
    if plan.window and geometries is None and not found.shapes and any(len(terms) < _MANY for terms in found.terms.values()):
        _over(UNPADDED, kind, patience, plan, found, 2 * seconds)
    return found


def _over(geometries: Sequence[Geometry], kind: str, patience: Patience, plan: Plan, found: Readings, seconds: float) -> None:
    for geometry in geometries:
        if patience.ends(seconds):
            return
        if not _sensible(geometry, plan):
            continue
        _in_one(geometry, kind, patience.answer, plan, found)


def _sensible(geometry: Geometry, plan: Plan) -> bool:
    if plan.whole and not geometry.fills:
        return False
    # A window that sees nothing but padding has no mean and no maximum.
    return not plan.window or all(p < f for p, f in zip(geometry.paddings, geometry.window, strict=True))


def _sized(geometry: Geometry, plan: Plan) -> Geometry:
    """Pooling keeps the channels."""
    return geometry._replace(outputs=geometry.inputs) if plan.window else geometry


@lru_cache(maxsize=256)
def _right(kind: str, number: int, geometry: Geometry) -> dict[str, tuple[Space, Array]]:
    """The right coefficients, read off the reference."""
    plan = PLANS[kind][number]
    reference = kind_of(kind).reference
    found = Readings({leaf: [] for leaf in plan.reads}, {}, [], {})

    def answer(case: Case) -> Outcome:
        return call(reference, kind_of(kind), case)

    _in_one(geometry, kind, answer, plan, found, right=False)
    return {leaf: (terms[0].space, terms[0].got) for leaf, terms in found.terms.items()}


def _in_one(geometry: Geometry, kind: str, answer: Answer, plan: Plan, found: Readings, *, right: bool = True) -> None:
    """Adds to what was found what the candidate does in one geometry."""
    sized = _sized(geometry, plan)
    calls = Calls(kind, plan, sized)
    outcomes = []
    for case in calls.cases():
        outcome = answer(case)
        if outcome.declined:
            return
        if outcome.raised or not outcome.leaves:
            found.raised.append((sized, outcome.problem or "no array"))
            return
        outcomes.append(outcome)
    for number, leaf in enumerate(kind_of(kind).leaves):
        if leaf not in plan.reads:
            continue
        space = calls.space(leaf)
        shape = calls.shape(plan.reads[leaf].array)
        arrays = [outcome.leaves[number] if number < len(outcome.leaves) else None for outcome in outcomes]
        if any(array is None for array in arrays):
            continue
        if (wrong := next((array.shape for array in arrays if array is not None and array.shape != shape), None)) is not None:
            found.shapes.setdefault(leaf, []).append((sized, wrong, shape))
            continue
        base, *hot = [array for array in arrays if array is not None]
        coefficients = calls.coefficients(leaf, space, base, hot)
        if coefficients is None:
            found.unread.setdefault(leaf, []).append(sized)
            continue
        if not right:
            found.terms[leaf].append(Terms(sized, space, coefficients, coefficients, calls.values.get("x")))
            continue
        _, expected = _right(kind, PLANS[kind].index(plan), geometry)[leaf]
        found.terms[leaf].append(Terms(sized, space, coefficients, expected, calls.values.get("x")))


class Calls:
    """The calls of one geometry."""

    def __init__(self, kind: str, plan: Plan, geometry: Geometry) -> None:
        """Draws the numbers that are all distinct."""
        self.kind, self.plan, self.geometry = kind, plan, geometry
        self.values: dict[str, Array] = {
            name: np.zeros(self.shape(array)) if name in plan.zero else distinct(self.shape(array), seed)
            for seed, (name, array) in enumerate(plan.arguments.items())
        }

    def shape(self, array: str) -> tuple[int, ...]:
        """Of an argument or output."""
        full = Space.of((array,), self.geometry, spatial=self.plan.spatial).shape
        if self.plan.spatial or array == "bias":
            return full
        return (full[0], full[3]) if array in {"output", "image"} else full[2:]

    def case(self, hot: Array | None) -> Case:
        """The call in which the probed argument is this."""
        args: dict[str, Any] = dict(self.values)
        if self.plan.hot and hot is not None:
            args[self.plan.hot] = hot
        options = dict(self.geometry.options)
        if self.plan.window:
            high, wide = self.geometry.window
            args["window"] = high if high == wide else (high, wide)
            options["stride"] = self.geometry.stride
        if not self.plan.spatial:
            options = {}
        return Case(f"probing: {self.geometry}", args, options, frozenset(), whole=False)

    def cases(self) -> Iterator[Case]:
        """With zeros, then with a one at every place in turn; or the one call that tells all."""
        if self.plan.hot is None:
            yield self.case(None)
            return
        shape = self.shape(self.plan.arguments[self.plan.hot])
        yield self.case(np.zeros(shape))
        for place in range(int(np.prod(shape))):
            hot = np.zeros(shape)
            hot.reshape(-1)[place] = 1.0
            yield self.case(hot)

    def space(self, leaf: str) -> Space:
        """The products that an output may add."""
        result, of = self.plan.reads[leaf]
        arrays = [result]
        if self.plan.hot:
            arrays.append(self.plan.arguments[self.plan.hot])
        if of is not None:
            arrays.append(self.plan.arguments[of])
        order = [array for array in ("output", "image", "filter", "bias") if array in arrays]
        return Space.of(order, self.geometry, spatial=self.plan.spatial)

    def coefficients(self, leaf: str, space: Space, base: Array, hot: Sequence[Array]) -> Array | None:
        """Of every product; None where a number is no sum of few."""
        result, of = self.plan.reads[leaf]
        tensor = np.zeros(space.shape)
        decoder = Decoder(self.values[of]) if of is not None else None
        if self.plan.hot is None:
            return self._fill(tensor, space, result, None, 0, base, decoder, of)
        for place, array in enumerate(hot):
            difference = np.where(np.abs(array - base) > 1e-13 * np.abs(base), array - base, 0.0)
            if self._fill(tensor, space, result, self.plan.hot, place, difference, decoder, of) is None:
                return None
        return tensor.reshape(-1)

    def _fill(
        self,
        tensor: Array,
        space: Space,
        result: str,
        hot: str | None,
        place: int,
        array: Array,
        decoder: Decoder | None,
        of: str | None,
    ) -> Array | None:
        """Writes the coefficients of one call."""
        index: dict[str, Any] = {}
        if hot is not None:
            index[self.plan.arguments[hot]] = np.unravel_index(place, space.shape_of(self.plan.arguments[hot]))
        if decoder is None:
            full = array.reshape(space.shape_of(result))
            for at in np.argwhere(full):
                index[result] = tuple(at)
                tensor[_flat(space, index)] = full[tuple(at)]
            return tensor.reshape(-1)
        read = decoded(array, decoder)
        if read.unread:
            return None
        for at, value, coefficient in read.terms:
            index[result] = np.unravel_index(at, space.shape_of(result))
            index[self.plan.arguments[str(of)]] = np.unravel_index(value, space.shape_of(self.plan.arguments[str(of)]))
            tensor[_flat(space, index)] += coefficient
        return tensor.reshape(-1)


def _flat(space: Space, index: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(number) for array in space.arrays for number in index[array])
