"""How far rounding alone can move a result.

A sum of n products, added in any order, each operation rounded with unit u, is off by at most

    |error| ≤ γ_n Σ|terms|        γ_n = n·u / (1 − n·u)

For a sum that is linear in each argument Σ|terms| needs no formula of its own: it is the same sum over absolute values;
and n is the same sum over ones. What is no sum has its terms here too, by what its steps can cost.

Source: Higham 2002, "Accuracy and Stability of Numerical Algorithms", sections 3.1 and 4.2.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jcnn.check import formulas
from jcnn.check.cases import Case

Array = np.ndarray
Terms = list[tuple[Array, Any]]
"""Σ|terms| and the number of terms, for every output."""

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""u, half the distance from 1 to the next number, finest first."""

LARGEST = {"float64": 2.0**1023, "float32": 2.0**127, "float16": 2.0**15, "bfloat16": 2.0**127}
"""Numbers above twice this are infinite."""

_SMALLEST = {"float64": 2.0**-1074, "float32": 2.0**-149, "float16": 2.0**-24, "bfloat16": 2.0**-133}

# What is off by more than this part of the terms is no longer called rounding, however long the sum.
_MOST = {"float64": 1e-8, "float32": 1e-3, "float16": 5e-3, "bfloat16": 4e-2}

# Beside the n additions of a term: its factors may have been rounded when they were stored, then the product, then the result.
_ROUNDINGS_BESIDE = 4

_UNSTEADY = 1 / 32

# Roundings in place of additions: vectorised exp, tanh and erf are off by some units, and a derivative takes a few of them.
_TRANSCENDENTAL = 40


def gamma(count: np.ndarray | float, precision: str) -> np.ndarray:
    """γ_n. From n·u = 1/2 on, where γ_n soon ends, 2n·u: such a sum may have no right digit at all."""
    product = np.asarray(count, np.float64) * UNIT[precision]
    return np.where(product < 0.5, product / (1 - np.minimum(product, 0.5)), 2 * product)


def bound(
    terms: np.ndarray,
    count: np.ndarray | float,
    precision: str = "float64",
    *,
    whole: bool = False,
    factor: float = 1.0,
    tiny: bool = True,
) -> np.ndarray:
    """The largest error that rounding explains, for every element.

    Args:
        terms: Σ|terms| of every element.
        count: how many terms, for every element or for all.
        precision: what the arithmetic may have been, a key of `UNIT`.
        whole: bound all elements by the largest bound among them, as for fast algorithms (FFT, Winograd) that mix elements.
        factor: how much more than a plain sum the algorithm amplifies rounding.
        tiny: whether numbers may have been too small for all digits of the precision.

    Returns:
        An array of the shape of `terms`.
    """
    total = np.asarray(count, np.float64) + _ROUNDINGS_BESIDE
    part = np.minimum(factor * gamma(total, precision), min(factor, 4.0) * _MOST[precision])
    limit = part * terms + (underflow(count, precision) if tiny else 0.0)
    return np.full(np.shape(limit), limit.max()) if whole and np.size(limit) else limit


def underflow(count: np.ndarray | float, precision: str) -> np.ndarray:
    """The largest error of numbers too small for all digits of the precision."""
    return (np.asarray(count, np.float64) + _ROUNDINGS_BESIDE) * _SMALLEST[precision]


def in_ulps(error: np.ndarray, terms: np.ndarray, precision: str = "float64") -> np.ndarray:
    """Errors in units of the last place of Σ|terms|, so that a sum that cancels to 0 has a measure too."""
    unit = 2 * UNIT[precision] * terms + _SMALLEST[precision]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(error) / unit


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
        tiny: whether numbers may be too small for all digits of a precision.
    """

    value: Array
    terms: Array
    length: Array
    low: Array
    high: Array
    unsteady: Array | float = 0.0
    together: Callable[[Array, Array], bool] | None = None
    largest: float = 0.0
    tiny: bool = True

    def overflows(self, precision: str) -> bool:
        """Whether numbers that go in or sums on the way may be beyond the largest of a precision."""
        return max(self.largest, float(self.terms.max(initial=0))) > LARGEST[precision]

    def bound(self, precision: str, *, whole: bool, factor: float = 1.0) -> Array:
        """The largest error that rounding explains."""
        # However unsteady: what is off by more than a part of the terms is no rounding.
        unsteady = np.minimum(UNIT[precision] * self.unsteady, _UNSTEADY * self.terms.max(initial=0))
        return bound(self.terms, self.length, precision, whole=whole, factor=factor, tiny=self.tiny) + unsteady


def as_leaves(output: Any) -> tuple[Any, ...]:
    """An output or a tuple of them, as a tuple."""
    return tuple(output) if isinstance(output, tuple | list) else (output,)


def linear_terms(function: Callable[..., Any], case: Case, frozen: tuple[str, ...] = ()) -> Terms:
    """Σ|terms| and the number of terms, by the same sums over absolute values and over ones."""

    def through(change: Callable[[Array], Array]) -> tuple[Array, ...]:
        args = [
            change(value) if isinstance(value, np.ndarray) and name not in frozen else value
            for name, value in case.args.items()
        ]
        return as_leaves(function(*args, **case.options))

    return list(zip(through(np.abs), through(np.ones_like), strict=True))


def selected_terms(function: Callable[..., Any], case: Case) -> Terms:
    """What is selected, without a rounding."""
    return [(np.abs(function(*case.args.values(), **case.options)), 0)]


def averaged_terms(function: Callable[..., Any], case: Case) -> Terms:
    """As `linear_terms`, with the pixels of one map for the number of terms, which the mean hides."""
    ((terms, _),) = linear_terms(function, case)
    return [(terms, int(np.prod(case.args["x"].shape[1:-1])))]


def linear_in_dy_terms(function: Callable[..., Any], case: Case) -> Terms:
    """As `linear_terms` of a gradient that takes from x no more than where dy goes."""
    return linear_terms(function, case, frozen=("x",))


def masked_terms(function: Callable[..., Any], case: Case) -> Terms:
    """The sizes of what is kept, with one product each."""
    ((terms, _),) = linear_terms(function, case, frozen=("key",))
    return [(terms, 2)]


def enlarged_terms(function: Callable[..., Any], case: Case) -> Terms:
    """As `linear_terms`, with the steps between two pixels along each of the axes besides."""
    ((terms, count),) = linear_in_dy_terms(function, case) if "dy" in case.args else linear_terms(function, case)
    return [(terms, count + 8)]


def straight_terms(function: Callable[..., Array], case: Case) -> Terms:
    """|dy f|: a function of straight pieces takes one product, relative to what comes out."""
    return [(_upstream(case) * np.abs(function(case.args["x"], **case.options)), 0)]


def curved_terms(function: Callable[..., Array], case: Case) -> Terms:
    """1 + (1 + |x|)|f| + |x f′|: what rounding x, an exponent of its size and the steps of any textbook form can cost."""
    x, step = case.args["x"], 2.0**-20
    up, down = (function(x * (1 + sign * step), **case.options) for sign in (1, -1))
    value = (1 + np.abs(x)) * np.abs(function(x, **case.options))
    return [(_upstream(case) * (1 + value + np.abs(up - down) / (2 * step)), _TRANSCENDENTAL)]


def _upstream(case: Case) -> Array:
    """|dy|; ones for a forward pass."""
    return np.abs(case.args["dy"]) if "dy" in case.args else np.ones_like(case.args["x"])


def softmax_terms(_: Callable[..., Array], case: Case) -> Terms:
    """Of softmax: every probability as often as rounding the logits costs, a factor of their size."""
    p, size = _probabilities(case.args["x"])
    return _with_sum(size * p)


def softmax_backward_terms(_: Callable[..., Array], case: Case) -> Terms:
    """p · (dy − Σ p dy), as `softmax_terms`."""
    p, size = _probabilities(case.args["x"])
    dy = np.abs(case.args["dy"])
    return _with_sum(size * p * (dy + (p * dy).sum(-1, keepdims=True)))


def log_softmax_terms(_: Callable[..., Array], case: Case) -> Terms:
    """x − log Σ eˣ: the size of the logits."""
    x = case.args["x"]
    size = _probabilities(x)[1]
    return _with_sum(np.broadcast_to(size, x.shape))


def log_softmax_backward_terms(_: Callable[..., Array], case: Case) -> Terms:
    """dy − p Σ dy, as `softmax_terms`."""
    p, size = _probabilities(case.args["x"])
    dy = np.abs(case.args["dy"])
    return _with_sum(dy + size * p * dy.sum(-1, keepdims=True))


def cross_entropy_terms(_: Callable[..., Array], case: Case) -> Terms:
    """−Σ t log p: the size of the logits for each part of a target."""
    logits = case.args["logits"]
    size = _probabilities(logits)[1]
    t = formulas.aimed_at(logits, case.args["labels"], **case.options)
    return _with_sum((size * t.sum(-1, keepdims=True))[..., 0], logits.shape[-1])


def cross_entropy_backward_terms(_: Callable[..., Array], case: Case) -> Terms:
    """dy · (p Σ t − t), as `softmax_terms`."""
    logits, dy = case.args["logits"], np.abs(case.args["dy"])
    p, size = _probabilities(logits)
    t = formulas.aimed_at(logits, case.args["labels"], **case.options)
    return _with_sum(dy[..., None] * (size * p * t.sum(-1, keepdims=True) + t))


def squared_error_terms(_: Callable[..., Array], case: Case) -> Terms:
    """Σ (|prediction| + |target|)² / C."""
    total = _sum_of_sizes(case)
    return [((total**2).mean(-1), total.shape[-1] + 4)]


def squared_error_backward_terms(_: Callable[..., Array], case: Case) -> Terms:
    """|dy| · 2 (|prediction| + |target|) / C."""
    total = _sum_of_sizes(case)
    return [(np.abs(case.args["dy"])[..., None] * 2 * total / total.shape[-1], 4)]


def _probabilities(logits: Array) -> tuple[Array, Array]:
    """softmax(logits), and by which factor rounding the logits counts."""
    return formulas.softmax(logits), 2 + 2 * np.abs(logits).max(-1, keepdims=True)


def _with_sum(terms: Array, classes: int | None = None) -> Terms:
    """Terms that one sum over the classes is made of, as many as the last axis has where no number is given."""
    return [(terms, 2 * (classes or terms.shape[-1]) + 8)]


def _sum_of_sizes(case: Case) -> Array:
    return np.abs(case.args["prediction"]) + np.abs(case.args["target"])
