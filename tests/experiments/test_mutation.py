"""The mutants: made as they should be, found by the cases, and the plain implementations they are made of are right."""

import ast
from typing import Any

import numpy as np
import pytest

from experiments.mutation import scores
from experiments.mutation.mutants import compiled, mutants_of, source_of
from experiments.mutation.scores import STUDENTS, refusing, restrictions_of, score, verdict_of
from experiments.mutation.student import Student
from jcnn.check import KINDS, cases, grade
from jcnn.check.operations import kind_of
from tests.draws import DRAWS

Array = np.ndarray
# Operations of which no plain implementation is mutated yet.
NOT_MUTATED = {
    name + suffix
    for name in ("batch_norm", "batch_norm_evaluation", "layer_norm", "group_norm", "dropout", "upsample")
    for suffix in ("", "_backward")
}
BY_KIND = {kind: [student for student in STUDENTS if student.kind == kind] for kind in KINDS if kind not in NOT_MUTATED}
# A few of each implementation by default, nearly all in the deep tests.
SAMPLE = max(DRAWS // 10, 4)


@pytest.mark.parametrize("kind", BY_KIND)
def test_every_mutant_is_found(kind: str) -> None:
    """A sample, the same every time; `experiments/mutation_scores.py` takes all."""
    assert len(BY_KIND[kind]) >= 2
    for student in BY_KIND[kind]:
        chosen = mutants_of(student.function, SAMPLE)
        missed = [f"{s.restriction}: {s.mutant.before} → {s.mutant.after}" for s in score(student, chosen, 25) if s.missed]
        assert not missed, (student.name, missed)


@pytest.mark.parametrize("student", STUDENTS, ids=lambda student: student.name)
def test_right_implementations_agree_whatever_they_take(student: Student) -> None:
    for restriction in restrictions_of(student):
        assert verdict_of(student, restriction) == "agrees", restriction
    report = grade(refusing(student, student.function), student.kind)
    assert report.verdict == "agrees", report


@pytest.mark.parametrize(
    "student", [students[0] for students in BY_KIND.values()][:: 1 if DRAWS > 100 else 3], ids=lambda student: student.name
)
def test_right_implementations_in_float32_are_rounding(student: Student) -> None:
    def candidate(*args: Any, **options: Any) -> Any:
        given = [a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype == np.float64 else a for a in args]
        outputs = student.function(*given, **options)
        return tuple(map(np.float32, outputs)) if isinstance(outputs, tuple) else np.float32(outputs)

    report = grade(refusing(student, candidate), student.kind)
    assert report.verdict == "rounding", report


def add_up(x: Array, size: int) -> Array:
    """Sums of neighbours."""
    y = np.zeros(len(x) - size + 1)
    for i in range(len(y)):
        for k in range(size):
            y[i] += x[i + k]
    return y


def test_mutants_are_the_slips_of_one_place() -> None:
    mutants = mutants_of(add_up)
    made = {mutant.after for mutant in mutants}
    assert {
        "y = np.zeros(len(x) - size - 1)",
        "y = np.zeros(len(x) - size + 0)",
        "y = np.zeros(len(x) - size + 1, dtype=np.float16)",
        "for k in range(size - 1):",
        "for k in range(1, size):",
        "y[i] = x[i + k]",
        "y[i] += x[i - k]",
        "y[k] += x[i + k]",
        "y[i + 1] += x[i + k]",
        "pass",
        "return np.round(y, 3)",
        "x = x + 1e-08",
    } <= made
    assert len(mutants) == len({mutant.source for mutant in mutants}) > 50
    assert {mutant.precision for mutant in mutants if "float16" in mutant.after} == {True}
    for mutant in mutants:
        ast.parse(mutant.source)
        assert mutant.source != source_of(add_up)


def mean_of_maps(x: Array) -> Array:
    total = np.zeros((x.shape[0], x.shape[-1]))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            total += x[:, i, j]
    return total / (x.shape[1] * x.shape[2])


def verdicts_of(student: Student) -> dict[str, tuple[str, bool]]:
    return {s.mutant.after: (s.verdict, s.equivalent) for s in score(student, mutants_of(student.function), 30)}


def test_mutants_that_make_no_difference_are_the_same_function() -> None:
    found = verdicts_of(Student(mean_of_maps, "global_avg_pool"))
    assert found["for i in reversed(range(x.shape[1])):"] == ("agrees", True)
    assert found["return total / (x.shape[2] * x.shape[2])"] == ("bug", False)
    assert found["total = np.zeros((x.shape[0], x.shape[-1]), dtype=np.float32)"] == ("rounding", False)


def test_too_few_cases_miss_mutants(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = kind_of("global_avg_pool")
    number = next(n for n, case in enumerate(kind.cases) if case.name == "2×2 pixels")
    poor = kind.__class__(**{**vars(kind), "cases": (kind.cases[number],)})
    monkeypatch.setattr(scores, "kind_of", lambda _: poor)
    monkeypatch.setattr(scores, "expected_of", lambda kind: [kind.expected(case) for case in kind.cases])
    assert isinstance(kind.cases[0], cases.Case)
    found = verdicts_of(Student(mean_of_maps, "global_avg_pool"))
    assert found["return total / (x.shape[2] * x.shape[2])"] == ("agrees", False)


def test_a_mutant_that_takes_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "_SECONDS", 0.2)

    def waiting(x: Array) -> Array:
        while True:
            x = x + 0

    student = Student(mean_of_maps, "global_avg_pool")
    mutant = mutants_of(mean_of_maps)[0]._replace(source=source_of(waiting).replace("waiting", "mean_of_maps"))
    assert callable(compiled(mutant.source, mean_of_maps))
    (scored,) = score(student, [mutant], 1)
    assert (scored.verdict, scored.equivalent) == ("bug", False)
