"""Which number meets which: the simplest relation between their places that all products of a candidate satisfy."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jcnn.check.probing.expressions import EXTENTS, OFFSETS, STEPS, TAPS, Expression, sizes_along
from jcnn.check.probing.spaces import Terms

Array = np.ndarray
Test = Callable[[Terms], Array]


@dataclass(frozen=True)
class Relation:
    """A condition on a product.

    Attributes:
        about: what it joins: "rows", "columns", "examples", "input channels" or "output channels".
        text: as a formula.
        cost: how far it is from the right one, which costs nothing.
        holds: for every product, whether it is satisfied.
    """

    about: str
    text: str
    cost: int
    holds: Test


def _of(about: str, text: str, cost: int, test: Callable[[dict[str, Array], dict[str, int]], Array]) -> Relation:
    return Relation(about, text, cost, lambda terms: test(terms.space.at, terms.space.size))


EXAMPLES = (
    _of("examples", "each example meets itself", 0, lambda at, size: at["n2"] == at["n"]),
    _of("examples", "the first example's pixels, for all examples", 2, lambda at, size: at["n2"] == 0),
    _of("examples", "the last example's pixels, for all examples", 2, lambda at, size: at["n2"] == size["n2"] - 1),
    _of("examples", "the examples in reversed order", 2, lambda at, size: at["n2"] == size["n2"] - 1 - at["n"]),
    *(
        _of("examples", f"the number of the {noun} stands for that of the example of {side}", 3, test)
        for noun, side, test in (
            ("output row", "the images", lambda at, size: at["n2"] == at.get("i", -1)),
            ("output column", "the images", lambda at, size: at["n2"] == at.get("j", -1)),
            ("filter row", "the images", lambda at, size: at["n2"] == at.get("a", -1)),
            ("output channel", "the images", lambda at, size: at["n2"] == at.get("o", -1)),
            ("input channel", "the images", lambda at, size: at["n2"] == at.get("m", -1)),
            ("pixel row", "the outputs", lambda at, size: at["n"] == at.get("r", -1)),
            ("pixel column", "the outputs", lambda at, size: at["n"] == at.get("c", -1)),
            ("filter row", "the outputs", lambda at, size: at["n"] == at.get("a", -1)),
            ("input channel", "the outputs", lambda at, size: at["n"] == at.get("m", -1)),
        )
    ),
    _of("examples", "every example meets every other", 4, lambda at, size: at["n2"] >= 0),
)


def _channels(about: str, one: str, other: str, across: tuple[str, str], noun: str) -> tuple[Relation, ...]:
    of, to = across
    return (
        _of(about, f"each {noun} meets itself", 0, lambda at, size: at[one] == at[other]),
        _of(about, f"the filter's first {noun}, for all", 2, lambda at, size: at[other] == 0),
        _of(about, f"the first {noun} of the images, for all", 2, lambda at, size: at[one] == 0),
        _of(about, f"the filter's last {noun}, for all", 2, lambda at, size: at[other] == size[other] - 1),
        _of(about, f"the {noun}s in reversed order", 2, lambda at, size: at[one] == size[one] - 1 - at[other]),
        _of(about, f"the {noun} shifted by one", 3, lambda at, size: at[one] == (at[other] + 1) % size[one]),
        _of(about, f"the {noun} shifted by one", 3, lambda at, size: at[other] == (at[one] + 1) % size[other]),
        _of(about, "the filter's input and output channels exchanged", 3, lambda at, size: at[of] == at[to]),
        _of(about, f"every {noun} meets every other", 4, lambda at, size: at[one] >= 0),
    )


INPUT_CHANNELS = _channels("input channels", "m", "m2", ("m", "o2"), "input channel")
OUTPUT_CHANNELS = _channels("output channels", "o", "o2", ("o", "m2"), "output channel")
BIAS_CHANNELS = (
    _of("output channels", "each channel is summed by itself", 0, lambda at, size: at["k"] == at["o"]),
    _of("output channels", "the channels in reversed order", 2, lambda at, size: at["k"] == size["k"] - 1 - at["o"]),
    _of("output channels", "the first channel of the bias, for all", 2, lambda at, size: at["k"] == 0),
    _of("output channels", "the last channel of the bias, for all", 2, lambda at, size: at["k"] == size["k"] - 1),
    _of("output channels", "every channel gets the sum over all", 3, lambda at, size: at["k"] >= 0),
)
POOLED_CHANNELS = (
    _of("channels", "each channel meets itself", 0, lambda at, size: at["m"] == at["o"]),
    _of("channels", "the channels in reversed order", 2, lambda at, size: at["m"] == size["m"] - 1 - at["o"]),
    _of("channels", "the first channel, for all", 2, lambda at, size: at["m"] == 0),
    _of("channels", "every channel meets every other", 4, lambda at, size: at["m"] >= 0),
)


def _line(step: Expression, tap: Expression | None, offset: Expression, names: tuple[str, str]) -> str:
    """A formula such as 2·i + a − P."""

    def times(expression: Expression, name: str) -> str:
        return {"1": name, "−1": f"− {name}", "0": ""}.get(expression.text, f"{expression.text}·{name}")

    parts = [times(step, names[0])]
    if tap is not None and (second := times(tap, names[1])):
        parts.append(second if second.startswith(("−", "-")) or not parts[0] else f"+ {second}")
    text = " ".join(part for part in [*parts, offset.text] if part)
    return text or "0"


@dataclass(frozen=True)
class _Axis:
    """The rows or the columns, and the coordinates along them."""

    about: str
    number: int
    pixel: str
    output: str
    tap: str
    other_output: str
    other_tap: str


ROWS = _Axis("rows", 0, "r", "i", "a", "j", "b")
COLUMNS = _Axis("columns", 1, "c", "j", "b", "i", "a")


def _affine(
    axis: _Axis, step: Expression, tap: Expression, offset: Expression, names: tuple[str, str], extra: int, ends: str
) -> Relation:
    """pixel = step · output + tap · tap's number + offset; or, as Python counts from the end, round it; or kept inside."""

    def holds(terms: Terms) -> Array:
        sizes = sizes_along(terms.geometry, axis.number)
        at = terms.space.at
        place = step.of(sizes) * at[names[0]] + tap.of(sizes) * at[names[1]] + offset.of(sizes)
        size = terms.space.size[axis.pixel]
        if ends == "round":
            place = np.where((place < 0) & (place >= -size), place + size, place)
        elif ends == "round the padding":
            padded = place + sizes["P"]
            place = np.where(padded < 0, padded + size + 2 * sizes["P"], padded) - sizes["P"]
        elif ends == "modulo":
            place = place % size
        elif ends == "clipped":
            place = np.clip(place, 0, size - 1)
        return at[axis.pixel] == place

    text = f"{axis.pixel} = {_line(step, tap, offset, names)}"
    if ends == "round":
        text += f", where a negative {axis.pixel} counts from the end"
    elif ends == "round the padding":
        text += (
            ", where a negative row of the padded image counts from its end"
            if axis.number == 0
            else ", where a negative column of the padded image counts from its end"
        )
    elif ends == "modulo":
        text += ", round the image"
    elif ends == "clipped":
        text += ", held inside the image"
    return Relation(axis.about, text, step.cost + tap.cost + offset.cost + extra, holds)


def _spatial(axis: _Axis) -> list[Relation]:
    """Every formula, the simplest first."""
    own, across = (axis.output, axis.tap), (axis.other_output, axis.other_tap)
    choices = [
        (own, 0, "cut"),
        (own, 2, "round"),
        (own, 2, "round the padding"),
        (own, 3, "modulo"),
        (own, 3, "clipped"),
        (across, 3, "cut"),
        ((axis.output, axis.other_tap), 3, "cut"),
        ((axis.other_output, axis.tap), 3, "cut"),
    ]
    found = [
        _affine(axis, step, tap, offset, names, extra, ends)
        for names, extra, ends in choices
        for step, tap, offset in itertools.product(STEPS, TAPS, OFFSETS)
        if step.cost + tap.cost + offset.cost + extra <= 6
    ]
    return sorted(found, key=lambda relation: relation.cost)


def _pooled(axis: _Axis) -> list[Relation]:
    """Windows in the place of taps, from step · output + offset on; begin or end may follow the other axis's output."""
    own, other = axis.output, axis.other_output
    found = []
    for (begin, end), extra in (((own, own), 0), ((other, own), 2), ((own, other), 2), ((other, other), 2)):
        for step, offset, extent in itertools.product(STEPS, OFFSETS, EXTENTS):
            cost = step.cost + offset.cost + extent.cost + extra
            if cost <= _MOST_WINDOWS:
                found.append(_window(axis, begin, end, step, offset, extent, cost))
    return sorted(found, key=lambda relation: relation.cost)


_MOST_WINDOWS = 5


def _window(axis: _Axis, begin: str, end: str, step: Expression, offset: Expression, extent: Expression, cost: int) -> Relation:
    """step · begin + offset ≤ pixel < step · end + offset + extent, where begin and end are outputs' numbers."""

    def holds(terms: Terms) -> Array:
        sizes, at = sizes_along(terms.geometry, axis.number), terms.space.at
        first, last = (step.of(sizes) * at[name] + offset.of(sizes) for name in (begin, end))
        return (at[axis.pixel] >= first) & (at[axis.pixel] < last + extent.of(sizes))

    start = _line(step, None, offset, (begin, ""))
    if begin == end:
        return Relation(axis.about, f"{axis.pixel} from {start} on, {extent.text} pixels", cost, holds)
    stop = f"{_line(step, None, offset, (end, ''))} + {extent.text}"
    return Relation(axis.about, f"{axis.pixel} from {start} to before {stop}", cost, holds)


class _Strides(NamedTuple):
    """By how many numbers an array's neighbours lie apart in memory, if it is held in one piece.

    Attributes:
        text: of which array.
        cost: how far-fetched it is.
        lengths: its rows and columns.
    """

    text: str
    cost: int
    lengths: Callable[[dict[str, int]], tuple[int, int]]


_STRIDES = (
    _Strides("H·W pixels: x before it was padded", 0, lambda s: (s["H"], s["W"])),
    _Strides("W·H pixels, the height taken for the width", 1, lambda s: (s["W"], s["H"])),
    _Strides("(W + 2·P)·(H + 2·P) pixels, the height taken for the width", 1, lambda s: (_padded(s)[1], _padded(s)[0])),
    _Strides("(H + P)·(W + P) pixels", 1, lambda s: (s["H"] + s["P"], s["W"] + s["R"])),
    _Strides("OH·OW pixels: y", 2, lambda s: (s["O"], s["Q"])),
)


def _padded(sizes: dict[str, int]) -> tuple[int, int]:
    return sizes["H"] + 2 * sizes["P"], sizes["W"] + 2 * sizes["R"]


def _in_memory(strides: _Strides, *, channels_first: bool) -> Relation:
    """Windows over the padded image's memory, stepped through by the strides of another array."""

    def address(lengths: tuple[int, int], channels: int, at: tuple[Array, Array, Array, Array]) -> Array:
        (high, wide), (example, row, column, channel) = lengths, at
        if channels_first:
            return ((example * channels + channel) * high + row) * wide + column
        return ((example * high + row) * wide + column) * channels + channel

    def holds(terms: Terms) -> Array:
        sizes, at = sizes_along(terms.geometry, 0), terms.space.at
        pixel = at["n2"], at["r"] + sizes["P"], at["c"] + sizes["R"], at["m"]
        read = at["n"], sizes["S"] * at["i"] + at["a"], sizes["T"] * at["j"] + at["b"], at["m2"]
        lies = address(_padded(sizes), sizes["C"], pixel)
        return lies == address(strides.lengths(sizes), sizes["C"], read)

    text = (
        "windows are read from the padded image's memory by the strides of an array of "
        f"{strides.text}, where those of the padded one, of (H + 2·P)·(W + 2·P) pixels, are right (as_strided)"
    )
    return Relation("memory", text, 3 + strides.cost, holds)


IN_MEMORY = tuple(_in_memory(strides, channels_first=first) for strides in _STRIDES for first in (False, True))
"""Where windows are a view with wrong strides; they join examples, rows, columns and input channels at once."""

_CHOICES: dict[tuple[str, ...], tuple[Sequence[Relation], ...]] = {}


def choices_for(arrays: tuple[str, ...]) -> tuple[Sequence[Relation], ...]:
    """For every pair of places that are joined in products of these arrays: the relations to try, the right one first."""
    if arrays not in _CHOICES:
        _CHOICES[arrays] = _made(arrays)
    return _CHOICES[arrays]


def _made(arrays: tuple[str, ...]) -> tuple[Sequence[Relation], ...]:
    if set(arrays) == {"output", "bias"}:
        return (BIAS_CHANNELS,)
    if set(arrays) == {"output", "image"}:
        return EXAMPLES, POOLED_CHANNELS, _pooled(ROWS), _pooled(COLUMNS)
    return EXAMPLES, INPUT_CHANNELS, OUTPUT_CHANNELS, _spatial(ROWS), _spatial(COLUMNS)


def simplest(choices: Sequence[Relation], terms: Sequence[Terms], chosen: Sequence[Array]) -> Relation | None:
    """The first relation that all chosen products satisfy; None where there is none.

    Args:
        choices: the simplest first.
        terms: in every geometry.
        chosen: in every geometry which products, as a mask.
    """
    rows = [_restricted(one, mask) for one, mask in zip(terms, chosen, strict=True)]
    for relation in choices:
        if all(relation.holds(one).all() for one in rows):
            return relation
    return None


def simplest_windows(choices: Sequence[Relation], terms: Sequence[Terms], chosen: Sequence[Array]) -> Relation | None:
    """As `simplest`, but that leaves nothing out along its axis: windows are where some of their pixels are.

    Where none is so exact, the simplest that at least all satisfy.
    """
    fitting = [relation for relation in choices if all(map(_holds_all(relation), terms, chosen))]
    for relation in fitting:
        if all(map(_is_filled(relation), terms, chosen)):
            return relation
    return fitting[0] if fitting else None


def _holds_all(relation: Relation) -> Callable[[Terms, Array], bool]:
    return lambda terms, mask: bool(relation.holds(_restricted(terms, mask)).all())


def _is_filled(relation: Relation) -> Callable[[Terms, Array], bool]:
    """Whether every pair of an output and a pixel along the axis that it allows is among the products."""
    output, pixel = ("i", "r") if relation.about == "rows" else ("j", "c")

    def test(terms: Terms, mask: Array) -> bool:
        pairs = terms.space.at[output] * terms.space.size[pixel] + terms.space.at[pixel]
        return set(pairs[relation.holds(terms)]) == set(pairs[mask])

    return test


def _restricted(terms: Terms, mask: Array) -> Terms:
    space = terms.space._replace(at={name: grid[mask] for name, grid in terms.space.at.items()})
    return terms._replace(space=space)
