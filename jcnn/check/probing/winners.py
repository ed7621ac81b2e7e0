"""Which pixel of a window a maximum takes: the right rule, and what is taken in its place."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jcnn.check.probing.relations import Relation, choices_for
from jcnn.check.probing.spaces import Terms

Array = np.ndarray
_MOST = 600


class Winner(NamedTuple):
    """A rule by which one pixel of those in a window is taken.

    Attributes:
        text: the rule, in words.
        cost: how far it is from the right one.
        strength: of pixels (of all products, their values): the strongest is taken.
        together: the channels choose one place together.
    """

    text: str
    cost: int
    strength: Callable[[Array], Array]
    together: bool = False


WINNERS = (
    Winner("the largest pixel of the window", 0, lambda pixels: pixels),
    Winner("the smallest pixel of the window", 1, lambda pixels: -pixels),
    Winner("the pixel of the largest absolute value", 1, np.abs),
    Winner("the place of the largest pixel over all channels together", 1, lambda pixels: pixels, together=True),
    Winner("every pixel of the window", 1, np.zeros_like),
    Winner("the first pixel of the window, whatever its value", 2, lambda pixels: -np.arange(len(pixels), dtype=float)),
    Winner("the last pixel of the window, whatever its value", 2, lambda pixels: np.arange(len(pixels), dtype=float)),
)


def taken(terms: Terms, window: Array, winner: Winner) -> Array:
    """Of the products in the windows (a mask) those of the pixels that are taken."""
    at = terms.space.at
    if terms.pixels is None:
        raise ValueError("the terms of a maximum come without the image that it was taken of")
    strength = winner.strength(terms.pixels[at["n2"], at["r"], at["c"], at["m"]])
    output = [at[name] for name in ("n", "i", "j", "o")]
    group = np.ravel_multi_index(output, [terms.space.size[name] for name in ("n", "i", "j", "o")])
    if winner.together:
        return _taken_together(terms, terms.pixels, window, group)
    best = np.full(int(group.max(initial=0)) + 1, -np.inf)
    np.maximum.at(best, group[window], strength[window])
    return window & (strength == best[group])


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


def _holds_all(relation: Relation, terms: Sequence[Terms], present: Sequence[Array]) -> bool:
    return all((~here | relation.holds(one)).all() for one, here in zip(terms, present, strict=True))
