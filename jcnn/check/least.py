"""The least that a candidate must take: who declines one of these cases is not graded, but has failed."""

from collections.abc import Sequence

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.kinds import Kind
from jcnn.check.outcome import Outcome

LEFT_TO_OTHERS = ("1 spatial axis", "3 spatial axes", "spatial axes before the channels", "more axes", "soft labels")
"""Features that a candidate need not know: it may be made for images, for one vector an example or for class numbers alone."""

# Of images: examples, height, width, channels. Of all else: examples and numbers.
_ON_IMAGES = ("conv", "locally_connected", "flatten", "max_pool", "avg_pool", "global_")
_IMAGE_AXES, _OTHER_AXES = 4, 2
_PLAIN_OPTIONS = ("stride", "padding")
_SHOWN = 3


def is_least(kind: Kind, case: Case) -> bool:
    """Whether every candidate must take a case: the usual number of axes, and stride and padding, if any, as one number."""
    sizes = [value for value in case.args.values() if not isinstance(value, np.ndarray)]
    (first, *_) = case.args.values()
    axes = case.args.get("x", first).ndim
    usual = axes == _IMAGE_AXES if kind.name.startswith(_ON_IMAGES) else axes <= _OTHER_AXES
    plain = all(name in _PLAIN_OPTIONS for name in case.options)
    return (
        usual
        and plain
        and case.features.isdisjoint(LEFT_TO_OTHERS)
        and all(type(value) is int for value in (*sizes, *case.options.values()))
    )


def too_few(kind: Kind, outcomes: Sequence[Outcome]) -> str | None:
    """What a candidate declines though its signature has a place for it and everybody must take it; None where that is nothing.

    Args:
        kind: what the candidate should be.
        outcomes: one for every case.
    """
    must = [
        (case.name, outcome.declined)
        for case, outcome in zip(kind.cases, outcomes, strict=True)
        if outcome.asked and is_least(kind, case)
    ]
    declined = [name for name, reason in must if reason]
    if not declined:
        return None
    taken = len(must) - len(declined)
    names = ", ".join(f'"{name}"' for name in declined[:_SHOWN])
    more = f" and {len(declined) - _SHOWN} more" if len(declined) > _SHOWN else ""
    reasons = "; ".join(dict.fromkeys(reason for _, reason in must if reason))
    return (
        f"It takes {f'only {taken}' if taken else 'none'} of the {len(must)} cases that every {kind.name} with its parameters "
        f"must take; it declines {names}{more}: {reasons}."
    )
