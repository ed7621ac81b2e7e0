"""What is wrong with gradients that were compared, in a sentence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jcnn.check.bounds import Expected
from jcnn.check.comparing.autodiff import Trial
from jcnn.check.comparing.own_operations import Known
from jcnn.check.diagnose import known_mistakes
from jcnn.check.outcome import Outcome
from jcnn.check.report import Row, Verdict

Array = np.ndarray

# What is read from memory that nobody wrote may be right by chance.
_SHARED = 0.8


def explained(
    verdict: Verdict,
    rows: Sequence[Row],
    trial: Trial,
    got: Sequence[Array | None],
    precision: str,
    known: Known | None,
) -> tuple[str | None, tuple[str, ...]]:
    """What is wrong in a sentence, with autodiff's part in it, and the names of the known mistakes that give these numbers."""
    sentence, names = _of_candidate(verdict, rows, trial.expected, got, precision, known)
    if trial.wrong is None:
        return sentence, names
    if verdict != "bug":
        right = f"Autodiff is wrong here, the candidate is right: {trial.wrong}."
        return f"{right} {sentence}" if sentence else right, names
    if shared := _shared(got, trial):
        return f"Both the candidate and autodiff are wrong here, {shared}: {trial.wrong}.", names
    return f"{sentence} Autodiff is wrong here as well: {trial.wrong}.", names


def _shared(got: Sequence[Array | None], trial: Trial) -> str:
    """What the candidate's wrong numbers have in common with autodiff's."""
    same, mine, its = True, [], []
    for leaf, other, right in zip(got, trial.given, trial.expected, strict=True):
        if leaf is None:
            continue
        near = 1e-2 * float(np.abs(right.value).max(initial=0))
        same = same and np.allclose(leaf, other, rtol=1e-5, atol=1e-5 * near, equal_nan=True)
        mine.append(~(np.abs(leaf - right.value) <= near).reshape(-1))
        its.append(~(np.abs(other - right.value) <= near).reshape(-1))
    if same:
        return "by the same numbers"
    one, other = np.concatenate(mine), np.concatenate(its)
    most = not one.all() and (one & other).sum() > _SHARED * (one | other).sum()
    return "in the same elements" if most else ""


def _of_candidate(
    verdict: Verdict,
    rows: Sequence[Row],
    expected: Sequence[Expected],
    got: Sequence[Array | None],
    precision: str,
    known: Known | None,
) -> tuple[str | None, tuple[str, ...]]:
    if verdict == "agrees":
        return None, ()
    found = _named(rows, got, known)
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
            sentences.append(row.remark or f"{row.leaf} {resemblance(right.value, leaf)}.")
    return " ".join(sentences), ()


def _named(rows: Sequence[Row], got: Sequence[Array | None], known: Known | None) -> Any:
    """The catalogue's answer, where forward is an operation of ours."""
    if known is None or not (right := known.expected(len(known.kind.leaves))):
        return ()
    wrong = [{number for number, row in enumerate(rows) if row.verdict != "agrees"}]
    return known_mistakes(known.kind, (known.case,), [Outcome(tuple(got))], [right], wrong)


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
