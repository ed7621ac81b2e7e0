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
    """How far rounding can move the parts of a normalisation, in units of u; arrays as `Sets.split` has them.

    With A the mean of |x|, an error of the mean is up to A; so that of d = x − μ is up to A + |x| + |d|, as x may have been
    rounded where it was stored. Then v moves by twice the mean of |d| times that, besides its own sum, and r by r/2 times what
    v moves by relative to v + ε.

    Attributes:
        normal: |x̂|.
        moved: by how much x̂ may be off.
        inverse: r.
        part: by which part of itself r may be off.
        length: the number of values in a set.
    """

    normal: Array
    moved: Array
    inverse: Array
    part: Array
    length: int


def _sizes(x: Array, sets: Sets, epsilon: float) -> _Sizes:
    values, mean, variance = moments(x, sets)
    inverse = 1 / np.sqrt(variance + epsilon)
    centred = np.abs(values - mean)
    moved = sets.mean(np.abs(values)) + np.abs(values) + centred
    part = 1 + inverse**2 * (variance + 2 * sets.mean(centred * moved)) / 2
    normal = centred * inverse
    return _Sizes(normal, inverse * moved + normal * part, inverse, part, sets.size(x))


def forward_terms(sets_of: Callable[..., Sets], _: Callable[..., Any], case: Case) -> Terms:
    """|scale| (|x̂| + its error) + |offset|."""
    x, scale, offset = case.args.values()
    found = _sizes(x, *_of_call(sets_of, case))
    y = np.abs(scale) * (found.normal + found.moved).reshape(x.shape) + np.abs(offset)
    return [(y, found.length + _STEPS)]


def backward_terms(sets_of: Callable[..., Sets], _: Callable[..., Any], case: Case) -> Terms:
    """Of dx = r (g − mean(g) − x̂ mean(g x̂)), dscale = Σ dy x̂ and doffset = Σ dy, every factor with its error."""
    dy, x, scale, _offset = case.args.values()
    sets, epsilon = _of_call(sets_of, case)
    found = _sizes(x, sets, epsilon)
    dy = np.abs(dy)
    g = sets.split(dy * np.abs(scale))
    normal = found.normal + found.moved
    dx = found.inverse * found.part * (g + sets.mean(g) + normal * sets.mean(g * normal))
    dscale = channel_sums(dy * normal.reshape(x.shape))
    count = x[..., 0].size
    length = found.length + _STEPS
    return [(dx.reshape(x.shape), 2 * length), (dscale, count + length), (channel_sums(dy), count)]


_STEPS = 8


def _of_call(sets_of: Callable[..., Sets], case: Case) -> tuple[Sets, float]:
    options = {name: value for name, value in case.options.items() if name != "epsilon"}
    return sets_of(case.args["x"], **options), case.options.get("epsilon", EPSILON)


def evaluation_terms(_: Callable[..., Any], case: Case) -> Terms:
    """|scale| r (|x| + |mean|) + |offset|."""
    x, scale, offset, mean, variance = case.args.values()
    inverse = 1 / np.sqrt(variance + case.options.get("epsilon", EPSILON))
    return [(2 * np.abs(scale) * inverse * (np.abs(x) + np.abs(mean)) + np.abs(offset), _STEPS)]


def evaluation_backward_terms(_: Callable[..., Any], case: Case) -> Terms:
    """The sums over absolute values."""
    dy, x, scale, _offset, mean, variance = case.args.values()
    dy, factor = np.abs(dy), 1 / np.sqrt(variance + case.options.get("epsilon", EPSILON))
    count = x[..., 0].size + _STEPS
    dscale = 2 * channel_sums(dy * factor * (np.abs(x) + np.abs(mean)))
    doffset, scale = channel_sums(dy), np.abs(scale)
    return [
        (2 * dy * scale * factor, _STEPS),
        (dscale, count),
        (doffset, count),
        (2 * scale * factor * doffset, count),
        (scale * factor**2 * dscale, count),
    ]


FORWARD_TERMS = {name: partial(forward_terms, sets) for name, sets in SETS.items()}
BACKWARD_TERMS = {name: partial(backward_terms, sets) for name, sets in SETS.items()}
