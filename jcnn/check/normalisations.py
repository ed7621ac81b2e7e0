"""Normalisation as textbooks write it, in NumPy, and what rounding can do to it.

A set of values is what shares a mean and a variance: `axes` of an array whose channels `groups` may have split. The backward
passes go along the three paths one by one, where those of `jcnn.normalisation` have them in one formula.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.cases import Case

Array = np.ndarray
Terms = list[tuple[Array, Any]]

EPSILON = 1e-5
"""What ε is unless it is given."""


class Sets(NamedTuple):
    """What shares a mean and a variance.

    Attributes:
        axes: along which a set runs.
        groups: into how many groups the channels are split, before `axes` are counted; None: they are not.
    """

    axes: tuple[int, ...]
    groups: int | None = None

    def split(self, x: Array) -> Array:
        """x with an axis for the groups before the last."""
        return x if self.groups is None else x.reshape(*x.shape[:-1], self.groups, -1)

    def size(self, x: Array) -> int:
        """The number of values in a set."""
        return int(np.prod([self.split(x).shape[axis] for axis in self.axes]))

    def mean(self, x: Array) -> Array:
        """Of each set, of an array that is split, with axes of 1."""
        return x.mean(self.axes, keepdims=True)


def batch_sets(x: Array) -> Sets:
    """One channel of all examples and pixels."""
    return Sets(tuple(range(x.ndim - 1)))


def layer_sets(x: Array, axes: str = "channels") -> Sets:
    """All channels of one pixel, or of one example."""
    return Sets((x.ndim - 1,) if axes == "channels" else tuple(range(1, x.ndim)))


def group_sets(x: Array, groups: int) -> Sets:
    """One group of channels of one example."""
    return Sets((*range(1, x.ndim - 1), x.ndim), groups)


def moments(x: Array, sets: Sets) -> tuple[Array, Array, Array]:
    """x, split, its means and its variances."""
    x = sets.split(x)
    mean = sets.mean(x)
    return x, mean, sets.mean((x - mean) ** 2)


def normalise(x: Array, scale: Array, offset: Array, sets: Sets, epsilon: float = EPSILON) -> Array:
    """scale · (x − μ) / √(v + ε) + offset."""
    values, mean, variance = moments(x, sets)
    return ((values - mean) / np.sqrt(variance + epsilon)).reshape(x.shape) * scale + offset


def normalise_backward(dy: Array, x: Array, scale: Array, sets: Sets, epsilon: float = EPSILON) -> tuple[Array, Array, Array]:
    """dx along the three paths, dscale, doffset."""
    values, mean, variance = moments(x, sets)
    m = sets.size(x)
    root = np.sqrt(variance + epsilon)
    normal = (values - mean) / root
    dnormal = sets.split(dy * scale)
    by_variance = (dnormal * (values - mean)).sum(sets.axes, keepdims=True) * -0.5 / root**3
    by_mean = -(dnormal / root).sum(sets.axes, keepdims=True)
    dx = dnormal / root + by_mean / m + by_variance * 2 * (values - mean) / m
    dscale, doffset = channel_sums(dy * normal.reshape(x.shape)), channel_sums(dy)
    return dx.reshape(x.shape), dscale, doffset


def channel_sums(x: Array) -> Array:
    """Over everything but the channels."""
    return x.sum(tuple(range(x.ndim - 1)))


def batch_norm(x: Array, scale: Array, offset: Array, *, epsilon: float = EPSILON) -> Array:
    """By the statistics of the batch."""
    return normalise(x, scale, offset, batch_sets(x), epsilon)


def batch_norm_backward(
    dy: Array, x: Array, scale: Array, _offset: Array, *, epsilon: float = EPSILON
) -> tuple[Array, Array, Array]:
    """Through the statistics too."""
    return normalise_backward(dy, x, scale, batch_sets(x), epsilon)


def batch_norm_evaluation(
    x: Array, scale: Array, offset: Array, mean: Array, variance: Array, *, epsilon: float = EPSILON
) -> Array:
    """By statistics that are given."""
    return scale * (x - mean) / np.sqrt(variance + epsilon) + offset


def batch_norm_evaluation_backward(
    dy: Array, x: Array, scale: Array, _offset: Array, mean: Array, variance: Array, *, epsilon: float = EPSILON
) -> tuple[Array, ...]:
    """(dx, dscale, doffset, dmean, dvariance), every argument for itself."""
    root = np.sqrt(variance + epsilon)
    dx = dy * scale / root
    dvariance = channel_sums(dy * scale * (x - mean)) * -0.5 / root**3
    return dx, channel_sums(dy * (x - mean) / root), channel_sums(dy), -channel_sums(dx), dvariance


def layer_norm(x: Array, scale: Array, offset: Array, *, epsilon: float = EPSILON, axes: str = "channels") -> Array:
    """Every pixel, or every example, by itself."""
    return normalise(x, scale, offset, layer_sets(x, axes), epsilon)


def layer_norm_backward(
    dy: Array, x: Array, scale: Array, _offset: Array, *, epsilon: float = EPSILON, axes: str = "channels"
) -> tuple[Array, Array, Array]:
    """As `normalise_backward`."""
    return normalise_backward(dy, x, scale, layer_sets(x, axes), epsilon)


def group_norm(x: Array, scale: Array, offset: Array, *, groups: int, epsilon: float = EPSILON) -> Array:
    """Every group of channels of an example by itself."""
    return normalise(x, scale, offset, group_sets(x, groups), epsilon)


def group_norm_backward(
    dy: Array, x: Array, scale: Array, _offset: Array, *, groups: int, epsilon: float = EPSILON
) -> tuple[Array, Array, Array]:
    """As `normalise_backward`."""
    return normalise_backward(dy, x, scale, group_sets(x, groups), epsilon)


SETS: dict[str, Callable[..., Sets]] = {"batch_norm": batch_sets, "layer_norm": layer_sets, "group_norm": group_sets}
"""Of x and the options, by operation."""


class _Sizes(NamedTuple):
    """How large the parts of a normalisation are for rounding; arrays as `Sets.split` has them.

    Where numbers lie far from 0 their differences from the mean have fewer digits: x and the mean of |x| are off by some units
    of their own last place, so x̂ by that times r, and v relatively by as much. Terms are multiplied by their number n, so that
    this goes into them as `_UNITS` n-ths.

    Attributes:
        normal: |x̂|, and what it may be off.
        inverse: r, and what it may be off.
        length: the number of terms of a mean.
    """

    normal: Array
    inverse: Array
    length: int


_STEPS = 8
_UNITS = 8


def _sizes(x: Array, sets: Sets, epsilon: float) -> _Sizes:
    values, mean, variance = moments(x, sets)
    inverse = 1 / np.sqrt(variance + epsilon)
    length = sets.size(x) + _STEPS
    moved = _UNITS / length * inverse * (np.abs(values) + sets.mean(np.abs(values)))
    normal = np.abs(values - mean) * inverse
    return _Sizes(normal + (1 + normal) * moved, inverse * (1 + sets.mean(moved)), length)


def forward_terms(sets_of: Callable[..., Sets], _: Callable[..., Any], case: Case) -> Terms:
    """|scale| |x̂| + |offset|."""
    x, scale, offset = case.args.values()
    found = _sizes(x, *_of_call(sets_of, case))
    return [(np.abs(scale) * found.normal.reshape(x.shape) + np.abs(offset), found.length)]


def backward_terms(sets_of: Callable[..., Sets], _: Callable[..., Any], case: Case) -> Terms:
    """Of dx = r (g − mean(g) − x̂ mean(g x̂)), dscale = Σ dy x̂ and doffset = Σ dy."""
    dy, x, scale, _offset = case.args.values()
    sets, epsilon = _of_call(sets_of, case)
    found = _sizes(x, sets, epsilon)
    dy = np.abs(dy)
    g = sets.split(dy * np.abs(scale))
    dx = found.inverse * (g + sets.mean(g) + found.normal * sets.mean(g * found.normal))
    dscale = channel_sums(dy * found.normal.reshape(x.shape))
    count = x[..., 0].size
    return [(dx.reshape(x.shape), found.length), (dscale, count + _STEPS), (channel_sums(dy), count)]


def _of_call(sets_of: Callable[..., Sets], case: Case) -> tuple[Sets, float]:
    options = {name: value for name, value in case.options.items() if name != "epsilon"}
    return sets_of(case.args["x"], **options), case.options.get("epsilon", EPSILON)


def evaluation_terms(_: Callable[..., Any], case: Case) -> Terms:
    """|scale| r (|x| + |mean|) + |offset|."""
    x, scale, offset, mean, variance = case.args.values()
    inverse = 1 / np.sqrt(variance + case.options.get("epsilon", EPSILON))
    return [(np.abs(scale) * inverse * (np.abs(x) + np.abs(mean)) + np.abs(offset), _STEPS)]


def evaluation_backward_terms(_: Callable[..., Any], case: Case) -> Terms:
    """The sums over absolute values."""
    dy, x, scale, _offset, mean, variance = case.args.values()
    dy, factor = np.abs(dy), 1 / np.sqrt(variance + case.options.get("epsilon", EPSILON))
    count = x[..., 0].size + _STEPS
    dscale = channel_sums(dy * factor * (np.abs(x) + np.abs(mean)))
    doffset, scale = channel_sums(dy), np.abs(scale)
    return [
        (dy * scale * factor, _STEPS),
        (dscale, count),
        (doffset, count),
        (scale * factor * doffset, count),
        (scale * factor**2 * dscale, count),
    ]


FORWARD_TERMS = {name: partial(forward_terms, sets) for name, sets in SETS.items()}
BACKWARD_TERMS = {name: partial(backward_terms, sets) for name, sets in SETS.items()}
