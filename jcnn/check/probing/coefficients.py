"""By what each product is multiplied that ought to be added as it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jcnn.check.probing.conditions import Explained, explain
from jcnn.check.probing.expressions import FACTORS, Expression, products, sizes_along
from jcnn.check.probing.spaces import Terms

Array = np.ndarray


class Factor(NamedTuple):
    """What multiplies products.

    Attributes:
        text: as a formula.
        value: for every product, where it is multiplied.
        where: under which conditions; None: everywhere.
    """

    text: str
    value: Callable[[Terms], Array]
    where: Explained | None = None

    def of(self, terms: Terms) -> Array:
        """What every product is multiplied by."""
        value = self.value(terms)
        return value if self.where is None else np.where(self.where.holds(terms), value, 1.0)


def _windows_over_a_pixel(terms: Terms) -> Array:
    """How many windows see the product's pixel."""
    count = np.ones(len(terms.space.at["r"]))
    for axis, pixel, output in ((0, "r", "i"), (1, "c", "j")):
        sizes = sizes_along(terms.geometry, axis)
        padded = terms.space.at[pixel] + sizes["P"]
        last = np.minimum(padded // sizes["S"], terms.space.size[output] - 1)
        first = np.maximum(-((sizes["F"] - 1 - padded) // sizes["S"]), 0)
        count *= np.maximum(last - first + 1, 1)
    return count


def _pixels_in_a_window(terms: Terms) -> Array:
    """How many pixels, not padding, the product's window sees."""
    count = np.ones(len(terms.space.at["i"]))
    for axis, pixel, output in ((0, "r", "i"), (1, "c", "j")):
        sizes = sizes_along(terms.geometry, axis)
        start = sizes["S"] * terms.space.at[output] - sizes["P"]
        size = terms.space.size.get(pixel, sizes["H"])
        count *= np.minimum(start + sizes["F"], size) - np.maximum(start, 0)
    return np.maximum(count, 1)


_COUNTED: tuple[tuple[str, Callable[[Terms], Array], set[str]], ...] = (
    ("1 / (the number of windows that see the pixel)", lambda terms: 1 / _windows_over_a_pixel(terms), {"r", "i"}),
    ("the number of windows that see the pixel", _windows_over_a_pixel, {"r", "i"}),
    ("1 / (the number of pixels in the window)", lambda terms: 1 / _pixels_in_a_window(terms), {"i"}),
    ("the number of pixels in the window", _pixels_in_a_window, {"i"}),
    (
        "(the number of pixels in the window) / (FH·FW)",
        lambda terms: _pixels_in_a_window(terms) / np.prod(terms.geometry.window),
        {"i"},
    ),
    (
        "FH·FW / (the number of pixels in the window)",
        lambda terms: np.prod(terms.geometry.window) / _pixels_in_a_window(terms),
        {"i"},
    ),
)


def explain_factors(terms: Sequence[Terms], present: Sequence[Array], ratios: Sequence[Array]) -> Factor | None:
    """The simplest factor that multiplies all the products that are there, or some under a condition.

    Args:
        terms: in every geometry.
        present: in every geometry, as a mask, the products that are there.
        ratios: of each the coefficient over the right one.
    """
    if (everywhere := _one(terms, present, ratios)) is not None:
        return everywhere
    for text, count, needs in _COUNTED:
        if needs <= set(terms[0].space.at) and all(
            _same(ratio[mask], count(one)[mask]) for one, mask, ratio in zip(terms, present, ratios, strict=True)
        ):
            return Factor(text, count)
    other = [mask & ~np.isclose(ratio, 1, rtol=1e-8) for mask, ratio in zip(present, ratios, strict=True)]
    somewhere = _one(terms, other, ratios)
    where = explain(terms, present, other)
    if somewhere is not None and where is not None:
        return somewhere._replace(where=where)
    return None


def _same(one: Array, other: Array) -> bool:
    return bool(np.allclose(one, other, rtol=1e-8, atol=0))


def _one(terms: Sequence[Terms], present: Sequence[Array], ratios: Sequence[Array]) -> Factor | None:
    """One formula that is every ratio of a geometry."""
    cases = []
    for one, mask, ratio in zip(terms, present, ratios, strict=True):
        here = ratio[mask]
        if not len(here):
            continue
        if np.ptp(here) > 1e-8 * abs(here[0]):
            return None
        cases.append((sizes_along(one.geometry, 0), float(here[0])))
    if not cases:
        return None
    for expression in sorted(FACTORS, key=lambda expression: expression.cost):
        if all(_close(expression, sizes, value) for sizes, value in cases):
            return _constant(expression.text, expression.of)
    if (product := _product(terms, cases)) is not None:
        return product
    alike = {round(value, 9) for _, value in cases}
    number = cases[0][1]
    return _constant(f"{number:.6g}", lambda _: number) if len(alike) == 1 else None


_ENOUGH = 5
"""In fewer geometries one formula or the other fits whatever comes."""

_FEWEST_VALUES = 3


def _product(terms: Sequence[Terms], cases: Sequence[tuple[Mapping[str, int], float]]) -> Factor | None:
    """Another coefficient in place of that of a mean, or besides; none where there are too few values to tell."""
    if len(cases) < _ENOUGH or len({round(value, 9) for _, value in cases}) < _FEWEST_VALUES:
        return None
    averages = all(np.allclose(one.right[one.right != 0], 1 / np.prod(one.geometry.window)) for one in terms)
    of_windows = averages and any(one.geometry.window != (1, 1) for one in terms)
    shares = [sizes["F"] * sizes["G"] if of_windows else 1 for sizes, _ in cases]
    for expression in products():
        if all(_close(expression, sizes, value / share) for (sizes, value), share in zip(cases, shares, strict=True)):
            if not of_windows:
                return _constant(expression.text, expression.of)
            text = f"{expression.text.replace('C_in', 'C')} where 1/(FH·FW) is right"
            return _constant(text, lambda sizes, share=expression: share.of(sizes) * sizes["F"] * sizes["G"])
    return None


def _constant(text: str, of: Callable[[dict[str, int]], float]) -> Factor:
    return Factor(text, lambda terms: np.full(len(terms.got), of(sizes_along(terms.geometry, 0))))


def _close(expression: Expression, sizes: Mapping[str, int], value: float) -> bool:
    return abs(expression.of(sizes) - value) <= 1e-8 * abs(value)
