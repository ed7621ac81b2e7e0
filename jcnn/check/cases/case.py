"""One call of a candidate, and the numbers that it is made of."""

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.cases.geometries import LARGE

Array = np.ndarray


class Case(NamedTuple):
    """One call of a candidate.

    Attributes:
        name: what is special, in words.
        args: the positional arguments by name, in order.
        options: the keyword arguments; only what differs from the defaults.
        features: what the case has, in words, to say when a candidate fails.
        whole: all numbers are small and whole, so that any float arithmetic adds them exactly.
        twin: the name of the case whose numbers these are, times a power of two; None where there is none.
    """

    name: str
    args: dict[str, Any]
    options: dict[str, Any]
    features: frozenset[str]
    whole: bool
    twin: str | None = None

    @property
    def size(self) -> int:
        """How many numbers go in."""
        return sum(np.size(value) for value in self.args.values())


def values_of(kind: str, shape: Sequence[int], name: str) -> Array:
    """Numbers of a kind, the same every time for the same name."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), *shape])
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "far below 0":
        return far_below_zero(rng.normal(size=shape))
    if kind == "zeros":
        return np.zeros(shape)
    if kind == "ties":
        return rng.integers(-1, 2, shape).astype(np.float64)
    if kind == "distinct":
        # No two numbers alike, the larger part negative, so that a zero would win wherever it was taken for a pixel.
        size = int(np.prod(shape))
        return (rng.permutation(size) - 3 * size // 4 - 0.5).reshape(shape)
    numbers = rng.integers(1, 5, shape)
    return np.where(rng.random(shape) < 0.4, -numbers, numbers).astype(np.float64)


NO_PIXELS = "no spatial axes"
"""A feature: nothing but examples and channels."""

OTHER_RANKS = ("1 spatial axis", "3 spatial axes")
OTHER_FORMS = frozenset({*OTHER_RANKS, NO_PIXELS, "spatial axes before the channels", "more axes", "soft labels"})
"""Features of arrays of another form than the one that is said to be expected."""

INTEGERS = "an image of integers"
"""A feature: the image is an array of integers, as pictures are, and the result is not."""


def of_integers(case: Case) -> Case:
    """The case with whole numbers as the image, in an array that holds no others."""
    x = np.round(3 * case.args["x"]).astype(np.int64)
    return case._replace(
        name=f"{case.name}, {INTEGERS}", args={**case.args, "x": x}, features=case.features | {INTEGERS}, whole=False
    )


def scaled(case: Case, *groups: Sequence[str]) -> list[Case]:
    """Twins of a case, times powers of two, after which every float keeps its digits.

    Args:
        case: with any numbers.
        *groups: names of arrays that are small, and large, together in twins of their own; in another all of them are tiny.
    """
    everything = [name for group in groups for name in group]
    if not everything:
        return []
    changes = [
        *((f"a large {' and '.join(group)}", LARGE, group) for group in groups),
        *((f"a small {' and '.join(group)}", -12, group) for group in groups),
        ("all tiny", -24, everything),
    ]
    made = []
    for title, exponent, changed in changes:
        scale = 2.0**exponent
        args = {name: value * scale if name in changed else value for name, value in case.args.items()}
        name, features = f"any numbers, {title}", case.features | {"small numbers" if exponent < 0 else "large numbers"}
        made.append(case._replace(name=name, args=args, features=features, twin=case.name))
    return made


def far_below_zero(x: Array) -> Array:
    """Numbers near −2²⁴, with all their digits: there no maximum may start at or be padded with, say, −1e6."""
    return (x - 8.0) * 2.0**21
