"""Does a candidate keep something from one call to the next? Each answer shall follow from its own call alone."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.grading.left_out import must_take
from jcnn.check.grading.symptoms import Seen
from jcnn.check.operations import Kind, expected_at
from jcnn.check.outcome import Outcome
from jcnn.check.patience import Patience

Array = np.ndarray

_LEAST = 4
"""So many numbers are not those of another call by chance."""

_CLOSE = 1e-2
"""Of the largest number: rounding, of short floats too, may differ from call to call."""


OF_AN_EARLIER_CALL = "is that of an earlier call"


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
                    f'In the case "{one.case.name}" {leaf} {OF_AN_EARLIER_CALL}, "{earlier.name}": an answer comes back '
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


_CALLS, _SECONDS = 256, 1.0
"""A candidate that is right is asked again until it has answered so many calls or needed so many seconds for these."""

_KEEPS = "It keeps something from call to call:"


def asked_again(
    kind: Kind, outcomes: Sequence[Outcome], answer: Callable[[Case], Outcome], *, wrong: bool, lasting: Sequence[str] = ()
) -> str:
    """What a candidate does otherwise when it is asked calls again at the end, the last first, in a sentence; "" for nothing.

    Args:
        kind: what it should be.
        outcomes: what it did with the cases.
        answer: asks it a case.
        wrong: it has a bug, so that two calls are enough.
        lasting: what in its source may last from call to call.
    """
    answered = [number for number, one in enumerate(outcomes) if one.declined is None and not one.raised]
    if not answered or any(one.crashed for one in outcomes):
        return ""
    order = [answered[0], answered[len(answered) // 2]] if wrong else list(reversed(answered))
    patience = Patience(answer)
    # Once in another order, whatever comes of it; then as often as it takes to count.
    for number in order if wrong else itertools.islice(itertools.cycle(order), max(len(order), _CALLS - len(answered))):
        if not wrong and patience.ends(_SECONDS):
            return ""
        case = kind.cases[number]
        again = patience.answer(case)
        if again.crashed:
            return again.problem or ""
        if not _is_same(kind, number, outcomes[number], again):
            return f'{_KEEPS} asked the case "{case.name}" again, after others, it gives another answer.{_look_at(lasting)}'
    return ""


def first_calls(
    kind: Kind,
    outcomes: Sequence[Outcome],
    wrong: Sequence[int],
    afresh: Callable[[Case], Outcome],
    is_right: Callable[[int, Outcome], bool],
    lasting: Sequence[str],
) -> tuple[str, bool]:
    """What a candidate does with calls that it got wrong when each is the first one, in a process of its own.

    Args:
        kind: what it should be.
        outcomes: what it did with the cases.
        wrong: the numbers of those that it got wrong.
        afresh: asks it a case as the first.
        is_right: whether what came in a case, by its number, is right.
        lasting: what in its source may last from call to call.

    Returns:
        A sentence, "" where each call gives the same again; and whether the first calls are all right.
    """
    due = [number for number in wrong if must_take(kind, kind.cases[number])] or wrong
    tried = [due[0], due[-1]][: len(due)]
    again = [(number, afresh(kind.cases[number])) for number in tried]
    other = [number for number, one in again if not one.crashed and not _is_same(kind, number, outcomes[number], one)]
    if not other:
        return "", False
    right = all(is_right(number, one) for number, one in again)
    where = f'the case "{kind.cases[other[0]].name}" gives another answer{", the right one," if right else ""}'
    return f"{_KEEPS} {where} when it is the first call.{_look_at(lasting)}", right


def _look_at(lasting: Sequence[str]) -> str:
    return f" Look at {' and at '.join(lasting[:2])}." if lasting else ""


def _is_same(kind: Kind, number: int, first: Outcome, again: Outcome) -> bool:
    if first.raised and again.raised:
        return first.problem == again.problem
    if first.raised or again.raised or again.declined or len(first.leaves) != len(again.leaves):
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
