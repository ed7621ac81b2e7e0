"""Which of the products that belong to a sum are in it: the simplest condition on their places that says so everywhere."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jcnn.check.probing.expressions import ENDS, STARTS, Expression, first_that_fits, sizes_along
from jcnn.check.probing.spaces import Terms

Array = np.ndarray

NOUNS = {
    "n": "example",
    "n2": "example of the images",
    "i": "output row i",
    "j": "output column j",
    "o": "output channel",
    "r": "pixel row r",
    "c": "pixel column c",
    "m": "input channel",
    "a": "filter row a",
    "b": "filter column b",
    "m2": "input channel of the filter",
    "o2": "output channel of the filter",
    "k": "channel",
}
_ACROSS = {"i": "j", "j": "i", "r": "c", "c": "r", "a": "b", "b": "a", "o": "m", "m": "o", "m2": "o2", "o2": "m2"}
_COLUMNS = {"j", "c", "b"}
_MOST = 3


class Condition(NamedTuple):
    """A condition on a product.

    Attributes:
        text: what is so where it holds, to follow on "where".
        cost: how far-fetched it is.
        holds: for every product, whether it does.
        overwritten: it is what is left when = stands for +=.
        cause: what makes it so, in words; "" where the condition says it all.
    """

    text: str
    cost: int
    holds: Callable[[Terms], Array]
    overwritten: bool = False
    cause: str = ""


def _windows(terms: Terms, axis: int) -> tuple[Array, Array]:
    """The first and the last output along an axis whose window covers the product's pixel."""
    sizes = sizes_along(terms.geometry, axis)
    pixel, outputs = ("r", "i") if axis == 0 else ("c", "j")
    padded = terms.space.at[pixel] + sizes["P"]
    last = np.minimum(padded // sizes["S"], terms.space.size[outputs] - 1)
    first = np.maximum(-((sizes["F"] - 1 - padded) // sizes["S"]), 0)
    return first, last


def _is_last_window(axis: int) -> Callable[[Terms], Array]:
    output = "i" if axis == 0 else "j"
    return lambda terms: terms.space.at[output] == _windows(terms, axis)[1]


def _is_first_window(axis: int) -> Callable[[Terms], Array]:
    output = "i" if axis == 0 else "j"
    return lambda terms: terms.space.at[output] == _windows(terms, axis)[0]


def _both(*tests: Callable[[Terms], Array]) -> Callable[[Terms], Array]:
    return lambda terms: np.logical_and.reduce([test(terms) for test in tests])


def _at(name: str, test: Callable[[Array, int], Array]) -> Callable[[Terms], Array]:
    return lambda terms: test(terms.space.at[name], terms.space.size[name])


def _fixed(names: Sequence[str]) -> list[Condition]:
    """Conditions without numbers to be found."""
    found = []
    has = set(names)
    if {"r", "i"} <= has:
        both = _both(_is_last_window(0), _is_last_window(1))
        found += [
            Condition("no later window sees the pixel", 1, both, overwritten=True),
            Condition("no earlier window sees the pixel", 1, _both(_is_first_window(0), _is_first_window(1)), overwritten=True),
            Condition("no window further down sees the pixel", 2, _is_last_window(0), overwritten=True),
            Condition("no window further to the right sees the pixel", 2, _is_last_window(1), overwritten=True),
            Condition("no window further up sees the pixel", 2, _is_first_window(0), overwritten=True),
            Condition("no window further to the left sees the pixel", 2, _is_first_window(1), overwritten=True),
        ]
    for one, other, text in (
        ("i", "j", "i = j"),
        ("a", "b", "a = b"),
        ("r", "c", "r = c"),
        ("m", "o", "the channels are alike"),
    ):
        if {one, other} <= has:
            found.append(Condition(text, 3, lambda terms, one=one, other=other: terms.space.at[one] == terms.space.at[other]))
    if {"i", "j"} <= has:
        both = _both(
            lambda t: t.space.at["i"] % t.geometry.strides[0] == 0, lambda t: t.space.at["j"] % t.geometry.strides[1] == 0
        )
        found.append(Condition("both i and j are multiples of S, so S is counted twice", 2, both))
    for name in names:
        noun = NOUNS[name]
        if name in {"i", "j", "r", "c", "a", "b"}:
            found.append(Condition(f"{noun} is even", 4, _at(name, lambda at, size: at % 2 == 0)))
            found.append(Condition(f"{noun} is no edge", 3, _at(name, lambda at, size: (at > 0) & (at < size - 1))))
    if {"r", "c"} <= has:
        inside = _both(*(_at(name, lambda at, size: (at > 0) & (at < size - 1)) for name in ("r", "c")))
        found.append(Condition("the pixel is not at the border of the image", 2, inside))
        found.append(Condition("the pixel is at the border of the image", 3, lambda terms: ~inside(terms)))
    if {"r", "i"} <= has and "a" in has:
        found += [
            Condition("the pixel's row is a multiple of S", 4, lambda t: t.space.at["r"] % t.geometry.strides[0] == 0),
            Condition("the pixel's column is a multiple of S", 4, lambda t: t.space.at["c"] % t.geometry.strides[1] == 0),
        ]
    return found


class _Bound(NamedTuple):
    """One side of the range of a coordinate, with a number that is found."""

    name: str
    end: bool

    def between(self, terms: Terms, mask: Array, among: Array) -> tuple[float, float, bool]:
        """The bounds (low, high] that leave exactly what is chosen on this side, and whether they cut anything."""
        at = terms.space.at[self.name]
        if self.end:
            last = at[mask].max()
            beyond = at[among & (at > last)]
            return float(last), float(beyond.min()) if len(beyond) else np.inf, bool(len(beyond))
        first = at[mask].min()
        before = at[among & (at < first)]
        return float(before.max()) if len(before) else -np.inf, float(first), bool(len(before))

    def sizes(self, terms: Terms) -> dict[str, int]:
        along = sizes_along(terms.geometry, 1 if self.name in _COLUMNS else 0)
        size = terms.space.size
        return {**along, "all": size[self.name], "other": size.get(_ACROSS.get(self.name, ""), -1)}


def _bounds(names: Sequence[str], terms: Sequence[Terms], among: Sequence[Array], chosen: Sequence[Array]) -> list[Condition]:
    """Ranges of single coordinates in which all chosen products lie, and not all of those among which they are chosen."""
    found = []
    for name in names:
        for end in (True, False):
            bound = _Bound(name, end)
            cases = [
                (bound.sizes(one), *bound.between(one, mask, whole))
                for one, mask, whole in zip(terms, chosen, among, strict=True)
                if mask.any()
            ]
            if not any(cuts for _, _, _, cuts in cases):
                continue
            accepted = [(sizes, lambda value, low=low, high=high: low < value <= high) for sizes, low, high, _ in cases]
            expression = first_that_fits((ENDS if end else STARTS)[1:], accepted)
            if expression is not None:
                found.append(_range(bound, expression))
    return found


def _range(bound: _Bound, expression: Expression) -> Condition:
    noun, name = NOUNS[bound.name], bound.name

    def holds(terms: Terms) -> Array:
        value = expression.of(bound.sizes(terms))
        at = terms.space.at[name]
        return at < value if bound.end else at >= value

    text, cause = _in_words(noun, name, expression, bound), _cause(name, expression, bound)
    return Condition(text, 1 + expression.cost, holds, cause=cause)


def _cause(name: str, expression: Expression, bound: _Bound) -> str:
    """What such a range comes of, said of its coordinate."""
    noun = NOUNS[name].removesuffix(f" {name}")
    if expression.text == "1":
        return f"only the first {noun} is used" if bound.end else f"the first {noun} is left out"
    if expression.text == "{all} − 1":
        return f"the last {noun} is left out" if bound.end else f"only the last {noun} is used"
    if expression.text == "{other}" and bound.end and name in _COUNTED_BY:
        return f"the {noun}s are counted by {_COUNTED_BY[name]}"
    return ""


_COUNTED_BY = {
    "i": "the number of output columns",
    "j": "the number of output rows",
    "r": "the width of the image, not its height",
    "c": "the height of the image, not its width",
    "a": "the width of the filter, not its height",
    "b": "the height of the filter, not its width",
    "m": "the number of output channels",
    "o": "the number of input channels",
}


def _in_words(noun: str, name: str, expression: Expression, bound: _Bound) -> str:
    if bound.end and expression.text == "1":
        return f"it is the first {noun}"
    if bound.end and expression.text == "{all} − 1":
        return f"it is not the last {noun}"
    if not bound.end and expression.text == "1":
        return f"it is not the first {noun}"
    if not bound.end and expression.text == "{all} − 1":
        return f"it is the last {noun}"
    letters = "N" if name in {"n", "n2"} else {"i": "O", "j": "O", "r": "H", "c": "H", "a": "F", "b": "F"}.get(name, "C")
    across = {
        "i": "the number of output columns",
        "j": "the number of output rows",
        "r": "the width",
        "c": "the height",
        "a": "the filter's width",
        "b": "the filter's height",
    }.get(name, "the number of the other channels")
    text = expression.text.format(all=letters, other=across)
    return f"{noun} < {text}" if bound.end else f"{noun} ≥ {text}"


class Explained(NamedTuple):
    """Why some products are there and others are not.

    Attributes:
        conditions: under which, all together, one is there; or is not.
        negated: they say which are not there.
    """

    conditions: tuple[Condition, ...]
    negated: bool

    def holds(self, terms: Terms) -> Array:
        """For every product, whether it is there."""
        together = np.logical_and.reduce([condition.holds(terms) for condition in self.conditions])
        return ~together if self.negated else together


def explain(
    terms: Sequence[Terms], among: Sequence[Array], chosen: Sequence[Array], more: Sequence[Condition] = ()
) -> Explained | None:
    """The simplest conditions that hold for exactly the chosen products, or exactly for those that are not.

    Args:
        terms: in every geometry.
        among: in every geometry, as a mask, the products in question.
        chosen: those of them that are there.
        more: further conditions to try.

    Returns:
        None where no condition fits, or all are chosen.
    """
    best: Explained | None = None
    lowest = 1000
    for negated in (False, True):
        wanted = [all_of_them & ~mask if negated else mask for all_of_them, mask in zip(among, chosen, strict=True)]
        found = _conjunction(terms, among, wanted, more)
        if found is not None:
            cost = sum(condition.cost for condition in found) + len(found) - 1 + negated * 0.5
            if cost < lowest:
                best, lowest = Explained(found, negated), cost
    return best


def _conjunction(
    terms: Sequence[Terms], among: Sequence[Array], wanted: Sequence[Array], more: Sequence[Condition]
) -> tuple[Condition, ...] | None:
    if not any(mask.any() for mask in wanted) or all((mask == whole).all() for mask, whole in zip(wanted, among, strict=True)):
        return None
    names = list(terms[0].space.at)
    candidates = [*more, *_fixed(names), *_bounds(names, terms, among, wanted)]
    held = []
    for condition in candidates:
        masks = [condition.holds(one) for one in terms]
        necessary = all((~mask | here).all() for mask, here in zip(wanted, masks, strict=True))
        cuts = any((whole & ~here).any() for whole, here in zip(among, masks, strict=True))
        if necessary and cuts:
            held.append((condition, masks))
    held.sort(key=lambda pair: pair[0].cost)
    return _fewest(held, among, wanted)


def _fewest(
    held: Sequence[tuple[Condition, list[Array]]], among: Sequence[Array], wanted: Sequence[Array]
) -> tuple[Condition, ...] | None:
    """The cheapest one, two or three conditions that together leave exactly what is wanted."""

    def left(masks: Sequence[list[Array]]) -> bool:
        for number, (whole, mask) in enumerate(zip(among, wanted, strict=True)):
            here = whole.copy()
            for one in masks:
                here &= one[number]
            if not np.array_equal(here, mask):
                return False
        return True

    singles = [pair for pair in held if left([pair[1]])]
    if singles:
        return (singles[0][0],)
    if not left([masks for _, masks in held]):
        return None
    chosen = list(held)
    # What is dear goes first, as long as the rest says the same.
    for pair in reversed(held):
        rest = [other for other in chosen if other is not pair]
        if rest and left([masks for _, masks in rest]):
            chosen = rest
    return tuple(condition for condition, _ in chosen) if len(chosen) <= _MOST else None
