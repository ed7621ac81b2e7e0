"""Numbers that belong to a geometry, under the names that a formula has for them."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from jcnn.check.probing.geometries import Geometry

Sizes = Mapping[str, int]


class Expression(NamedTuple):
    """A formula in the sizes of a call.

    Attributes:
        text: as it is printed.
        value: its value; along one axis, whose sizes are H, F, O of its own and W, G, Q of the other.
        cost: how far-fetched it is; the right one costs nothing.
    """

    text: str
    value: Callable[[Sizes], float]
    cost: int = 1

    def of(self, sizes: Sizes) -> float:
        """Its value, NaN where it has none."""
        try:
            return float(self.value(sizes))
        except ZeroDivisionError:
            return float("nan")


def sizes_along(geometry: Geometry, axis: int) -> dict[str, int]:
    """The sizes along the rows (axis 0) or the columns (axis 1), by the letters of the formulas.

    H, F, O, S, P: pixels, taps, outputs, stride and padding along this axis; W, G, Q, T, R along the other; N: examples; C, K:
    input and output channels.
    """
    pixels = (geometry.height, geometry.width)
    outputs = (geometry.rows, geometry.columns)
    return {
        "H": pixels[axis],
        "W": pixels[1 - axis],
        "F": geometry.window[axis],
        "G": geometry.window[1 - axis],
        "O": outputs[axis],
        "Q": outputs[1 - axis],
        "S": geometry.strides[axis],
        "P": geometry.paddings[axis],
        "T": geometry.strides[1 - axis],
        "R": geometry.paddings[1 - axis],
        "N": geometry.examples,
        "C": geometry.inputs,
        "K": geometry.outputs,
    }


STEPS = (
    Expression("S", lambda s: s["S"], 0),
    Expression("1", lambda s: 1),
    Expression("(S of the other axis)", lambda s: s["T"], 2),
    Expression("(S + 1)", lambda s: s["S"] + 1, 2),
    Expression("(S − 1)", lambda s: s["S"] - 1, 3),
    Expression("2·S", lambda s: 2 * s["S"], 2),
    Expression("S·S", lambda s: s["S"] ** 2, 3),
    Expression("F", lambda s: s["F"], 2),
    Expression("0", lambda s: 0, 2),
    Expression("2", lambda s: 2, 3),
    Expression("S // 2", lambda s: s["S"] // 2, 4),
    Expression("−S", lambda s: -s["S"], 3),
    Expression("P", lambda s: s["P"], 4),
    Expression("G", lambda s: s["G"], 4),
)
"""What is multiplied by the output's number."""

TAPS = (
    Expression("1", lambda s: 1, 0),
    Expression("−1", lambda s: -1),
    Expression("0", lambda s: 0, 2),
    Expression("S", lambda s: s["S"], 2),
    Expression("2", lambda s: 2, 2),
    Expression("−S", lambda s: -s["S"], 3),
)
"""What is multiplied by the tap's number."""

OFFSETS = (
    Expression("− P", lambda s: -s["P"], 0),
    Expression("", lambda s: 0, 1),
    Expression("+ F − 1 − P", lambda s: s["F"] - 1 - s["P"], 1),
    Expression("− (P of the other axis)", lambda s: -s["R"], 1),
    Expression("− P + 1", lambda s: 1 - s["P"], 2),
    Expression("− P − 1", lambda s: -1 - s["P"], 2),
    Expression("+ 1", lambda s: 1, 2),
    Expression("− 1", lambda s: -1, 2),
    Expression("+ P", lambda s: s["P"], 2),
    Expression("+ F − 1", lambda s: s["F"] - 1, 2),
    Expression("+ F − P", lambda s: s["F"] - s["P"], 3),
    Expression("− 2·P", lambda s: -2 * s["P"], 2),
    Expression("− F // 2", lambda s: -(s["F"] // 2), 2),
    Expression("− (F − 1) // 2", lambda s: -((s["F"] - 1) // 2), 3),
    Expression("+ F − 1 − 2·P", lambda s: s["F"] - 1 - 2 * s["P"], 3),
    Expression("− (F − 1)", lambda s: 1 - s["F"], 3),
    Expression("− F", lambda s: -s["F"], 3),
    Expression("+ F − 2 − P", lambda s: s["F"] - 2 - s["P"], 3),
    Expression("+ F", lambda s: s["F"], 4),
    Expression("− S", lambda s: -s["S"], 3),
    Expression("+ S", lambda s: s["S"], 3),
    Expression("− P // 2", lambda s: -(s["P"] // 2), 3),
    Expression("− P·S", lambda s: -s["P"] * s["S"], 3),
    Expression("− P + S", lambda s: -s["P"] + s["S"], 4),
    Expression("− P − S", lambda s: -s["P"] - s["S"], 4),
    Expression("− P + S − 1", lambda s: -s["P"] + s["S"] - 1, 4),
    Expression("− P − S + 1", lambda s: -s["P"] - s["S"] + 1, 4),
    Expression("− P + 2", lambda s: 2 - s["P"], 4),
    Expression("− P − 2", lambda s: -2 - s["P"], 4),
    Expression("+ H − 1 + P − F + 1 − S·(O − 1)", lambda s: s["H"] + s["P"] - s["F"] - s["S"] * (s["O"] - 1), 5),
    Expression("+ H − F", lambda s: s["H"] - s["F"], 4),
    Expression("+ S·(O − 1) − P", lambda s: s["S"] * (s["O"] - 1) - s["P"], 2),
)
"""What is added."""

EXTENTS = (
    Expression("F", lambda s: s["F"], 0),
    Expression("F − 1", lambda s: s["F"] - 1, 1),
    Expression("F + 1", lambda s: s["F"] + 1, 1),
    Expression("1", lambda s: 1, 2),
    Expression("S", lambda s: s["S"], 2),
    Expression("G", lambda s: s["G"], 2),
    Expression("2", lambda s: 2, 3),
    Expression("O", lambda s: s["O"], 3),
    Expression("Q", lambda s: s["Q"], 3),
    Expression("F + P", lambda s: s["F"] + s["P"], 3),
    Expression("F − P", lambda s: s["F"] - s["P"], 3),
)
"""How many taps a window has."""

ENDS = (
    Expression("{all}", lambda s: s["all"], 0),
    Expression("{all} − 1", lambda s: s["all"] - 1),
    Expression("1", lambda s: 1),
    Expression("{other}", lambda s: s["other"], 2),
    Expression("{all} − 2", lambda s: s["all"] - 2, 2),
    Expression("2", lambda s: 2, 3),
    Expression("S", lambda s: s["S"], 3),
    Expression("F", lambda s: s["F"], 3),
    Expression("O", lambda s: s["O"], 3),
    Expression("(H − F) // S + 1", lambda s: (s["H"] - s["F"]) // s["S"] + 1, 3),
    Expression("(H − F) // S", lambda s: (s["H"] - s["F"]) // s["S"], 4),
    Expression(
        "(H + 2·P − F) / S, so the window that ends exactly at the border is left out",
        lambda s: -(-(s["H"] + 2 * s["P"] - s["F"]) // s["S"]),
        2,
    ),
    Expression("H // S", lambda s: s["H"] // s["S"], 4),
    Expression("H − F + 1", lambda s: s["H"] - s["F"] + 1, 4),
    Expression("H − F", lambda s: s["H"] - s["F"], 4),
    Expression("O // S", lambda s: s["O"] // s["S"], 4),
    Expression("{all} − P", lambda s: s["all"] - s["P"], 4),
    Expression("H − P", lambda s: s["H"] - s["P"], 4),
    Expression("{all} // 2", lambda s: s["all"] // 2, 4),
    Expression("S·(O − 1) + F − P", lambda s: s["S"] * (s["O"] - 1) + s["F"] - s["P"], 4),
    Expression("S·O − P", lambda s: s["S"] * s["O"] - s["P"], 4),
    Expression("C", lambda s: s["C"], 4),
    Expression("K", lambda s: s["K"], 4),
    Expression("N", lambda s: s["N"], 4),
)
"""Up to where, exclusive, something counts."""

STARTS = (
    Expression("0", lambda s: 0, 0),
    Expression("1", lambda s: 1),
    Expression("{all} − 1", lambda s: s["all"] - 1),
    Expression("2", lambda s: 2, 2),
    Expression("{other}", lambda s: s["other"], 3),
    Expression("P", lambda s: s["P"], 2),
    Expression("S", lambda s: s["S"], 3),
    Expression("F", lambda s: s["F"], 3),
    Expression("F − 1", lambda s: s["F"] - 1, 3),
    Expression("{all} − 2", lambda s: s["all"] - 2, 3),
    Expression("H − F", lambda s: s["H"] - s["F"], 4),
    Expression("(H − F) // S + 1", lambda s: (s["H"] - s["F"]) // s["S"] + 1, 3),
    Expression("H // S", lambda s: s["H"] // s["S"], 4),
    Expression("H − P", lambda s: s["H"] - s["P"], 4),
    Expression("P + 1", lambda s: s["P"] + 1, 4),
    Expression("F // 2", lambda s: s["F"] // 2, 4),
)
"""From where on."""

FACTORS = (
    Expression("1", lambda s: 1, 0),
    Expression("−1", lambda s: -1),
    Expression("2", lambda s: 2),
    Expression("1/2", lambda s: 1 / 2),
    Expression("1/N", lambda s: 1 / s["N"]),
    Expression("N", lambda s: s["N"]),
    Expression("1/(OH·OW)", lambda s: 1 / (s["O"] * s["Q"])),
    Expression("OH·OW", lambda s: s["O"] * s["Q"], 2),
    Expression("1/(N·OH·OW)", lambda s: 1 / (s["N"] * s["O"] * s["Q"])),
    Expression("N·OH·OW", lambda s: s["N"] * s["O"] * s["Q"], 2),
    Expression("1/(FH·FW)", lambda s: 1 / (s["F"] * s["G"])),
    Expression("FH·FW", lambda s: s["F"] * s["G"]),
    Expression("1/S", lambda s: 1 / s["S"]),
    Expression("S", lambda s: s["S"]),
    Expression("1/S²", lambda s: 1 / (s["S"] * s["T"])),
    Expression("S²", lambda s: s["S"] * s["T"]),
    Expression("1/C_in", lambda s: 1 / s["C"]),
    Expression("C_in", lambda s: s["C"]),
    Expression("1/C_out", lambda s: 1 / s["K"]),
    Expression("C_out", lambda s: s["K"]),
    Expression("1/(H·W)", lambda s: 1 / (s["H"] * s["W"]), 2),
    Expression("H·W", lambda s: s["H"] * s["W"], 2),
    Expression("1/(FH·FW·C_in)", lambda s: 1 / (s["F"] * s["G"] * s["C"]), 2),
    Expression("1/(N·C_out)", lambda s: 1 / (s["N"] * s["K"]), 2),
    Expression("1/(N·C_in)", lambda s: 1 / (s["N"] * s["C"]), 2),
    Expression("1/FH", lambda s: 1 / s["F"], 2),
    Expression("1/FW", lambda s: 1 / s["G"], 2),
    Expression("FH", lambda s: s["F"], 3),
    Expression("FW", lambda s: s["G"], 3),
    Expression("1/FH²", lambda s: 1 / s["F"] ** 2, 3),
    Expression("1/FW²", lambda s: 1 / s["G"] ** 2, 3),
    Expression("−1/N", lambda s: -1 / s["N"], 2),
    Expression("3", lambda s: 3, 3),
    Expression("1/3", lambda s: 1 / 3, 3),
    Expression("1/OH", lambda s: 1 / s["O"], 3),
    Expression("1/OW", lambda s: 1 / s["Q"], 3),
    Expression("OH", lambda s: s["O"], 3),
    Expression("OW", lambda s: s["Q"], 3),
)
"""By what a term may be multiplied."""

_ATOMS: dict[str, tuple[Callable[[Sizes], float], int]] = {
    "F": (lambda s: s["F"] if s["F"] == s["G"] else math.nan, 2),
    "S": (lambda s: s["S"] if s["S"] == s["T"] else math.nan, 2),
    "FH": (lambda s: s["F"], 3),
    "FW": (lambda s: s["G"], 3),
    "N": (lambda s: s["N"], 3),
    "C_in": (lambda s: s["C"], 3),
    "C_out": (lambda s: s["K"], 3),
    "H": (lambda s: s["H"], 4),
    "W": (lambda s: s["W"], 4),
    "OH": (lambda s: s["O"], 4),
    "OW": (lambda s: s["Q"], 4),
    "(FH + FW)": (lambda s: s["F"] + s["G"], 5),
    "(F − 1)": (lambda s: s["F"] - 1 if s["F"] == s["G"] else math.nan, 5),
    "(F + 1)": (lambda s: s["F"] + 1 if s["F"] == s["G"] else math.nan, 5),
    "(FH + 2·P)": (lambda s: s["F"] + 2 * s["P"], 6),
    "(FW + 2·P)": (lambda s: s["G"] + 2 * s["R"], 6),
    "2": (lambda s: 2, 4),
}
"""Of what products are made, and how far-fetched each is."""


def _product(names: Sequence[str], sizes: Sizes) -> float:
    return math.prod(_ATOMS[name][0](sizes) for name in names)


def _product_text(names: Sequence[str]) -> str:
    """FH·FW, S²."""
    powers = {1: "", 2: "²", 3: "³"}
    return "·".join(f"{name}{powers[names.count(name)]}" for name in dict.fromkeys(names)) or "1"


@lru_cache(maxsize=1)
def products() -> tuple[Expression, ...]:
    """What a coefficient may be that is none of the usual ones, the simplest first: quotients of up to three sizes."""
    found = []
    for below in (names for count in range(4) for names in itertools.combinations_with_replacement(_ATOMS, count)):
        for above in ((), *((name,) for name in _ATOMS), ("FH", "FW")):
            if set(above) & set(below) or not above + below or len(above + below) > 3:
                continue
            denominator = _product_text(below)
            under = "" if not below else f"/({denominator})" if len(set(below)) > 1 else f"/{denominator}"
            cost = sum(_ATOMS[name][1] for name in below) + sum(_ATOMS[name][1] + 1 for name in above)
            found.append(
                Expression(
                    f"{_product_text(above)}{under}",
                    lambda s, above=above, below=below: _product(above, s) / _product(below, s),
                    cost,
                )
            )
    return tuple(sorted(found, key=lambda expression: expression.cost))


def first_that_fits(
    expressions: Sequence[Expression], cases: Sequence[tuple[Sizes, Callable[[float], bool]]]
) -> Expression | None:
    """The simplest whose value every case accepts."""
    for expression in sorted(expressions, key=lambda expression: expression.cost):
        if all(accepts(expression.of(sizes)) for sizes, accepts in cases):
            return expression
    return None
