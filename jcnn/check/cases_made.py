"""Cases made of those of the convolution: the way back of its adjoint, and filters that are not shared."""

from collections.abc import Sequence
from typing import Any

from jcnn.check.cases import Case, conv_cases, scaled, values_of
from jcnn.definition import sums


def conv_transpose_backward_cases() -> tuple[Case, ...]:
    """The cases of `conv_transpose`, with an output gradient; its shape says which `output_size` it was."""
    found = []
    for case in conv_cases("conv_transpose"):
        if case.twin:
            continue
        shape = sums.conv_transpose(*case.args.values(), **case.options).shape
        dx = values_of("whole" if case.whole else "normal", shape, "dx" + case.name)
        options = {name: value for name, value in case.options.items() if name not in {"output_size", "output_padding"}}
        args = {"dx": dx, "y": case.args["y"], "w": case.args["w"]}
        found.append(Case(case.name, args, options, case.features - {"output_size", "a bias"}, case.whole))
    return (*found, *_twins(found))


def locally_connected_cases(kind: str) -> tuple[Case, ...]:
    """The cases of `conv` without groups and ways of rounding, with filters and biases of its own for every position."""
    found = []
    for case in conv_cases("locally_connected"):
        if case.twin or {"groups", "rounding"} & set(case.options):
            continue
        values = "whole" if case.whole else "normal"
        x, shared = case.args["x"], case.args["w"]
        outputs = sums.walk(x.shape[1:-1], shared.shape[:-2], case.options).output_shape(x.shape[1:-1])
        w = values_of(values, (*outputs, *shared.shape), "w" + case.name)
        args: dict[str, Any] = {"x": x, "w": w}
        if kind.endswith("backward"):
            dy = values_of(values, (len(x), *outputs, shared.shape[-1]), "dy" + case.name)
            found.append(Case(case.name, {"dy": dy, **args}, case.options, case.features - {"a bias"}, case.whole))
            continue
        if "b" in case.args:
            args["b"] = values_of(values, (*outputs, shared.shape[-1]), "b" + case.name)
        found.append(Case(case.name, args, case.options, case.features, case.whole))
    return (*found, *_twins(found))


def _twins(found: Sequence[Case]) -> list[Case]:
    """Those of a case that every candidate takes."""
    plain = next(case for case in found if case.name == "any numbers, one square example")
    return scaled(plain, *([name] for name in plain.args))
