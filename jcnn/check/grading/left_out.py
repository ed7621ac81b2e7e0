"""Which cases a candidate leaves out, and which it may not: who declines one that everybody must take has failed."""

from collections.abc import Callable, Sequence

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.cases.case import INTEGERS, NO_PIXELS, OTHER_FORMS, OTHER_RANKS
from jcnn.check.operations import Kind
from jcnn.check.outcome import Outcome

LEFT_TO_OTHERS = frozenset({INTEGERS, *OTHER_FORMS})
"""Features that a candidate need not know: it may be made for images, for one vector an example or for class numbers alone."""

# Of images: examples, height, width, channels. Of all else: examples and numbers.
_IMAGE_AXES, _OTHER_AXES = 4, 2
_PLAIN_OPTIONS = ("stride", "padding")
_SHOWN = 3


def must_take(kind: Kind, case: Case) -> bool:
    """Whether every candidate must take a case.

    It has the usual number of axes, stride and padding, if any, as one number, and no other option than those of all cases.
    """
    sizes = [value for value in case.args.values() if not isinstance(value, np.ndarray)]
    (first, *_) = case.args.values()
    axes = case.args.get("x", first).ndim
    usual = axes == _IMAGE_AXES if kind.of_images else axes <= _OTHER_AXES
    options = {name: value for name, value in case.options.items() if name not in kind.required}
    plain = all(name in _PLAIN_OPTIONS for name in options)
    return (
        usual
        and plain
        and case.features.isdisjoint(LEFT_TO_OTHERS)
        and all(type(value) is int for value in (*sizes, *options.values()))
    )


def declined_too_much(kind: Kind, outcomes: Sequence[Outcome]) -> str | None:
    """What a candidate declines though its signature has a place for it and everybody must take it; None where that is nothing.

    Args:
        kind: what the candidate should be.
        outcomes: one for every case.
    """
    must = [
        (case, outcome.declined)
        for case, outcome in zip(kind.cases, outcomes, strict=True)
        if outcome.asked and must_take(kind, case)
    ]
    declined = [case for case, reason in must if reason]
    if not declined:
        return None
    taken = len(must) - len(declined)
    names = ", ".join(f'"{case.name}"' for case in declined[:_SHOWN])
    more = f" and {len(declined) - _SHOWN} more" if len(declined) > _SHOWN else ""
    reasons = "; ".join(dict.fromkeys(reason for _, reason in must if reason))
    return (
        f"It takes {f'only {taken}' if taken else 'none'} of the {len(must)} cases that every {kind.name} with its parameters "
        f"must take; it declines {names}{more}: {reasons}.{_without_parameter(kind, declined)}"
    )


def _without_parameter(kind: Kind, declined: Sequence[Case]) -> str:
    """What to do where an option that all declined cases have is why."""
    shared = set.intersection(*(set(case.options) - kind.required for case in declined))
    if len(shared) != 1:
        return ""
    (name,) = shared
    return f" A function with a parameter {name} has to take any one number as {name}; without it these cases are left out."


def unanswered(kind: Kind, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The cases that a candidate owes: those never run, as its process had ended, and those it may not decline."""
    return tuple(
        case.name
        for case, outcome in zip(kind.cases, outcomes, strict=True)
        if outcome.lost or (outcome.declined and outcome.asked and must_take(kind, case))
    )


def forms_of(case: Case) -> set[str]:
    """What a case has that a candidate need not know: of `LEFT_TO_OTHERS`, and sizes that are not given as one number."""
    found = set(case.features.intersection(LEFT_TO_OTHERS))
    for name, value in (*case.options.items(), ("window", case.args.get("window"))):
        if isinstance(value, str):
            found.add(f"a word as {name}")
        elif isinstance(value, tuple):
            sides = any(isinstance(part, tuple) for part in value)
            found.add(f"a {name} of each {'side' if sides else 'axis'}")
    return found


_WORDS = {
    NO_PIXELS: "an x without spatial axes",
    "1 spatial axis": "images of 1 spatial axis",
    "3 spatial axes": "images of 3 spatial axes",
    "spatial axes before the channels": "an x with spatial axes before the channels",
    "more axes": "arrays of more than two axes",
    "a word as padding": 'a word as padding, "same" or "valid"',
}
"""Features that want more words."""


def _is_refused(
    form: str,
    numbers: Sequence[int],
    plain: Sequence[int],
    outcomes: Sequence[Outcome],
    shaped: Sequence[bool],
    is_right: Callable[[int], bool],
) -> bool:
    raised = [outcomes[number].raised and not outcomes[number].crashed for number in numbers]
    if all(raised):
        return True
    if form not in OTHER_FORMS or any(outcomes[number].crashed for number in numbers):
        return False
    if plain and not any(map(is_right, numbers)) and all(map(is_right, plain)):
        return True
    if form not in OTHER_RANKS:
        return False
    knows_images = sum(shaped[number] for number in plain) > len(plain) / 2
    return (sum(raised) > len(numbers) / 2 or knows_images) and not any(shaped[number] for number in numbers)


def without_forms_not_taken(
    cases: Sequence[Case], outcomes: Sequence[Outcome], shaped: Sequence[bool], is_right: Callable[[int], bool]
) -> list[Outcome]:
    """A candidate that is written for images, or for one number as stride, is graded on the cases that have them.

    It is taken to be so where it raises in every case of a form, such as a stride of each axis: what gives an answer, and a
    wrong one, is wrong. For arrays of another form than is said to be expected, of more axes for instance, any answer is
    as good as an exception where the candidate is right for none of them, and for all that is expected. For images of other
    than two axes a wrong shape is as good, as long as it raises in most, or gives the right shape for most images.

    Args:
        cases: all of them.
        outcomes: one for every case.
        shaped: for every case whether all outputs came in the right shape.
        is_right: whether what came in a case, by its number, is right.
    """
    made = list(outcomes)
    found: dict[str, list[int]] = {}
    plain = []
    for number, case in enumerate(cases):
        if outcomes[number].declined is None:
            forms = forms_of(case)
            plain += [] if forms else [number]
            for form in forms:
                found.setdefault(form, []).append(number)
    if all(outcomes[number].raised for number in plain):
        return made
    refused = {form for form, numbers in found.items() if _is_refused(form, numbers, plain, outcomes, shaped, is_right)}
    for number, case in enumerate(cases):
        if outcomes[number].declined is None and (forms := sorted(forms_of(case) & refused)):
            made[number] = Outcome(declined=f"does not take {_WORDS.get(forms[0], forms[0])}")
    return made


def reasons_of(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Why cases were left out, each reason once with its cases."""
    reasons: dict[str, list[str]] = {}
    for case, outcome in zip(cases, outcomes, strict=True):
        reason = outcome.declined or (outcome.spared and f"does not take {outcome.spared}")
        if reason:
            reasons.setdefault(reason, []).append(case.name)
    return tuple(
        f"{reason} ({'; '.join(names) if len(names) < 4 else f'{len(names)} cases'})" for reason, names in reasons.items()
    )
