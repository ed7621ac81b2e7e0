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
        text: "multiplied by" or "divided by", and a formula.
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
    ("divided by the number of windows that see the pixel", lambda terms: 1 / _windows_over_a_pixel(terms), {"r", "i"}),
    ("multiplied by the number of windows that see the pixel", _windows_over_a_pixel, {"r", "i"}),
    ("divided by the number of pixels in the window", lambda terms: 1 / _pixels_in_a_window(terms), {"i"}),
    ("multiplied by the number of pixels in the window", _pixels_in_a_window, {"i"}),
    (
        "multiplied by (the number of pixels in the window) / (FH·FW)",
        lambda terms: _pixels_in_a_window(terms) / np.prod(terms.geometry.window),
        {"i"},
    ),
    (
        "multiplied by FH·FW / (the number of pixels in the window)",
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
    """One formula that is every ratio of a geometry; of a mean, one that is every coefficient."""
    cases, means = _cases(terms, present, ratios), _averages(terms)
    if cases and (plain := _first(_PLAIN if means else FACTORS, cases)) is not None:
        return _constant(_said(plain.text, means=means), plain.of)
    if means and (share := _share(terms, present)) is not None:
        return share
    if not cases:
        return None
    if means and (factor := _first(FACTORS, cases)) is not None:
        return _constant(_said(factor.text, means=means), factor.of)
    if _tells(cases) and (product := _first(products(), cases)) is not None:
        return _constant(_said(product.text, means=means), product.of)
    number = cases[0][1]
    alike = {round(value, 9) for _, value in cases}
    return _constant(f"multiplied by {number:.6g}", lambda _: number) if len(alike) == 1 else None


_Cases = list[tuple[Mapping[str, int], float]]

_PLAIN = [one for one in FACTORS if not set("FHWO").intersection(one.text)]
"""Of a mean, what it is besides multiplied by; in the others the size may stand for one that it is divided by."""

_ENOUGH = 5
"""In fewer geometries one formula or the other fits whatever comes."""

_FEWEST_VALUES = 3


def _tells(cases: _Cases) -> bool:
    return len(cases) >= _ENOUGH and len({round(value, 9) for _, value in cases}) >= _FEWEST_VALUES


def _cases(terms: Sequence[Terms], present: Sequence[Array], values: Sequence[Array]) -> _Cases:
    """The one value of each geometry, with its sizes; none where one has several."""
    cases = []
    for one, mask, value in zip(terms, present, values, strict=True):
        here = value[mask]
        if not len(here):
            continue
        if np.ptp(here) > 1e-8 * abs(here[0]):
            return []
        cases.append((sizes_along(one.geometry, 0), float(here[0])))
    return cases


def _first(expressions: Sequence[Expression], cases: _Cases) -> Expression | None:
    """The simplest formula that is the value of every geometry."""
    for expression in sorted(expressions, key=lambda expression: expression.cost):
        if all(_close(expression, sizes, value) for sizes, value in cases):
            return expression
    return None


def _averages(terms: Sequence[Terms]) -> bool:
    """Whether a mean over windows is right."""
    pooled = set(terms[0].space.arrays) == {"output", "image"}
    return pooled and any(np.any((one.right != 0) & (one.right != 1)) for one in terms)


def _share(terms: Sequence[Terms], present: Sequence[Array]) -> Factor | None:
    """Another divisor in place of the number of pixels; none where there are too few values to tell."""
    cases = _cases(terms, present, [one.got for one in terms])
    if not _tells(cases) or (share := _first(products(), cases)) is None:
        return None
    right = "FH·FW is right" if _counts_taps(terms) else "the number of pixels in the window is right"
    text = _said(share.text, means=True)
    if text.startswith("multiplied"):
        right = "1/(FH·FW) is right" if _counts_taps(terms) else "1 / (the number of pixels in the window) is right"

    def value(one: Terms) -> Array:
        of = share.of(sizes_along(one.geometry, 0))
        return np.divide(of, one.right, out=np.full_like(one.right, of), where=one.right != 0)

    return Factor(f"{text} where {right}", value)


def _counts_taps(terms: Sequence[Terms]) -> bool:
    """Whether every window has all its pixels in the image."""
    return all(np.allclose(one.right[one.right != 0], 1 / np.prod(one.geometry.window)) for one in terms)


def _said(text: str, *, means: bool) -> str:
    """A factor 1/N divides by N. Where channels are kept there is one number of them."""
    text = text.replace("C_in", "C").replace("C_out", "C") if means else text
    if text.startswith("1/"):
        below = text.removeprefix("1/")
        whole = below.startswith("(") and below.index(")") == len(below) - 1
        return f"divided by {below[1:-1] if whole else below}"
    return f"multiplied by {text}"


def _constant(text: str, of: Callable[[dict[str, int]], float]) -> Factor:
    return Factor(text, lambda terms: np.full(len(terms.got), of(sizes_along(terms.geometry, 0))))


def _close(expression: Expression, sizes: Mapping[str, int], value: float) -> bool:
    return abs(expression.of(sizes) - value) <= 1e-8 * abs(value)
