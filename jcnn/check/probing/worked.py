"""One number of an output with its terms, and what is the matter with all of them, without the rule."""

from collections.abc import Sequence

import numpy as np

from jcnn.check.probing.plans import Plan
from jcnn.check.probing.spaces import COORDINATES, Terms
from jcnn.check.report import Operand, Term, Worked

Array = np.ndarray

_SHOWN = 4


def work_out(leaf: str, terms: Sequence[Terms], plan: Plan) -> Worked:
    """The first wrong number of an output in the smallest call in which there is one.

    Args:
        leaf: the output.
        terms: what it adds in every geometry; in one at least not what is right.
        plan: how it was probed.
    """
    one = min((one for one in terms if not one.agree), key=lambda one: len(one.got))
    result = plan.reads[leaf].array
    row = int(np.flatnonzero(_differ(one))[0])
    place = one.space.index_of(result, row)
    same = np.ones(len(one.got), bool)
    for name, value in zip(COORDINATES[result], place, strict=True):
        same &= one.space.at[name] == value
    names = _names(leaf, plan)
    got, right = (_terms(one, np.where(same, numbers, 0), leaf, plan) for numbers in (one.got, one.right))
    return Worked(
        leaf,
        _kept(place, plan, result),
        got,
        right,
        tuple(Operand(names[array], array, _kept(one.space.shape_of(array), plan, array)) for array in one.space.arrays),
        one.geometry.window if plan.spatial else None,
        one.geometry.strides,
        one.geometry.paddings,
        str(one.geometry),
    )


def in_words(worked: Worked) -> str:
    """The number, its terms and the right ones in a line."""
    got, right = map(_sum, (worked.got, worked.right))
    return f"{_entry(worked.leaf, worked.index)} = {got}; right is {right} ({worked.call})"


def what_is_the_matter(leaf: str, terms: Sequence[Terms]) -> str:
    """Whether terms are missing, or do not belong there, or are multiplied by a wrong number."""
    missing = any(((one.right != 0) & (one.got == 0)).any() for one in terms)
    foreign = any(((one.right == 0) & (one.got != 0)).any() for one in terms)
    both = [(one, (one.right != 0) & (one.got != 0)) for one in terms]
    weighed = any((_differ(one) & mask).any() for one, mask in both)
    said = {
        (True, False): "some of the terms that belong there are missing",
        (False, True): "terms are added that do not belong there",
        (True, True): "terms that belong there are missing, and there are others that do not",
    }.get((missing, foreign))
    parts = [said] if said else []
    if weighed:
        parts.append("terms that belong there are multiplied by a wrong number")
    return f"of the products that {leaf} adds up, {'; besides, '.join(parts)}" if parts else ""


def _differ(terms: Terms) -> Array:
    return ~np.isclose(terms.got, terms.right, rtol=1e-9, atol=1e-12)


def _names(leaf: str, plan: Plan) -> dict[str, str]:
    """By array its name in the call; the output's own comes first."""
    return {**{of: name for name, of in plan.arguments.items()}, plan.reads[leaf].array: leaf}


def _terms(terms: Terms, numbers: Array, leaf: str, plan: Plan) -> tuple[Term, ...]:
    names = _names(leaf, plan)
    factors = [array for array in terms.space.arrays if array != plan.reads[leaf].array]
    return tuple(
        Term(
            float(numbers[row]),
            tuple((names[array], _kept(terms.space.index_of(array, int(row)), plan, array)) for array in factors),
        )
        for row in np.flatnonzero(numbers)
    )


def _kept(place: tuple[int, ...], plan: Plan, array: str) -> tuple[int, ...]:
    """Without the rows and columns where the operation has none."""
    if not plan.spatial and array != "bias":
        return (place[0], place[3]) if array in {"output", "image"} else place[2:]
    return place


def _sum(terms: Sequence[Term]) -> str:
    if not terms:
        return "0"
    more = f" + … ({len(terms)} terms)" if len(terms) > _SHOWN else ""
    return " + ".join(map(_product, terms[:_SHOWN])) + more


def _product(term: Term) -> str:
    product = "·".join(_entry(name, index) for name, index in term.factors)
    if term.coefficient in {1, -1}:
        return product if term.coefficient == 1 else f"−{product}"
    return f"{term.coefficient:.4g}·{product}"


def _entry(name: str, index: Sequence[int]) -> str:
    return f"{name}[{', '.join(map(str, index))}]"
