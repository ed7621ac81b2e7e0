"""What is wrong with gradients that were compared, in a sentence."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.derived import is_real
from jcnn.check.diagnose import known_mistakes
from jcnn.check.kinds import KINDS, Expected, kind_of
from jcnn.check.outcome import Outcome
from jcnn.check.report import Row, Verdict

Array = np.ndarray


def explained(
    verdict: Verdict,
    rows: Sequence[Row],
    expected: Sequence[Expected],
    got: Sequence[Array | None],
    precision: str,
    called: tuple[Callable[..., Any], Any, Sequence[Any], dict[str, Any]],
) -> tuple[str | None, tuple[str, ...]]:
    """What is wrong in a sentence, and the names of the known mistakes that give these numbers."""
    if verdict == "agrees":
        return None, ()
    found = _named(rows, got, *called)
    if found:
        return " ".join(dict.fromkeys(f"{leaf}: {m.sentence}" if leaf else m.sentence for leaf, m in found)), tuple(
            dict.fromkeys(mistake.name for _, mistake in found)
        )
    if verdict == "rounding":
        return f"Right as far as {precision} arithmetic goes: somewhere it computes in {precision}.", (
            f"{precision} arithmetic",
        )
    if verdict == "kink":
        return "At ties or zeros it chooses another of the possible gradients; everywhere else it agrees.", ()
    sentences = []
    for row, right, leaf in zip(rows, expected, got, strict=True):
        if row.verdict == "bug" and leaf is not None:
            sentences.append(f"{row.leaf} {resemblance(right.value, leaf)}.")
    return " ".join(sentences), ()


def _named(
    rows: Sequence[Row],
    got: Sequence[Array | None],
    forward: Callable[..., Any],
    dy: Any,
    given: Sequence[Any],
    options: dict[str, Any],
) -> Any:
    """The catalogue's answer, where forward is an operation of ours."""
    inner = forward
    while isinstance(inner, partial) and not inner.args:
        options, inner = {**inner.keywords, **options}, inner.func
    name = f"{getattr(inner, '__name__', '')}_backward"
    if name not in KINDS or not getattr(inner, "__module__", "").startswith("jcnn."):
        return ()
    kind = kind_of(name)
    options = {key: value for key, value in options.items() if key not in {"formulation", "gradient"}}
    values = [np.asarray(arg, np.float64) if is_real(arg) else arg for arg in given]
    if name in {"conv_backward", "dense_backward"}:
        values = values[:2]
    names = list(kind.cases[0].args)
    if len(names) != 1 + len(values):
        return ()
    args = dict(zip(names, [np.asarray(dy, np.float64), *values], strict=True))
    case = Case("", args, options, frozenset(), whole=False)
    wrong = [{number for number, row in enumerate(rows) if row.verdict != "agrees"}]
    return known_mistakes(kind, (case,), [Outcome(tuple(got))], [kind.expected(case)], wrong)


def resemblance(right: Array, got: Array) -> str:
    """What the wrong values look like, as a clause."""
    scale = float(np.abs(right).max(initial=0))

    def same(one: Array, other: Array) -> bool:
        return one.shape == other.shape and bool((np.abs(one - other) <= 1e-6 * scale).all())

    if not np.isfinite(got).all():
        return f"has {int((~np.isfinite(got)).sum())} numbers that are NaN or infinite"
    if not got.any():
        return "is 0 everywhere"
    if same(got, -right):
        return "has the wrong sign"
    factor = float(np.sum(got * right) / np.sum(right * right)) if right.any() else 0.0
    if factor and same(got, factor * right):
        return f"is {factor:.6g} times what it should be, everywhere"
    for axis in range(right.ndim):
        if right.shape[axis] > 1 and same(got, np.flip(right, axis)):
            return f"is turned round along axis {axis}"
    for one in range(right.ndim):
        for other in range(one + 1, right.ndim):
            if same(got, right.swapaxes(one, other)):
                return f"has axes {one} and {other} exchanged"
    off = np.abs(got - right) > 1e-6 * scale
    return f"is wrong in {int(off.sum())} of {off.size} elements"
