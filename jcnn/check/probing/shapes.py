"""A wrong shape, explained by the formula that it follows."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jcnn.check.probing.expressions import Expression, Sizes, first_that_fits, sizes_along
from jcnn.check.probing.geometries import Geometry
from jcnn.check.probing.spaces import COORDINATES

LENGTHS = (
    Expression("H", lambda s: s["H"]),
    Expression("H + 2·P, the padding is not cut off", lambda s: s["H"] + 2 * s["P"]),
    Expression(
        "(O − 1)·S + F − 2·P, without the pixels that no window reaches", lambda s: (s["O"] - 1) * s["S"] + s["F"] - 2 * s["P"]
    ),
    Expression("(O − 1)·S + F, as far as the windows reach, with the padding", lambda s: (s["O"] - 1) * s["S"] + s["F"]),
    Expression("O", lambda s: s["O"]),
    Expression("O + 1, one position too many", lambda s: s["O"] + 1),
    Expression("O − 1, one position too few", lambda s: s["O"] - 1),
    Expression("(H + 2·P − F) // S, the + 1 is missing", lambda s: (s["H"] + 2 * s["P"] - s["F"]) // s["S"]),
    Expression("(H − F) // S + 1, the padding is not counted", lambda s: (s["H"] - s["F"]) // s["S"] + 1),
    Expression(
        "(H + P − F) // S + 1, the padding is counted once and lies on both sides",
        lambda s: (s["H"] + s["P"] - s["F"]) // s["S"] + 1,
    ),
    Expression("H + 2·P − F + 1, the stride is not counted", lambda s: s["H"] + 2 * s["P"] - s["F"] + 1),
    Expression("⌈(H + 2·P − F) / S⌉ + 1, rounded up", lambda s: -(-(s["H"] + 2 * s["P"] - s["F"]) // s["S"]) + 1),
    Expression("O of the other axis", lambda s: s["Q"]),
    Expression("H of the other axis", lambda s: s["W"]),
    Expression("F of the other axis", lambda s: s["G"]),
    Expression("F", lambda s: s["F"]),
    Expression("(O − 1)·S + G − 2·P", lambda s: (s["O"] - 1) * s["S"] + s["G"] - 2 * s["P"]),
    Expression("(O − 1)·S + F − P", lambda s: (s["O"] - 1) * s["S"] + s["F"] - s["P"]),
    Expression("H + P", lambda s: s["H"] + s["P"]),
    Expression("H − 2·P", lambda s: max(s["H"] - 2 * s["P"], 0)),
    Expression("0 where P = 0, as a slice [P:−P] is empty then", lambda s: s["H"] if s["P"] else 0),
    Expression("1", lambda s: 1),
    Expression("N", lambda s: s["N"]),
    Expression("C, the input channels", lambda s: s["C"]),
    Expression("K, the output channels", lambda s: s["K"]),
    Expression("H // S", lambda s: s["H"] // s["S"]),
    Expression("H − F + 1", lambda s: s["H"] - s["F"] + 1),
    Expression("H·W", lambda s: s["H"] * s["W"]),
    Expression("O·Q", lambda s: s["O"] * s["Q"]),
)
"""What an axis may be as long as; along an axis H, F and O are its own pixels, taps and outputs, W, G and Q the other's."""

_OTHER = {letter: f"({own} of the other axis)" for letter, own in zip("WGQTR", "HFOSP", strict=True)}


def _counted(pixels: str, taps: str, stride: str, padding: str, sides: int, added: int) -> Expression:
    """A number of outputs, (pixels + sides · padding − taps) // stride + added."""
    letters = {name: _OTHER.get(name, name) for name in (pixels, taps, stride, padding)}
    padded = {0: "", 1: f" + {letters[padding]}", 2: f" + 2·{letters[padding]}"}[sides]
    rest = f" + {added}" if added else ""
    differs = (pixels != "H") + (taps != "F") + (stride != "S") + (padding != "P") + (sides != 2) + (added != 1)
    return Expression(
        f"({letters[pixels]}{padded} − {letters[taps]}) // {letters[stride]}{rest}, where (H + 2·P − F) // S + 1 is right",
        lambda s: (s[pixels] + sides * s[padding] - s[taps]) // s[stride] + added,
        2 + differs,
    )


COUNTS = tuple(
    _counted(pixels, taps, stride, padding, sides, added)
    for pixels, taps, stride in itertools.product("HW", "FG", "ST")
    for padding, sides in (("P", 0), ("P", 1), ("P", 2), ("R", 1), ("R", 2))
    for added in (0, 1, 2)
)
"""What is made of the number of outputs by exchanged axes and slips of one, tried after the others."""


def _rounded_up(s: Sizes) -> int:
    count = -(-(s["H"] + 2 * s["P"] - s["F"]) // s["S"]) + 1
    return count - ((count - 1) * s["S"] >= s["H"] + s["P"])


def _always(half: str, of: Callable[[Sizes], int]) -> Expression:
    text = f"(H + 2·({half}) − F) // S + 1: the padding is {half}, whatever P is"
    return Expression(text, lambda s: (s["H"] + 2 * of(s) - s["F"]) // s["S"] + 1, 3)


def _if_padded(half: str, of: Callable[[Sizes], int]) -> Expression:
    text = f"(H + 2·({half}) − F) // S + 1 where P > 0: any padding is taken as {half}"
    return Expression(text, lambda s: (s["H"] + 2 * of(s) - s["F"]) // s["S"] + 1 if s["P"] else s["O"], 3)


_HALVES: tuple[tuple[str, Callable[[Sizes], int]], ...] = (
    ("F // 2", lambda s: s["F"] // 2),
    ("(F − 1) // 2", lambda s: (s["F"] - 1) // 2),
)
_BEHIND = "⌈(H + 2·P − F) / S⌉ + 1, rounded up, less a window that would begin behind the image"

SAME = (
    Expression('⌈H / S⌉, as with padding="SAME", whatever P is', lambda s: -(-s["H"] // s["S"]), 2),
    Expression('⌈H / S⌉ where P > 0: any padding is taken as "SAME"', lambda s: -(-s["H"] // s["S"]) if s["P"] else s["O"], 2),
    *(made(half, of) for made in (_always, _if_padded) for half, of in _HALVES),
    Expression("(H + 2 − F) // S + 1: the padding is always 1", lambda s: (s["H"] + 2 - s["F"]) // s["S"] + 1, 3),
    Expression("⌈(H + 2·P) / S⌉, F is not counted", lambda s: -(-(s["H"] + 2 * s["P"]) // s["S"]), 5),
    Expression("(H + 2·P) // S, F is not counted", lambda s: (s["H"] + 2 * s["P"]) // s["S"], 5),
    Expression(
        "⌈(H + 2·P − F) / S⌉, rounded up, the + 1 is missing", lambda s: -(-(s["H"] + 2 * s["P"] - s["F"]) // s["S"]), 5
    ),
    Expression("⌈(H − F) / S⌉ + 1, rounded up, the padding is not counted", lambda s: -(-(s["H"] - s["F"]) // s["S"]) + 1, 5),
    Expression(_BEHIND, _rounded_up, 5),
    Expression(
        "round((H + 2·P − F) / S) + 1, rounded to the nearest", lambda s: round((s["H"] + 2 * s["P"] - s["F"]) / s["S"]) + 1, 6
    ),
)
"""What is made of the number of outputs by a padding that is taken as another one, or by rounding."""

_STRETCHED = (
    ("(O − 1)·S + 1", "dy with S − 1 zeros between its numbers", lambda s: (s["O"] - 1) * s["S"] + 1),
    (
        "(H + 2·P − F + 1)",
        "dy with S − 1 zeros between its numbers and the rest that the stride leaves behind them",
        lambda s: s["H"] + 2 * s["P"] - s["F"] + 1,
    ),
    ("O", "dy as it is, without S − 1 zeros between its numbers", lambda s: s["O"]),
    ("O·S", "dy with S − 1 zeros behind each number, the last one too", lambda s: s["O"] * s["S"]),
)
_PADDED = (
    ("P", lambda s: s["P"]),
    ("0", lambda s: 0),
    ("F − 1 − P", lambda s: s["F"] - 1 - s["P"]),
    ("F − 1", lambda s: s["F"] - 1),
    ("F", lambda s: s["F"]),
    ("F − P", lambda s: s["F"] - s["P"]),
    ("F // 2", lambda s: s["F"] // 2),
    ("(F − 1) // 2", lambda s: (s["F"] - 1) // 2),
)


def _transposed(number: int, stretched: int) -> Expression:
    """How long dx comes out of a convolution of dy, stretched and padded, with the filter."""
    (base, how, length), (padding, sides) = _STRETCHED[stretched], _PADDED[number]
    padded = {"P": " + 2·P", "0": "", "F": " + 2·F"}.get(padding, f" + 2·({padding})")
    wrong = padding != "F − 1 − P"
    text = f"{base}{padded} − F + 1, as of a convolution of {how}, padded with {padding} on each side"
    return Expression(
        f"{text}, where F − 1 − P is right" if wrong else text,
        lambda s: max(length(s) + 2 * sides(s) - s["F"] + 1, 0),
        2 + number + stretched,
    )


TRANSPOSED = (
    *(_transposed(number, stretched) for number in range(len(_PADDED)) for stretched in range(len(_STRETCHED))),
    Expression(
        "O·F, each number of dy repeated F times (np.repeat): right only where S = F, P = 0 and no pixel is left over",
        lambda s: s["O"] * s["F"],
        2,
    ),
    Expression("O·F − 2·P, each number of dy repeated F times (np.repeat)", lambda s: s["O"] * s["F"] - 2 * s["P"], 3),
    Expression(
        "O·S, each number of dy repeated S times (np.repeat): right only where S = F, P = 0 and no pixel is left over",
        lambda s: s["O"] * s["S"],
        2,
    ),
    Expression("O·S − 2·P, each number of dy repeated S times (np.repeat)", lambda s: s["O"] * s["S"] - 2 * s["P"], 3),
)
"""What dx may be as long as, tried after the others."""

CORRELATED = (
    Expression(
        "H + 2·P − (O − 1)·S, F and the pixels that the stride leaves over: these are to be cut off x",
        lambda s: s["H"] + 2 * s["P"] - (s["O"] - 1) * s["S"],
        2,
    ),
    Expression("H − (O − 1)·S, x is not padded", lambda s: max(s["H"] - (s["O"] - 1) * s["S"], 0), 3),
    Expression("H + 2·P − O + 1, dy has no S − 1 zeros between its numbers", lambda s: s["H"] + 2 * s["P"] - s["O"] + 1, 3),
    Expression("H − O + 1, x is not padded and dy not stretched", lambda s: max(s["H"] - s["O"] + 1, 0), 4),
)
"""What dw may be as long as, of a convolution of x with dy, tried after the others."""

_MORE = {"output": (*SAME, *COUNTS), "image": TRANSPOSED, "filter": CORRELATED}

_AXES = {
    "output": ("examples", "rows", "columns", "channels"),
    "image": ("examples", "rows", "columns", "channels"),
    "filter": ("rows", "columns", "input channels", "output channels"),
    "bias": ("channels",),
}

Observed = tuple[Geometry, tuple[int, ...], tuple[int, ...]]


class ShapeRule(NamedTuple):
    """The formula that the shape of an output follows.

    Attributes:
        array: which array it is.
        order: the axes of the right shape, in the order in which the output has them.
        lengths: by axis another length than the right one; along the rows or the columns.
    """

    array: str
    order: tuple[int, ...]
    lengths: tuple[tuple[int, int, Expression], ...] = ()

    def shape(self, geometry: Geometry, right: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in a call, from the right one."""
        lengths = list(right)
        for axis, along, expression in self.lengths:
            lengths[axis] = round(expression.of(sizes_along(geometry, along)))
        return tuple(lengths[axis] for axis in self.order)


def explain_shape(leaf: str, array: str, observed: Sequence[Observed]) -> tuple[str, ShapeRule | None]:
    """A sentence on the shapes of an output, at least one of which is wrong, and the formula; None where none is found.

    Args:
        leaf: the output.
        array: which array it is.
        observed: (geometry, its shape, the right shape).
    """
    geometry, got, right = next(entry for entry in observed if entry[1] != entry[2])
    seen = f"{leaf} has shape {got} where {right} is right ({geometry})"
    if len(got) != len(right):
        return f"{seen}: {_other_rank(got, right)}.", None
    if len(_AXES[array]) != len(right):
        return f"{seen}.", None
    if sorted(got) == sorted(right) and all(sorted(one) == sorted(other) for _, one, other in observed):
        order = _order(observed)
        if order is not None:
            named = ", ".join(_AXES[array][axis] for axis in order)
            return f"{seen}: its axes are in the order ({named}).", ShapeRule(array, order)
    found, lengths, complete = [], [], True
    wrong = [axis for axis in range(len(right)) if any(one[axis] != other[axis] for _, one, other in observed)]
    number_of = {axis: 1 if COORDINATES[array][axis] in {"j", "c", "b"} else 0 for axis in wrong}
    cases_of: dict[int, list[tuple[Sizes, Callable[[float], bool]]]] = {
        axis: [(sizes_along(one, number_of[axis]), lambda value, here=shape[axis]: value == here) for one, shape, _ in observed]
        for axis in wrong
    }
    expressions = LENGTHS + _MORE.get(array, ())
    # One formula for rows and columns says more than one for each.
    common = first_that_fits(expressions, [case for cases in cases_of.values() for case in cases])
    for axis in wrong:
        name, number = _AXES[array][axis], number_of[axis]
        expression = common or first_that_fits(expressions, cases_of[axis])
        if expression is None:
            complete = False
            continue
        same = [number for number, text in enumerate(found) if text.endswith(f" is {expression.text}")]
        if same:
            found[same[0]] += f" (that of {name} likewise)"
        else:
            found.append(f"the number of {name} is {expression.text}")
        lengths.append((axis, number, expression))
    sentence = f"{seen}: {'; '.join(found)}." if found else f"{seen}."
    return sentence, ShapeRule(array, tuple(range(len(right))), tuple(lengths)) if complete else None


def _order(observed: Sequence[Observed]) -> tuple[int, ...] | None:
    """One exchange of axes that gives every shape."""
    for order in itertools.permutations(range(len(observed[0][1]))):
        if all(one == tuple(other[axis] for axis in order) for _, one, other in observed):
            return order
    return None


def _other_rank(got: tuple[int, ...], right: tuple[int, ...]) -> str:
    axes = (
        f"it has {len(got)} {'axis' if len(got) == 1 else 'axes'} where {len(right)} {'is' if len(right) == 1 else 'are'} right"
    )
    if math.prod(got) == math.prod(right):
        return f"{axes}; all its numbers are there, and want the right shape"
    if len(got) > len(right):
        return f"{axes}; a sum over the rest is missing, or an axis kept"
    return f"{axes}; a sum goes over too many of them"
