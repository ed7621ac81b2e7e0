"""A default that is another one than the operation's: right with the option given, wrong without it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.operations import Kind, kind_of
from jcnn.check.outcome import Outcome, call
from jcnn.check.probing.collect import Answer

Array = np.ndarray

_CASES, _FEWEST = 8, 3
_SMALL, _LARGE = 6, 300
"""Of fewer numbers no option makes a difference; of more, loops take long."""


class _Value(NamedTuple):
    """What an option may be where it is not given."""

    text: str
    of: Callable[[Case], Any]


def _sizes(case: Case) -> tuple[int, ...]:
    """Of the window or filter."""
    if "window" in case.args:
        size = case.args["window"]
        return (size, size) if isinstance(size, int) else tuple(size)
    return case.args["w"].shape[:-2]


def _along(of: Callable[[int], int]) -> Callable[[Case], tuple[int, ...] | int]:
    """One number where all axes have the same."""

    def value(case: Case) -> tuple[int, ...] | int:
        found = tuple(of(size) for size in _sizes(case))
        return found[0] if len(set(found)) == 1 else found

    return value


def _fixed(*values: Any) -> tuple[_Value, ...]:
    return tuple(
        _Value(f"{value:g}" if isinstance(value, float) else str(value), lambda _, value=value: value) for value in values
    )


_WINDOW = _Value("the window's size", _along(lambda size: size))
_HALVES = (
    _Value("half the window's size, F // 2,", _along(lambda size: size // 2)),
    _Value("(F − 1) // 2", _along(lambda size: (size - 1) // 2)),
    _Value("F − 1", _along(lambda size: size - 1)),
)
_VALUES: dict[str, tuple[_Value, ...]] = {
    "stride": (*_fixed(1), _WINDOW, *_fixed(2, 3)),
    "padding": (*_fixed(0, 1, 2), *_HALVES),
    "dilation": _fixed(1, 2),
    "groups": _fixed(1),
    "rounding": _fixed("floor", "ceil"),
    "count_padding": _fixed(False, True),
    "slope": _fixed(0.01, 0.0, 0.1, 0.2, 0.3, 0.25, 0.05, 0.02, 0.001, 0.5, 1.0),
    "alpha": _fixed(1.0, 0.0, 0.1, 0.01, 0.2, 0.3, 0.5, 1.67326, 1.5, 2.0),
    "epsilon": _fixed(1e-5, 0.0, 1e-3, 1e-4, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-2, 0.1),
    "label_smoothing": _fixed(0.0, 0.1, 0.05, 0.2, 0.01),
    "spatial": _fixed(False, True),
}
"""By the option what it may be, the right value first; the stride of a pooling is its window."""


def explain_default(kind: str, answer: Answer) -> str | None:
    """A sentence on an option whose default is wrong, where that is all that is wrong; else None.

    Args:
        kind: the operation.
        answer: what the candidate does with a case.
    """
    known = kind_of(kind)
    options = {name for case in known.cases for name in case.options}.intersection(_VALUES) - known.required
    plain = [case for case in known.cases if _is_plain(case)]
    asked: dict[str, Outcome] = {}
    for option in sorted(options):
        without = [case for case in plain if option not in case.options]
        without = without[:: -(-len(without) // _CASES)] if without else []
        right, *others = _values(kind, option)
        if not without or answer(_with(without[0], option, right)).declined is not None:
            continue
        for case in without:
            if case.name not in asked:
                asked[case.name] = answer(case)
        taken = [(case, asked[case.name]) for case in without if asked[case.name].declined is None]
        if len(taken) < _FEWEST or all(_is_right(known, case, outcome) for case, outcome in taken):
            continue
        if (sentence := _said(known, answer, option, right, others, taken)) is not None:
            return sentence
    return None


def _values(kind: str, option: str) -> tuple[_Value, ...]:
    """The right default first."""
    if option == "stride" and "pool" in kind:
        return (_WINDOW, *(value for value in _VALUES[option] if value is not _WINDOW))
    return _VALUES[option]


def _said(
    known: Kind, answer: Answer, option: str, right: _Value, others: list[_Value], taken: list[tuple[Case, Outcome]]
) -> str | None:
    for case, _ in taken:
        if not _is_right(known, case, answer(_with(case, option, right))):
            return None
    for other in others:
        if all(_alike(outcome, answer(_with(case, option, other))) for case, outcome in taken):
            return f"without {option}=, it takes {other.text} where {right.text} is right; with {option}= given it is right"
    return f"without {option}=, it is wrong, with {option} = {right.text} given it is right: that is to be the default"


def _is_plain(case: Case) -> bool:
    """Whether every candidate takes it."""
    sizes = (*case.options.values(), case.args.get("window", 1))
    images = [value for value in case.args.values() if isinstance(value, np.ndarray)]
    flat = all(value.ndim <= _IMAGE_AXES for value in images) and not case.features & {"1 spatial axis", "3 spatial axes"}
    return flat and _SMALL <= case.size <= _LARGE and all(isinstance(size, int | float) for size in sizes)


_IMAGE_AXES = 4


def _with(case: Case, option: str, value: _Value) -> Case:
    return case._replace(options={**case.options, option: value.of(case)})


def _is_right(known: Kind, case: Case, outcome: Outcome) -> bool:
    return not outcome.raised and not outcome.problem and _same(outcome.leaves, call(known.reference, known, case).leaves)


def _alike(one: Outcome, other: Outcome) -> bool:
    if one.raised or other.raised:
        return one.raised == other.raised
    return other.declined is None and _same(one.leaves, other.leaves)


def _same(one: tuple[Array | None, ...], other: tuple[Array | None, ...]) -> bool:
    return len(one) == len(other) and all(
        a is not None and b is not None and a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))
        for a, b in zip(one, other, strict=True)
    )
