"""Does a candidate keep something from one call to the next? Each answer shall follow from its own call alone."""

from collections.abc import Callable, Sequence

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.grading.symptoms import Seen
from jcnn.check.operations import Kind, expected_at
from jcnn.check.outcome import Outcome

Array = np.ndarray

_LEAST = 4
"""So many numbers are not those of another call by chance."""

_CLOSE = 1e-2
"""Of the largest number: rounding, of short floats too, may differ from call to call."""


def of_an_earlier_call(leaves: Sequence[str], seen: Sequence[Seen]) -> str | None:
    """A sentence where a wrong output is, number for number, the right one of an earlier call.

    Args:
        leaves: the names of the outputs.
        seen: what came of the cases, in the order in which they were asked.
    """
    for number, leaf in enumerate(leaves):
        right: list[tuple[Case, Array, Array]] = []
        for one in seen:
            got = one.outcome.leaves[number] if number < len(one.outcome.leaves) else None
            if got is None or got.size < _LEAST or not got.any():
                continue
            expected = one.expected[number].value
            if one.rows[number].verdict == "agrees":
                right.append((one.case, expected, got))
                continue
            same = (entry for entry in right if _looks_alike(entry[0], one.case))
            if earlier := next((case for case, value, kept in same if _is_kept(got, kept, expected, value)), None):
                return (
                    f'In the case "{one.case.name}" {leaf} is that of an earlier call, "{earlier.name}": an answer comes back '
                    f"that was kept, for arrays of the same shapes with other numbers in them. Compute each call anew."
                )
    return None


def _looks_alike(one: Case, two: Case) -> bool:
    """Whether calls differ in nothing but the numbers in their arrays; else what is taken for kept may be an ignored option."""
    return _form(one) == _form(two)


def _form(case: Case) -> str:
    given = {name: value.shape if isinstance(value, np.ndarray) else value for name, value in case.args.items()}
    return repr((given, sorted(case.options.items())))


def _is_kept(got: Array, kept: Array, expected: Array, value: Array) -> bool:
    return np.array_equal(got, kept) and not np.allclose(expected, value, rtol=_CLOSE, atol=0)


def asked_again(kind: Kind, outcomes: Sequence[Outcome], answer: Callable[[Case], Outcome]) -> str:
    """What a candidate does otherwise when it is asked a first call again at the end, in a sentence; "" for nothing.

    Args:
        kind: what it should be.
        outcomes: what it did with the cases.
        answer: asks it a case.
    """
    answered = [number for number, one in enumerate(outcomes) if one.declined is None and not one.raised]
    if not answered or any(one.crashed for one in outcomes):
        return ""
    for number in dict.fromkeys((answered[0], answered[len(answered) // 2])):
        case = kind.cases[number]
        again = answer(case)
        if not _is_same(kind, number, outcomes[number], again):
            return f'Asked the case "{case.name}" again at the end it gives another answer: something of other calls is kept.'
    return ""


def _is_same(kind: Kind, number: int, first: Outcome, again: Outcome) -> bool:
    if again.raised or again.declined or len(first.leaves) != len(again.leaves):
        return False
    # At ties every choice is one.
    smooth = [right.low == right.high for right in expected_at(kind, number)]
    return all(
        one is None or two is None or _is_close(one, two, mask)
        for one, two, mask in zip(first.leaves, again.leaves, smooth, strict=False)
    )


def _is_close(one: Array, two: Array, smooth: Array) -> bool:
    if one.shape != two.shape:
        return False
    mask = smooth if smooth.shape == one.shape else np.ones(one.shape, bool)
    largest = float(np.abs(one[np.isfinite(one)]).max(initial=0))
    return bool(np.allclose(one[mask], two[mask], rtol=0, atol=_CLOSE * largest, equal_nan=True))
