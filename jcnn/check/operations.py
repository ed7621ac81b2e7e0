"""Every operation that can be graded and checked, one row for each: outputs, reference, cases, bounds and kinks.

Grading a candidate, comparing with an operation of ours, the catalogue of mistakes and the check of our own operations all read
this table. A new operation is one row here and its reference, in `jcnn/definition/sums.py` if it moves a window, else in
`formulas.py`. An activation needs no row, only the formula that its layer has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from jcnn.check import bounds, formulas, normalisations, ties
from jcnn.check.bounds import Expected, Terms, as_leaves
from jcnn.check.cases import Case, layers, windows
from jcnn.check.cases import normalisations as normal_cases
from jcnn.check.ties import Choices
from jcnn.definition import sums
from jcnn.layers.formula import Formula
from jcnn.names import meant

Array = np.ndarray
Cases = Callable[..., tuple[Case, ...]]


@dataclass(frozen=True)
class Function:
    """The forward or the backward pass of an operation.

    Attributes:
        leaves: the names of its outputs.
        reference: the right function.
        terms: from the reference and a case Σ|terms| and their number for every output, from which its bounds follow.
        kinks: the choices at kinks for every output; None where it is smooth.
        linear: linear in each array, so that whole numbers stay whole and fast algorithms may mix elements.
    """

    leaves: tuple[str, ...]
    reference: Callable[..., Any]
    terms: Callable[[Callable[..., Any], Case], Terms]
    kinks: Callable[[Case], list[Choices]] | None = None
    linear: bool = False


@dataclass(frozen=True)
class Operation:
    """A row of the table.

    Attributes:
        forward: what it gives.
        backward: its gradients.
        cases: makes the cases of its forward or, with `backward=True`, of its backward pass.
        of_images: takes examples of height, width and channels; else examples and numbers.
        bias: the shape of its bias in a case; None where it has none.
        by_rule: takes `gradient="manual"`, so that autodiff goes through its rule.
        forward_only: options that its backward does not take, since the output gradient's shape says them.
        checked: the names of those that it is checked on, which have everything between them; None: all.
        own: makes the cases that our own is checked on, where candidates are not given them all; as `cases`.
        public: the name of our own, where it is not that of the row.
    """

    forward: Function
    backward: Function
    cases: Cases
    of_images: bool = False
    bias: Callable[[Case], tuple[int, ...]] | None = None
    by_rule: bool = False
    forward_only: frozenset[str] = frozenset()
    checked: tuple[str, ...] | None = None
    own: Cases | None = None
    public: str | None = None


def _linear(reference: Callable[..., Any], *leaves: str) -> Function:
    """A function that is linear in every array: its terms are its own sums."""
    return Function(leaves, reference, bounds.linear_terms, linear=True)


def _selecting(reference: Callable[..., Any]) -> Function:
    """A maximum, which rounds nothing."""
    return Function(("y",), reference, bounds.selected_terms)


def _sent_back(reference: Callable[..., Any], choices: Callable[[Case], list[Choices]]) -> Function:
    """The gradient of a maximum: linear in dy, with a choice where pixels tie."""
    return Function(("dx",), reference, bounds.linear_in_dy_terms, choices, linear=True)


def activation(name: str, formula: Formula) -> Operation:
    """The row of an activation, all of it from its formula."""
    terms = bounds.straight_terms if formula.straight else bounds.curved_terms

    def backward(dy: Array, x: Array, *parameters: Any, **options: Any) -> Array:
        return dy * formula.slope(x, *parameters, **options)

    def choices(case: Case) -> list[Choices]:
        dy, x = case.args.values()
        here = dy * formula.slope(x, **case.options)
        other = dy * (formula.other(**case.options) if formula.other else 0.0)
        at_kink = (x == 0) & (formula.other is not None)
        return [(np.where(at_kink, np.minimum(here, other), here), np.where(at_kink, np.maximum(here, other), here), None)]

    return Operation(
        Function(("y",), formula.value, lambda _, case: terms(formula.value, case)),
        Function(("dx",), backward, lambda _, case: terms(formula.slope, case), choices),
        partial(layers.activation_cases, name, formula),
    )


def _normalisation(name: str, cases: Cases, checked: tuple[str, ...]) -> Operation:
    """The row of a normalisation by statistics of x itself."""
    return Operation(
        Function(("y",), getattr(normalisations, name), normalisations.FORWARD_TERMS[name]),
        Function(("dx", "dscale", "doffset"), getattr(normalisations, f"{name}_backward"), normalisations.BACKWARD_TERMS[name]),
        cases,
        of_images=True,
        by_rule=True,
        own=partial(cases, own=True),
        checked=(*checked, "a constant channel", "another epsilon", "numbers far from 0", "any numbers"),
    )


def _filters(case: Case) -> tuple[int, ...]:
    return (case.args["w"].shape[-1],)


def _channels_of_the_adjoint(case: Case) -> tuple[int, ...]:
    return (case.args["w"].shape[-2] * case.options.get("groups", 1),)


def _filters_at_every_position(case: Case) -> tuple[int, ...]:
    return (*case.args["w"].shape[: case.args["x"].ndim - 2], case.args["w"].shape[-1])


OPERATIONS: dict[str, Operation] = {
    "conv": Operation(
        _linear(sums.conv, "y"),
        _linear(sums.conv_backward, "dx", "dw", "db"),
        windows.conv_cases,
        of_images=True,
        bias=_filters,
        by_rule=True,
        checked=("windows that overlap", "padding", "dilation, stride and padding", "two groups", "any numbers"),
    ),
    "convolve": Operation(
        _linear(sums.convolve, "y"),
        _linear(sums.convolve_backward, "dx", "dw", "db"),
        windows.conv_cases,
        of_images=True,
        bias=_filters,
        by_rule=True,
        checked=("dilation, stride and padding", "two groups", "any numbers"),
    ),
    "conv_transpose": Operation(
        _linear(sums.conv_transpose, "x"),
        _linear(sums.conv_transpose_backward, "dy", "dw", "db"),
        windows.conv_transpose_cases,
        of_images=True,
        bias=_channels_of_the_adjoint,
        forward_only=sums.SIZE_OPTIONS,
        checked=(
            *("asymmetric padding", "dilation, stride and padding", "two groups", "a stride that leaves a rest", "any numbers"),
        ),
    ),
    "locally_connected": Operation(
        _linear(sums.locally_connected, "y"),
        _linear(sums.locally_connected_backward, "dx", "dw", "db"),
        windows.locally_connected_cases,
        of_images=True,
        bias=_filters_at_every_position,
        checked=("padding", "asymmetric padding", "dilation, stride and padding", "any numbers"),
    ),
    "dense": Operation(
        _linear(formulas.dense, "y"),
        _linear(formulas.dense_backward, "dx", "dw", "db"),
        layers.dense_cases,
        bias=_filters,
        checked=("a square matrix", "a layer at every pixel", "any numbers"),
    ),
    "flatten": Operation(
        Function(("y",), formulas.flatten, bounds.linear_terms),
        Function(("dx",), formulas.flatten_backward, bounds.linear_in_dy_terms),
        layers.flatten_cases,
        of_images=True,
    ),
    "maxout": Operation(
        _selecting(formulas.maxout),
        _sent_back(formulas.maxout_backward, ties.maxout_choices),
        layers.maxout_cases,
    ),
    "max_pool": Operation(
        _selecting(sums.max_pool),
        _sent_back(sums.max_pool_backward, ties.max_pool_choices),
        partial(windows.pool_cases, average=False),
        of_images=True,
        by_rule=True,
        checked=("ties", "dilation, stride and padding", "a window that hangs over (ceil)", "any numbers"),
    ),
    "avg_pool": Operation(
        Function(("y",), sums.avg_pool, bounds.averaged_terms),
        Function(("dx",), sums.avg_pool_backward, bounds.averaged_terms),
        partial(windows.pool_cases, average=True),
        of_images=True,
        checked=("padding and stride", "padding and stride, counted", "a window that hangs over (ceil)", "any numbers"),
    ),
    "global_max_pool": Operation(
        _selecting(formulas.global_max_pool),
        _sent_back(formulas.global_max_pool_backward, ties.global_max_pool_choices),
        partial(layers.global_cases, largest=True),
        of_images=True,
        checked=("ties", "three axes", "one large map"),
    ),
    "global_avg_pool": Operation(
        Function(("y",), formulas.global_avg_pool, bounds.averaged_terms),
        Function(("dx",), formulas.global_avg_pool_backward, bounds.averaged_terms),
        partial(layers.global_cases, largest=False),
        of_images=True,
        checked=("maps that are not square", "three axes", "one large map"),
    ),
    "upsample": Operation(
        Function(("y",), formulas.upsample, bounds.enlarged_terms),
        Function(("dx",), formulas.upsample_backward, bounds.enlarged_terms),
        normal_cases.upsample_cases,
        of_images=True,
        checked=(
            *("a factor of its own for every axis", "three axes", "by lines, a factor of 3", "by lines, a single pixel"),
            *("by lines, one axis", "any numbers"),
        ),
    ),
    "batch_norm": _normalisation("batch_norm", normal_cases.batch_cases, ("three axes",)),
    "batch_norm_evaluation": Operation(
        Function(("y",), normalisations.batch_norm_evaluation, normalisations.evaluation_terms),
        Function(
            ("dx", "dscale", "doffset", "dmean", "dvariance"),
            normalisations.batch_norm_evaluation_backward,
            normalisations.evaluation_backward_terms,
        ),
        normal_cases.evaluation_cases,
        of_images=True,
        by_rule=True,
        checked=("no spatial axes", "a constant channel", "another epsilon", "any numbers"),
        own=partial(normal_cases.evaluation_cases, own=True),
        public="batch_norm",
    ),
    "layer_norm": _normalisation("layer_norm", normal_cases.layer_cases, ("no spatial axes", "whole examples")),
    "group_norm": _normalisation(
        "group_norm", normal_cases.group_cases, ("one axis", "one group", "as many groups as channels")
    ),
    "dropout": Operation(
        Function(("y",), formulas.dropout, bounds.masked_terms),
        Function(("dx",), formulas.dropout_backward, bounds.masked_terms),
        normal_cases.dropout_cases,
        checked=("whole maps", "any numbers"),
    ),
    **{name: activation(name, formula) for name, formula in formulas.ACTIVATIONS.items()},
    "softmax": Operation(
        Function(("y",), formulas.softmax, bounds.softmax_terms),
        Function(("dx",), formulas.softmax_backward, bounds.softmax_backward_terms),
        layers.softmax_cases,
    ),
    "log_softmax": Operation(
        Function(("y",), formulas.log_softmax, bounds.log_softmax_terms),
        Function(("dx",), formulas.log_softmax_backward, bounds.log_softmax_backward_terms),
        layers.softmax_cases,
    ),
    "softmax_cross_entropy": Operation(
        Function(("y",), formulas.softmax_cross_entropy, bounds.cross_entropy_terms),
        Function(("dlogits",), formulas.softmax_cross_entropy_backward, bounds.cross_entropy_backward_terms),
        partial(layers.softmax_cases, entropy=True),
        checked=(
            *("one class", "logits far apart", "logits of ±1000", "soft labels", "any numbers"),
            *("smoothed labels, weighted classes and an ignored label", "soft labels, smoothed and weighted"),
        ),
    ),
    "mean_squared_error": Operation(
        Function(("y",), formulas.mean_squared_error, bounds.squared_error_terms),
        Function(("dprediction",), formulas.mean_squared_error_backward, bounds.squared_error_backward_terms),
        layers.squared_cases,
    ),
}
"""The table, by the operations' public names."""

_BACKWARD = "_backward"

KINDS = tuple(name + suffix for name in OPERATIONS for suffix in ("", _BACKWARD))
"""Every name that `grade` takes."""


@dataclass(frozen=True)
class Kind:
    """What a candidate is graded as: a function of the table, with its cases.

    Attributes:
        name: as `grade` takes it.
        function: what the table says of it.
        cases: all of them.
        of_images: as of the operation.
    """

    name: str
    function: Function
    cases: tuple[Case, ...]
    of_images: bool

    @property
    def leaves(self) -> tuple[str, ...]:
        """The names of its outputs."""
        return self.function.leaves

    @property
    def reference(self) -> Callable[..., Any]:
        """The right function."""
        return self.function.reference

    @property
    def linear(self) -> bool:
        """As of the function."""
        return self.function.linear

    @property
    def required(self) -> frozenset[str]:
        """The options that every call of it has."""
        first, *others = self.cases
        names = set(first.options)
        for case in others:
            if not names:
                break
            names.intersection_update(case.options)
        return frozenset(names)

    def expected(self, case: Case) -> tuple[Expected, ...]:
        """The right outputs of a case, their bounds and kinks."""
        values = as_leaves(self.reference(*case.args.values(), **case.options))
        kinks = self.function.kinks
        choices = kinks(case) if kinks else [(value, value, None) for value in values]
        magnitudes = self.function.terms(self.reference, case)
        largest = max(float(np.abs(value).max(initial=0)) for value in case.args.values() if _is_counted(value))
        return tuple(
            Expected(
                value,
                np.broadcast_to(terms, value.shape),
                np.broadcast_to(count, value.shape),
                low,
                high,
                together=together,
                largest=largest,
            )
            for value, (terms, count), (low, high, together) in zip(values, magnitudes, choices, strict=True)
        )


def own_cases(name: str) -> tuple[Case, ...]:
    """The cases that our own operation of that name is checked on."""
    row = OPERATIONS[name]
    every = row.own(backward=False) if row.own else kind_of(name).cases
    return tuple(case for case in every if row.checked is None or case.name in row.checked)


def _is_counted(value: Any) -> bool:
    """Whether a value is an array of numbers; a random key is one of bits."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fi"


def kind_of(name: str) -> Kind:
    """The kind of that name.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"kind={name!r}: expected one of {', '.join(KINDS)}{meant(name, KINDS)}")
    return _with_cases(name)


def forward_of(kind: Kind) -> Kind:
    """Of a backward pass the forward pass."""
    return kind_of(kind.name.removesuffix(_BACKWARD))


@lru_cache
def _with_cases(name: str) -> Kind:
    operation = OPERATIONS[name.removesuffix(_BACKWARD)]
    backward = name.endswith(_BACKWARD)
    function = operation.backward if backward else operation.forward
    return Kind(name, function, operation.cases(backward=backward), operation.of_images)


@lru_cache(maxsize=4096)
def _expected(name: str, number: int) -> tuple[Expected, ...]:
    kind = kind_of(name)
    return kind.expected(kind.cases[number])


def expected_at(kind: Kind, number: int) -> tuple[Expected, ...]:
    """The right outputs of one case, computed once."""
    return _expected(kind.name, number)


def expected_of(kind: Kind) -> list[tuple[Expected, ...]]:
    """The right outputs of all cases, computed once."""
    return [expected_at(kind, number) for number in range(len(kind.cases))]
