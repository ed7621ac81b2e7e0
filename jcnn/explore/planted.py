"""A known mistake planted in a backward pass, and what the checker says of it."""

import threading
from functools import cache

import jcnn
from jcnn.check import CATALOGUE, KINDS, Mistake, Report, grade

NONE = "none: jcnn's own, as it is"

WORDS = {
    "agrees": "Agrees with the reference in every case.",
    "rounding": "Right, but computed in fewer digits than it was given.",
    "kink": "A choice of its own where there is no single gradient; right everywhere else.",
    "bug": "Wrong.",
}

_ONE_AT_A_TIME = threading.Lock()


def operations() -> list[str]:
    """The backward passes that have known mistakes; that of the convolution first."""
    known = [kind for kind in KINDS if kind.endswith("_backward") and mistakes_of(kind)]
    return sorted(known, key=lambda kind: kind != "conv_backward")


def mistakes_of(kind: str) -> dict[str, Mistake]:
    """The known mistakes of an operation by name, in the catalogue's order."""
    return {mistake.name: mistake for mistake in CATALOGUE if kind in mistake.wrong}


def verdict(kind: str, name: str) -> Report:
    """Grades an operation with this mistake in it, or jcnn's own for `NONE`."""
    with _ONE_AT_A_TIME:
        return _verdict(kind, name)


@cache
def _verdict(kind: str, name: str) -> Report:
    return grade(getattr(jcnn, kind) if name == NONE else mistakes_of(kind)[name].wrong[kind], kind)
