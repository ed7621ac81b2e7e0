"""The measurement of rules: a stated rule is held against the mutant in calls that are drawn."""

import pytest

from experiments.mutation.mutants import mutants_of
from experiments.mutation.scores import STUDENTS
from experiments.mutation_rules import Stated, check, right, rows, state


def _stated(name: str, every: int) -> list[Stated]:
    (student,) = [student for student in STUDENTS if student.name == name]
    return list(state(student, mutants_of(student.function)[::every], draws=20))


@pytest.mark.parametrize("name", ["sigmoid_backward: sigmoid_backward", "mean_squared_error_backward: squared_backward"])
def test_most_slips_are_said_as_rules_that_are_the_slip(name: str) -> None:
    found = _stated(name, 4)
    assert len(found) > 5
    assert all(entry.rules or entry.problem for entry in found if right(entry))
    check(found)
    assert rows(found)[-1][0] == "all"


def test_another_rule_than_the_mutation_does_not_count() -> None:
    entry = _stated("sigmoid_backward: sigmoid_backward", 4)[0]
    assert right(entry._replace(holds=True))
    assert not right(entry._replace(holds=False))
    assert not right(entry._replace(holds=None, rules=(), problem=None))
    with pytest.raises(AssertionError, match="0 of 1"):
        check([entry._replace(holds=False)])
