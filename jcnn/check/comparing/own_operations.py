"""Operations of ours among the functions that are compared: for these the definition, written out in NumPy, is known."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.bounds import Expected
from jcnn.check.cases import Case
from jcnn.check.comparing.derivation import is_real
from jcnn.check.operations import OPERATIONS, Kind, kind_of

Array = np.ndarray

# They choose how it is computed, not what.
_WAYS = {"formulation", "gradient"}


class Known(NamedTuple):
    """A call of an operation of ours, as a case of its backward pass."""

    kind: Kind
    case: Case

    def expected(self, count: int) -> tuple[Expected, ...]:
        """By the definition, the first `count` gradients; none where the definition does not take such arguments."""
        try:
            return self.kind.expected(self.case)[:count]
        except (ValueError, TypeError, IndexError):
            return ()


def _kind_of_call(name: str, count: int) -> Kind:
    """The backward pass of the operation of that name; of one with rows for other arguments, the row that takes so many."""
    rows = [row for row, operation in OPERATIONS.items() if name in {row, operation.public}]
    kinds = [kind_of(f"{row}_backward") for row in rows]
    return next((kind for kind in kinds if len(kind.cases[0].args) == 1 + count), kinds[0])


def known_call(forward: Callable[..., Any], dy: Any, given: Sequence[Any], options: dict[str, Any]) -> Known | None:
    """The call of `forward` as one of an operation whose backward pass can be graded; None where it is none of ours."""
    inner = forward
    while isinstance(inner, partial) and not inner.args:
        options, inner = {**inner.keywords, **options}, inner.func
    name = getattr(inner, "__name__", "")
    if name not in OPERATIONS or not getattr(inner, "__module__", "").startswith("jcnn."):
        return None
    row = OPERATIONS[name]
    options = {key: value for key, value in options.items() if key not in _WAYS | row.forward_only}
    values = [np.asarray(arg, np.float64) if is_real(arg) else arg for arg in given]
    if row.bias:
        values = values[:2]  # a bias has no say in the gradients
    kind = _kind_of_call(name, len(values))
    names = list(kind.cases[0].args)
    positional = names[1 + len(values) :]
    if any(place not in options for place in positional):
        return None
    # A window's size may have been given by name; references take it by position.
    values += [options.pop(place) for place in positional]
    if len(names) != 1 + len(values):
        return None
    args = dict(zip(names, [np.asarray(dy, np.float64), *values], strict=True))
    return Known(kind, Case("", args, options, frozenset(), whole=False))
