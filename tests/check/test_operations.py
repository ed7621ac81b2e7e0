"""The table of operations: every row complete and true to its cases, an activation's row made from its formula alone."""

import ast
from pathlib import Path

import numpy as np
import pytest

from jcnn.check import formulas
from jcnn.check.operations import KINDS, OPERATIONS, activation, kind_of, own_cases
from jcnn.layers.formula import Formula

CHECK = Path(formulas.__file__).parent
ROOMS = ("grading", "comparing", "selfcheck")
TOP = {"__init__.py", "command.py"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_row_is_true_to_its_cases(name: str) -> None:
    row = OPERATIONS[name]
    forward, backward = kind_of(name).cases, kind_of(f"{name}_backward").cases
    assert {case.name for case in own_cases(name)} == set(row.checked or [case.name for case in forward])
    for case in (*forward, *own_cases(name)):
        y = row.forward.reference(*case.args.values(), **case.options)
        if row.bias and "b" in case.args:
            assert case.args["b"].shape == row.bias(case)
        assert isinstance(y, np.ndarray)
        assert len(row.forward.leaves) == 1
    for case in backward:
        assert row.forward_only.isdisjoint(case.options)
        outputs = row.backward.reference(*case.args.values(), **case.options)
        assert len(row.backward.leaves) == (len(outputs) if isinstance(outputs, tuple) else 1)
    assert not row.of_images or any(np.ndim(next(iter(case.args.values()))) == 4 for case in forward)
    options = {option for case in forward for option in case.options}
    assert options - {option for case in backward for option in case.options} == row.forward_only & options


def test_names_come_in_pairs() -> None:
    assert tuple(kind for name in OPERATIONS for kind in (name, f"{name}_backward")) == KINDS


def test_an_activation_needs_its_formula_alone() -> None:
    """Squared relu with another slope: values, parameters and the kink all come from the formula."""
    squared = Formula(
        lambda x, scale=1.0: scale * np.where(x > 0, x, 0) ** 2 + x,
        lambda x, scale=1.0: np.where(x > 0, 2 * scale * x + 1, 1.0),
        lambda scale=1.0: 3.0,
        parameters={"another scale": {"scale": 0.5}},
    )
    row = activation("squared_relu", squared)
    cases = row.cases(backward=True)
    assert {"scale": 0.5} in [case.options for case in cases]
    zeros = next(case for case in cases if case.name == "zeros")
    assert row.backward.kinks is not None
    ((low, high, together),) = row.backward.kinks(zeros)
    dy = zeros.args["dy"]
    np.testing.assert_array_equal(low, np.minimum(dy, 3 * dy))
    np.testing.assert_array_equal(high, np.maximum(dy, 3 * dy))
    assert together is None
    for case in (*row.cases(backward=False), *cases):
        function = row.backward if "dy" in case.args else row.forward
        ((terms, _),) = function.terms(function.reference, case)
        assert (terms >= np.abs(function.reference(*case.args.values(), **case.options))).all()


STAND_ON = {"classroom": ("grading",)}
"""Rooms that are built on others: a class is graded submission by submission."""


def imported(file: Path) -> set[str]:
    """The rooms that a file imports from."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    names = [f"{node.module}.{alias.name}" for node in nodes for alias in node.names]
    return {room for room in ROOMS for name in names if name.startswith(f"jcnn.check.{room}")}


@pytest.mark.parametrize("file", sorted(CHECK.rglob("*.py")), ids=lambda file: str(file.relative_to(CHECK)))
def test_rooms_import_what_they_share_and_never_each_other(file: Path) -> None:
    place = file.relative_to(CHECK)
    if len(place.parts) == 1 and place.name in TOP:
        assert imported(file)
    else:
        assert imported(file) <= {place.parts[0], *STAND_ON.get(place.parts[0], ())}
