"""The formulas beside the layers: every activation is graded, by something that the judged code has no part in."""

import inspect
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import jcnn
from jcnn.check.formulas import ACTIVATIONS
from jcnn.check.operations import OPERATIONS
from jcnn.layers import Activation, formula
from tests.references import assert_agree, normal

LAYERS = [value for value in vars(jcnn).values() if isinstance(value, type) and issubclass(value, Activation)]
WITH_FORMULA: list[Any] = [layer for layer in LAYERS if layer.formula]


def test_every_activation_is_graded() -> None:
    graded = {layer.function.__name__ for layer in LAYERS}  # pyright: ignore[reportFunctionMemberAccess]
    assert graded <= set(OPERATIONS)
    assert len(graded) == len(LAYERS)
    assert graded - set(ACTIVATIONS) == {"maxout"}


@pytest.mark.parametrize("layer", WITH_FORMULA)
def test_a_formula_is_that_of_its_layer(layer: Any) -> None:
    """Of its function, its derivative, and of its fields by their names."""
    x, dy = normal(3, 5), normal(3, 5, seed=1)
    named = {name: value for values in layer.formula.parameters.values() for name, value in values.items()}
    for options in ({}, *layer.formula.parameters.values()):
        made = layer(**options)
        y, saved = made.forward({}, x)
        assert_agree(y, layer.formula.value(x, **options))
        assert_agree(made.backward({}, saved, dy)[0], dy * layer.formula.slope(x, **options))
    assert set(named) == set(inspect.signature(layer).parameters)


@pytest.mark.parametrize("layer", WITH_FORMULA)
def test_a_formula_is_numpy_alone(layer: Any) -> None:
    for function in (layer.formula.value, layer.formula.slope):
        if isinstance(function, FunctionType):
            used = {function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__}
            assert {getattr(value, "__name__", "") for value in used if inspect.ismodule(value)} <= {"numpy", "math"}
            assert all(value.__module__ == formula.__name__ for value in used if isinstance(value, FunctionType))
        else:
            assert isinstance(function, np.ufunc)


def test_what_formulas_are_made_of_knows_nothing_of_ours() -> None:
    lines = Path(formula.__file__).read_text().splitlines()
    imported = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
    assert imported == {"math", "collections.abc", "typing", "numpy"}
