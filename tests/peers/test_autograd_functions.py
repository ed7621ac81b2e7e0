"""Functions, modules and `autograd.Function`s of PyTorch in the ways in which they are written."""

from typing import Any

import numpy as np
import pytest

from jcnn.check.operations import kind_of
from jcnn.check.outcome import Misfit, Outcome, call
from jcnn.check.styles.adapt import adapt
from jcnn.check.styles.calling import UnfitError
from jcnn.check.styles.expected import call_of

torch = pytest.importorskip("torch")

SOURCE = """
import torch
import torch.nn.functional as F

def by_name(x, w, b=None, *, stride=1, padding=0):
    return F.conv2d(x, w, b, stride, padding)

def any_name(x, w, b=None, **options):
    return F.conv2d(x, w, b, **options)

def any_place(x, w, *rest):
    return F.conv2d(x, w, *rest)

class Module(torch.nn.Module):
    def forward(self, x, w, b=None, stride=1, padding=0):
        return F.conv2d(x, w, b, stride, padding)

module = Module()

class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.clamp_(min=0)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * (y > 0)

class Changing(InPlace):
    @staticmethod
    def forward(ctx, x):
        x.clamp_(min=0)
        ctx.save_for_backward(x)
        return x.clone()

def nothing(x):
    pass
"""


def outcomes(name: str, kind: str) -> list[Outcome]:
    """What a candidate does with the first cases that have its options."""
    space: dict[str, Any] = {}
    exec(SOURCE, space)  # noqa: S102 (our own words)
    known = kind_of(kind)
    adapted = adapt(space[name], space, call_of(known, "NCHW", "torch"), Misfit).candidate
    return [call(adapted, known, case) for case in known.cases]


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        *((name, kind, {"stride", "padding"}) for name in ("by_name", "module") for kind in ("conv", "conv_backward")),
        *(("any_name", kind, {"stride", "padding", "dilation", "groups"}) for kind in ("conv", "conv_backward")),
        *(("any_place", kind, set[str]()) for kind in ("conv", "conv_backward")),
        *(("InPlace", kind, set[str]()) for kind in ("relu", "relu_backward")),
    ],
)
def test_a_right_one_is_right_with_all_options_that_it_takes(name: str, kind: str, options: set[str]) -> None:
    known = kind_of(kind)
    taken: set[str] = set()
    compared = 0
    for case, outcome in zip(known.cases, outcomes(name, kind), strict=True):
        x = case.args["x"]
        if outcome.declined or (x.ndim != 4 and "conv" in kind):
            continue
        assert outcome.problem is None, (case.name, outcome)
        taken |= set(case.options)
        for right, got in zip(known.expected(case), outcome.leaves, strict=True):
            assert got is not None
            scale = np.abs(right.value).max(initial=1)
            np.testing.assert_allclose(got, right.value, rtol=1e-9, atol=1e-9 * scale, err_msg=case.name)
            compared += 1
    assert taken == options
    assert compared >= 8


@pytest.mark.parametrize("kind", ["relu", "relu_backward"])
def test_what_is_changed_in_place_without_saying_so_is_seen(kind: str) -> None:
    problems = [outcome.problem for outcome in outcomes("Changing", kind)]
    assert "It changes its argument x in place: work on a copy." in problems


def test_none_for_a_tensor_is_said() -> None:
    assert outcomes("nothing", "relu")[0].problem == "y is None: expected an array."
    assert outcomes("nothing", "relu_backward")[0].problem == "Its forward returns None: expected a tensor."


def test_a_class_that_is_no_function_of_autograd_is_refused() -> None:
    with pytest.raises(UnfitError, match=r"is a class, but no torch\.autograd\.Function"):
        adapt(dict, {}, call_of(kind_of("relu"), "NCHW", "torch"), Misfit)
