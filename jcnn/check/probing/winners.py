"""Which pixel of a window a maximum takes: the right rule, and what is taken in its place."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jcnn.check.probing.relations import Relation, choices_for
from jcnn.check.probing.spaces import COORDINATES, Terms

Array = np.ndarray
_MOST = 600


class Winner(NamedTuple):
    """A rule by which one pixel of those in a window is taken.

    Attributes:
        text: the rule, in words.
        cost: how far it is from the right one.
        strength: of pixels (of all products, their values): the strongest is taken.
        together: the channels choose one place together.
        among: the coordinates over which there is but one strongest pixel in all, beside the places of its window.
        place: from where it is in the window (row, column) and the window's height and width to the place that is taken for it.
        start: from which the place counts: of i, j, S and P the first row and column; by default that of the window.
    """

    text: str
    cost: int
    strength: Callable[[Array], Array]
    together: bool = False
    among: tuple[str, ...] = ()
    place: Callable[[Array, Array, int, int], tuple[Array, Array]] | None = None
    start: Callable[[Array, int, int], Array] = lambda output, stride, padding: stride * output - padding


WINNERS = (
    Winner("the largest pixel of the window", 0, lambda pixels: pixels),
    Winner("the smallest pixel of the window", 1, lambda pixels: -pixels),
    Winner("the pixel of the largest absolute value", 1, np.abs),
    Winner("the place of the largest pixel over all channels together", 1, lambda pixels: pixels, together=True),
    Winner(
        "the one pixel that is the largest over all channels together, so that the other channels get nothing",
        1,
        lambda pixels: pixels,
        among=("o",),
    ),
    Winner(
        "the one pixel that is the largest over all examples together, so that the other examples get nothing",
        1,
        lambda pixels: pixels,
        among=("n",),
    ),
    Winner(
        "the one pixel that is the largest over all examples and channels together, so that the others get nothing",
        1,
        lambda pixels: pixels,
        among=("n", "o"),
    ),
    Winner("every pixel of the window", 1, np.zeros_like),
    Winner(
        "the largest pixel above 0, or the first of the window where there is none, as the search for the maximum starts at 0",
        1,
        lambda pixels: np.where(pixels > 0, pixels, -np.linspace(0, 1, len(pixels))),
    ),
    Winner("the first pixel of the window, whatever its value", 2, lambda pixels: -np.arange(len(pixels), dtype=float)),
    Winner("the last pixel of the window, whatever its value", 2, lambda pixels: np.arange(len(pixels), dtype=float)),
)


def _largest(text: str, cost: int, place: Callable[[Array, Array, int, int], tuple[Array, Array]]) -> Winner:
    return Winner(text, cost, lambda pixels: pixels, place=place)


def _counted_from(text: str, start: Callable[[Array, int, int], Array]) -> Winner:
    said = f"the largest pixel, its place counted from {text} where that in the window starts at (S·i − P, S·j − P)"
    return Winner(said, 2, lambda pixels: pixels, place=lambda a, b, high, wide: (a, b), start=start)


MISPLACED = (
    _largest(
        "the largest pixel, but its number k in the window is split by the window's height (k // FH, k % FH; or unravel_index "
        "with height and width exchanged) where its width is right (k // FW, k % FW)",
        1,
        lambda a, b, high, wide: divmod(a * wide + b, high),
    ),
    _largest("the largest pixel with its row and its column in the window exchanged", 1, lambda a, b, high, wide: (b, a)),
    _largest(
        "the largest pixel, its number in the window counted column by column and split as if row by row",
        2,
        lambda a, b, high, wide: divmod(b * high + a, wide),
    ),
    _largest(
        "the largest pixel, its number in the window counted row by row and split as if column by column",
        2,
        lambda a, b, high, wide: ((a * wide + b) % high, (a * wide + b) // high),
    ),
    _largest("the pixel across from the largest, by rows", 2, lambda a, b, high, wide: (high - 1 - a, b)),
    _largest("the pixel across from the largest, by columns", 2, lambda a, b, high, wide: (a, wide - 1 - b)),
    _largest("the pixel across from the largest", 2, lambda a, b, high, wide: (high - 1 - a, wide - 1 - b)),
    _counted_from("(i, j), without the stride,", lambda output, stride, padding: output - padding),
    _counted_from("(0, 0), the corner of the padded image,", lambda output, stride, padding: 0 * output - padding),
    _counted_from("(0, 0), the corner of the image,", lambda output, stride, padding: 0 * output),
    _counted_from("(S·i, S·j), without the padding,", lambda output, stride, padding: stride * output),
)
"""The largest pixel of the right window, of which the place is taken for another."""


def taken(terms: Terms, window: Array, winner: Winner) -> Array:
    """Of the products in the windows (a mask) those of the pixels that are taken."""
    at = terms.space.at
    if terms.pixels is None:
        raise ValueError("the terms of a maximum come without the image that it was taken of")
    strength = winner.strength(terms.pixels[at["n2"], at["r"], at["c"], at["m"]])
    names = [name for name in ("n", "i", "j", "o") if name not in winner.among]
    group = np.ravel_multi_index([at[name] for name in names], [terms.space.size[name] for name in names])
    if winner.together:
        return _taken_together(terms, terms.pixels, window, group)
    best = np.full(int(group.max(initial=0)) + 1, -np.inf)
    np.maximum.at(best, group[window], strength[window])
    largest = window & (strength == best[group])
    return largest if winner.place is None else _moved(terms, largest, winner)


def _moved(terms: Terms, largest: Array, winner: Winner) -> Array:
    """The products at the places that are taken for those of the largest pixels."""
    at = {name: grid[largest] for name, grid in terms.space.at.items()}
    (high, wide), (down, along), (above, left) = terms.geometry.window, terms.geometry.strides, terms.geometry.paddings
    place = at["r"] - down * at["i"] + above, at["c"] - along * at["j"] + left
    row, column = winner.place(*place, high, wide) if winner.place else place
    at["r"], at["c"] = row + winner.start(at["i"], down, above), column + winner.start(at["j"], along, left)
    inside = (at["r"] >= 0) & (at["r"] < terms.space.size["r"]) & (at["c"] >= 0) & (at["c"] < terms.space.size["c"])
    mask = np.zeros(len(largest), bool)
    names = [name for array in terms.space.arrays for name in COORDINATES[array]]
    mask[np.ravel_multi_index([at[name][inside] for name in names], terms.space.shape)] = True
    return mask


def _taken_together(terms: Terms, pixels: Array, window: Array, group: Array) -> Array:
    """The place of the largest value over all channels, for every channel."""
    at = terms.space.at
    largest = pixels.max(-1)[at["n2"], at["r"], at["c"]]
    best = np.full(int(group.max(initial=0)) + 1, -np.inf)
    np.maximum.at(best, group[window], largest[window])
    return window & (largest == best[group])


class Chosen(NamedTuple):
    """What reproduces the pixels that are taken.

    Attributes:
        relations: of examples, channels, rows and columns.
        winner: the rule.
    """

    relations: tuple[Relation, ...]
    winner: Winner


def find_windows_and_winner(terms: Sequence[Terms]) -> Chosen | None:
    """The simplest windows and rule that give the candidate's terms; else the simplest that at least hold them all."""
    present = [one.got != 0 for one in terms]
    if not any(mask.any() for mask in present):
        return None
    options = choices_for(("output", "image"))
    if (moved := _misplaced(terms, present, tuple(choices[0] for choices in options))) is not None:
        return moved
    fitting = [[r for r in choices if _holds_all(r, terms, present)] for choices in options]
    if not all(fitting):
        return None
    rows_and_columns = sorted(
        ((row.cost + column.cost, row, column) for row in fitting[2] for column in fitting[3]), key=lambda entry: entry[0]
    )
    holding: Chosen | None = None
    example, channel = fitting[0][0], fitting[1][0]
    tried = 0
    for _, row, column in rows_and_columns:
        windows = [example.holds(o) & channel.holds(o) & row.holds(o) & column.holds(o) for o in terms]
        for winner in WINNERS:
            tried += 1
            masks = [taken(one, window, winner) for one, window in zip(terms, windows, strict=True)]
            chosen = Chosen((example, channel, row, column), winner)
            if all(np.array_equal(mask, here) for mask, here in zip(masks, present, strict=True)):
                return chosen
            if holding is None and all((~here | mask).all() for mask, here in zip(masks, present, strict=True)):
                holding = chosen
        if tried > _MOST:
            break
    return holding


def _misplaced(terms: Sequence[Terms], present: Sequence[Array], right: tuple[Relation, ...]) -> Chosen | None:
    """With the right windows, another place for that of the largest pixel."""
    windows = [np.logical_and.reduce([relation.holds(one) for relation in right]) for one in terms]
    for winner in MISPLACED:
        masks = [taken(one, window, winner) for one, window in zip(terms, windows, strict=True)]
        if all(np.array_equal(mask, here) for mask, here in zip(masks, present, strict=True)):
            return Chosen(right, winner)
    return None


def _holds_all(relation: Relation, terms: Sequence[Terms], present: Sequence[Array]) -> bool:
    return all((~here | relation.holds(one)).all() for one, here in zip(terms, present, strict=True))
