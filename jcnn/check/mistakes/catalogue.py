"""What an entry of the catalogue is."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from jcnn.definition import sums
from jcnn.definition.sums import Variation

Verdict = Literal["agrees", "rounding", "kink", "bug"]
Wrong = Callable[..., Any]


class Mistake(NamedTuple):
    """A mistake that people make.

    Attributes:
        name: in a few words.
        sentence: what went wrong and what to do, for a student.
        wrong: for every kind it applies to, a function with that kind's signature that makes it.
        verdict: what a candidate that makes it deserves.
    """

    name: str
    sentence: str
    wrong: Mapping[str, Wrong]
    verdict: Verdict = "bug"


def walked(kinds: Iterable[str], variation: Variation) -> dict[str, Wrong]:
    """Every kind's reference with its walk changed."""
    return {kind: partial(getattr(sums, kind), variation=variation) for kind in kinds}
