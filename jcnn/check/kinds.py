"""What can be graded: for every kind of candidate its reference, its cases, its rounding bound and its kinks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from jcnn.check import bounds, cases, cases_features, cases_layers, cases_made, formulas
from jcnn.check.cases import Case
from jcnn.check.ties import Ties, ties
from jcnn.definition import sums
from jcnn.definition.sums import RIGHT

Array = np.ndarray


Choices = tuple[Array, Array, Callable[[Array, Array], bool] | None]
"""low, high and together of `Expected`."""

# Roundings in place of additions: vectorised exp, tanh and erf are off by some units, and a derivative takes a few of them.
_TRANSCENDENTAL = 40

_UNSTEADY = 1 / 32


class Expected(NamedTuple):
    """What a case shall give, for one leaf of the output.

    Attributes:
        value: the reference's result.
        terms: Σ|terms| of every element.
        length: how many terms, for every element.
        low: the least that another choice at the kinks gives.
        high: the most; where low = high there is no kink.
        unsteady: what else rounding can do, in units of u.
        together: whether values between low and high, right up to a limit for every element, are one valid choice; None where
            every element chooses by itself.
        largest: the largest number that goes in, by size.
    """

    value: Array
    terms: Array
    length: Array
    low: Array
    high: Array
    unsteady: Array | float = 0.0
    together: Callable[[Array, Array], bool] | None = None
    largest: float = 0.0

    def overflows(self, precision: str) -> bool:
        """Whether numbers that go in or sums on the way may be beyond the largest of a precision."""
        return max(self.largest, float(self.terms.max(initial=0))) > bounds.LARGEST[precision]

    def bound(self, precision: str, *, whole: bool, factor: float = 1.0) -> Array:
        """The largest error that rounding explains."""
        # However unsteady: what is off by more than a part of the terms is no rounding.
        unsteady = np.minimum(bounds.UNIT[precision] * self.unsteady, _UNSTEADY * self.terms.max(initial=0))
        return bounds.bound(self.terms, self.length, precision, whole=whole, factor=factor) + unsteady


@dataclass(frozen=True)
class Kind:
    """A kind of candidate.

    Attributes:
        name: the operation whose signature the candidate has.
        leaves: the names of its outputs.
        reference: the right function.
        cases: all cases.
        magnitude: (Σ|terms|, count) of every leaf.
        kinks: the choices at kinks, (low, high, whether values are possible together) for every leaf; None where it is smooth.
        linear: linear in each array, so that whole numbers stay whole and fast algorithms may mix elements.
    """

    name: str
    leaves: tuple[str, ...]
    reference: Callable[..., Any]
    cases: tuple[Case, ...]
    magnitude: Callable[[Case], list[tuple[Array, Any]]]
    kinks: Callable[[Case], list[Choices]] | None = None
    linear: bool = False

    def expected(self, case: Case) -> tuple[Expected, ...]:
        """The right outputs of a case, their bounds and kinks."""
        values = as_leaves(self.reference(*case.args.values(), **case.options))
        choices = self.kinks(case) if self.kinks else [(value, value, None) for value in values]
        largest = max(float(np.abs(value).max(initial=0)) for value in case.args.values() if isinstance(value, np.ndarray))
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
            for value, (terms, count), (low, high, together) in zip(values, self.magnitude(case), choices, strict=True)
        )


def as_leaves(output: Any) -> tuple[Any, ...]:
    """An output or a tuple of them, as a tuple."""
    return tuple(output) if isinstance(output, tuple | list) else (output,)


def _linear(function: Callable[..., Any], case: Case, frozen: tuple[str, ...] = ()) -> list[tuple[Array, Array]]:
    """Σ|terms| and the number of terms, by the same sums over absolute values and over ones."""

    def through(change: Callable[[Array], Array]) -> tuple[Array, ...]:
        args = [
            change(value) if isinstance(value, np.ndarray) and name not in frozen else value
            for name, value in case.args.items()
        ]
        return as_leaves(function(*args, **case.options))

    return list(zip(through(np.abs), through(np.ones_like), strict=True))


def _selected(function: Callable[..., Any], case: Case) -> list[tuple[Array, int]]:
    return [(np.abs(function(*case.args.values(), **case.options)), 0)]


def _averaged(function: Callable[..., Any], case: Case) -> list[tuple[Array, int]]:
    """As `_linear`, with the pixels of one map for the number of terms, which the mean hides."""
    ((terms, _),) = _linear(function, case)
    return [(terms, int(np.prod(case.args["x"].shape[1:-1])))]


def _choices(found: Ties) -> list[Choices]:
    return [(*found.span(), found.possible)]


def _max_choices(case: Case) -> list[Choices]:
    dy, x, size = case.args.values()
    options = {"stride": None, **case.options}
    seen, _ = sums.taps_of(x, size, RIGHT, options)
    numbers = np.arange(x.size, dtype=np.float64).reshape(x.shape)
    places, _ = sums.taps_of(numbers, size, RIGHT._replace(edge=-1.0), options)
    return _choices(ties(dy, seen, places, x.shape))


def _global_max_choices(case: Case) -> list[Choices]:
    dy, x = case.args.values()

    def pixels(values: Array) -> Array:
        return np.moveaxis(values.reshape(x.shape[0], -1, x.shape[-1]), 1, 0)

    return _choices(ties(dy, pixels(x), pixels(np.arange(x.size).reshape(x.shape)), x.shape))


def _maxout_choices(case: Case) -> list[Choices]:
    dy, x, pieces = case.args.values()

    def parts(values: Array) -> Array:
        return np.moveaxis(values.reshape(*x.shape[:-1], -1, pieces), -1, 0)

    return _choices(ties(dy, parts(x), parts(np.arange(x.size).reshape(x.shape)), x.shape))


_MAXIMA: dict[str, tuple[Callable[[str], tuple[Case, ...]], Callable[[Case], list[Choices]]]] = {
    "max_pool": (cases.pool_cases, _max_choices),
    "global_max_pool": (cases.global_cases, _global_max_choices),
    "maxout": (cases_features.maxout_cases, _maxout_choices),
}
"""The operations that select: their cases, and the choices at ties."""


def _activation_choices(formula: formulas.Formula, case: Case) -> list[Choices]:
    dy, x = case.args.values()
    here = dy * formula.slope(x, **case.options)
    other = dy * (formula.other(**case.options) if formula.other else 0.0)
    at_kink = (x == 0) & (formula.other is not None)
    return [(np.where(at_kink, np.minimum(here, other), here), np.where(at_kink, np.maximum(here, other), here), None)]


def _conditioned(function: Callable[..., Array], case: Case, *, straight: bool) -> list[tuple[Array, int]]:
    """1 + (1 + |x|)|f| + |x f′|: what rounding x, an exponent of its size and the steps of any textbook form can cost.

    A function of straight pieces takes one product, relative to what comes out: |f| alone.
    """
    x, step = case.args["x"], 2.0**-20
    dy = np.abs(case.args["dy"]) if "dy" in case.args else np.ones_like(x)
    if straight:
        return [(dy * np.abs(function(x, **case.options)), 0)]
    up, down = (function(x * (1 + sign * step), **case.options) for sign in (1, -1))
    value = (1 + np.abs(x)) * np.abs(function(x, **case.options))
    return [(dy * (1 + value + np.abs(up - down) / (2 * step)), _TRANSCENDENTAL)]


def _softmax_like(name: str, case: Case) -> list[tuple[Array, Any]]:
    """Softmax and its relatives: every term as often as rounding the logits costs, a factor of their size, and one sum."""
    logits = case.args.get("x", case.args.get("logits"))
    assert logits is not None  # noqa: S101 (for the type checker)
    p, dy = formulas.softmax(logits), np.abs(case.args.get("dy", 1.0))
    size = 2 + 2 * np.abs(logits).max(-1, keepdims=True)
    if name == "softmax":
        terms = size * p
    elif name == "softmax_backward":
        terms = size * p * (dy + (p * dy).sum(-1, keepdims=True))
    elif name == "log_softmax":
        terms = np.broadcast_to(size, logits.shape)
    elif name == "log_softmax_backward":
        terms = dy + size * p * dy.sum(-1, keepdims=True)
    else:
        t = formulas.targets(logits, case.args["labels"])
        total = t.sum(-1, keepdims=True)
        terms = dy[..., None] * (size * p * total + t) if name.endswith("backward") else (size * total)[..., 0]
    return [(terms, 2 * logits.shape[-1] + 8)]


def _squared(case: Case) -> list[tuple[Array, Any]]:
    prediction, target = np.abs(case.args["prediction"]), np.abs(case.args["target"])
    total, classes = prediction + target, prediction.shape[-1]
    if "dy" in case.args:
        return [(np.abs(case.args["dy"])[..., None] * 2 * total / classes, 4)]
    return [((total**2).mean(-1), classes + 4)]


_GRADIENTS = ("dx", "dw", "db")
_LINEAR: dict[str, tuple[tuple[str, ...], Callable[[], tuple[Case, ...]]]] = {
    "conv": (("y",), partial(cases.conv_cases, "conv")),
    "conv_backward": (_GRADIENTS, partial(cases.conv_cases, "conv_backward")),
    "convolve": (("y",), partial(cases.conv_cases, "convolve")),
    "convolve_backward": (_GRADIENTS, partial(cases.conv_cases, "conv_backward")),
    "conv_transpose": (("x",), partial(cases.conv_cases, "conv_transpose")),
    "conv_transpose_backward": (("dy", "dw", "db"), cases_made.conv_transpose_backward_cases),
    "locally_connected": (("y",), partial(cases_made.locally_connected_cases, "locally_connected")),
    "locally_connected_backward": (_GRADIENTS, partial(cases_made.locally_connected_cases, "locally_connected_backward")),
    "dense": (("y",), partial(cases_layers.dense_cases, "dense")),
    "dense_backward": (_GRADIENTS, partial(cases_layers.dense_cases, "dense_backward")),
}
"""The operations that are linear in every array: their outputs and cases."""


def _reference(name: str) -> Callable[..., Any]:
    return getattr(sums, name, None) or getattr(formulas, name)


@lru_cache
def _build(name: str) -> Kind:
    base, back = name.removesuffix("_backward"), name.endswith("_backward")
    leaf = ("dx",) if back else ("y",)
    if name in _LINEAR:
        function = _reference(name)
        leaves, made = _LINEAR[name]
        return Kind(name, leaves, function, made(), partial(_linear, function), linear=True)
    if base == "flatten":
        function = _reference(name)
        return Kind(name, leaf, function, cases_features.flatten_cases(name), partial(_linear, function, frozen=("x",) * back))
    if base in _MAXIMA:
        function = _reference(name)
        made, kinks = _MAXIMA[base]
        found = made(name)
        if not back:
            return Kind(name, leaf, function, found, partial(_selected, function))

        def magnitude(case: Case) -> list[tuple[Array, Any]]:
            return _linear(function, case, ("x",))

        return Kind(name, leaf, function, found, magnitude, kinks, linear=True)
    if base in {"avg_pool", "global_avg_pool"}:
        function = _reference(name)
        found = (cases.pool_cases if base == "avg_pool" else cases.global_cases)(name)
        return Kind(name, leaf, function, found, partial(_averaged, function))
    if base in formulas.ACTIVATIONS:
        formula = formulas.ACTIVATIONS[base]
        function = (formulas.activation_backward if back else formulas.activation)(base)
        kinks = partial(_activation_choices, formula) if back else None
        straight = base in {"relu", "leaky_relu"}
        conditioned = partial(_conditioned, formula.slope if back else formula.value, straight=straight)
        return Kind(name, leaf, function, cases_layers.activation_cases(name), conditioned, kinks)
    function = getattr(formulas, name)
    if base == "mean_squared_error":
        return Kind(name, ("dprediction",) if back else leaf, function, cases_layers.squared_cases(name), _squared)
    leaf = ("dlogits",) if back and base == "softmax_cross_entropy" else leaf
    return Kind(name, leaf, function, cases_layers.softmax_cases(name), partial(_softmax_like, name))


KINDS = (
    *_LINEAR,
    *("flatten", "flatten_backward", "maxout", "maxout_backward"),
    *("max_pool", "max_pool_backward", "avg_pool", "avg_pool_backward"),
    *("global_max_pool", "global_max_pool_backward", "global_avg_pool", "global_avg_pool_backward"),
    *(name + suffix for name in formulas.ACTIVATIONS for suffix in ("", "_backward")),
    *("softmax", "softmax_backward", "log_softmax", "log_softmax_backward"),
    *("softmax_cross_entropy", "softmax_cross_entropy_backward", "mean_squared_error", "mean_squared_error_backward"),
)
"""Every name that `grade` takes."""


def kind_of(name: str) -> Kind:
    """The kind of that name.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"kind={name!r}: expected one of {', '.join(KINDS)}")
    return _build(name)


@lru_cache(maxsize=4096)
def _expected(name: str, number: int) -> tuple[Expected, ...]:
    kind = kind_of(name)
    return kind.expected(kind.cases[number])


def expected_of(kind: Kind) -> list[tuple[Expected, ...]]:
    """The right outputs of all cases, computed once."""
    return [_expected(kind.name, number) for number in range(len(kind.cases))]
