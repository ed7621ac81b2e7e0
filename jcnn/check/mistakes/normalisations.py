"""Mistakes of batch, layer and group normalisation."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from jcnn.check import normalisations
from jcnn.check.mistakes.catalogue import Mistake, Wrong
from jcnn.check.normalisations import EPSILON, SETS, Sets, batch_sets, channel_sums, group_sets, moments, normalise_backward

Array = np.ndarray

_ALL = tuple(SETS)
_SHARED = ("layer_norm", "group_norm")


class _Seen(NamedTuple):
    """A call with what is computed on the way, arrays with their groups apart.

    Attributes:
        values: x.
        mean: of each set.
        variance: of each set.
        epsilon: ε.
        size: the number of values in a set.
        scale: as given.
        offset: as given.
        sets: what shares statistics.
        upstream: dy; of a forward pass zeros.
    """

    values: Array
    mean: Array
    variance: Array
    epsilon: float
    size: int
    scale: Array
    offset: Array
    sets: Sets
    upstream: Array

    @property
    def root(self) -> Array:
        """√(v + ε)."""
        return np.sqrt(self.variance + self.epsilon)

    @property
    def normal(self) -> Array:
        """x̂."""
        return (self.values - self.mean) / self.root

    @property
    def by_normal(self) -> Array:
        """dy · scale."""
        return self.upstream * self.sets.split(self.scale)

    def dx(self, direct: float = 1.0, by_mean: float = 1.0, by_variance: float = 1.0, root: Array | None = None) -> Array:
        """The sum of the three paths, each times a factor."""
        root = self.root if root is None else root
        normal, g = (self.values - self.mean) / root, self.by_normal
        return (direct * g - by_mean * self.sets.mean(g) - by_variance * normal * self.sets.mean(g * normal)) / root


def _seen(x: Array, scale: Array, offset: Array, sets: Sets, epsilon: float, dy: Array | None = None) -> _Seen:
    values, mean, variance = moments(x, sets)
    upstream = sets.split(np.zeros_like(x) if dy is None else dy)
    return _Seen(values, mean, variance, epsilon, sets.size(x), scale, offset, sets, upstream)


def _forward(change: Callable[[_Seen], Array], kinds: Iterable[str] = _ALL) -> dict[str, Wrong]:
    """Every normalisation, with y from what was seen; scaled and moved where it has its groups apart."""

    def of(kind: str) -> Wrong:
        def wrong(x: Array, scale: Array, offset: Array, *, epsilon: float = EPSILON, **options: Any) -> Array:
            return change(_seen(x, scale, offset, SETS[kind](x, **options), epsilon)).reshape(x.shape)

        return _signed(wrong, kind)

    return {kind: of(kind) for kind in kinds}


def _normal(change: Callable[[_Seen], Array], kinds: Iterable[str] = _ALL) -> dict[str, Wrong]:
    """The same with another x̂."""
    return _forward(lambda s: change(s) * s.sets.split(s.scale) + s.sets.split(s.offset), kinds)


def _backward(leaf: int, change: Callable[[_Seen], Array], kinds: Iterable[str] = _ALL) -> dict[str, Wrong]:
    """Every backward, with one of its gradients from what was seen."""

    def of(kind: str) -> Wrong:
        def wrong(
            dy: Array, x: Array, scale: Array, offset: Array, *, epsilon: float = EPSILON, **options: Any
        ) -> tuple[Array, ...]:
            sets = SETS[kind](x, **options)
            gradients = list(normalise_backward(dy, x, scale, sets, epsilon))
            found = change(_seen(x, scale, offset, sets, epsilon, dy))
            gradients[leaf] = found.reshape(x.shape) if leaf == 0 else found
            return tuple(gradients)

        return _signed(wrong, kind)

    return {f"{kind}_backward": of(kind) for kind in kinds}


def _rooted(root: Callable[[_Seen], Array]) -> dict[str, Wrong]:
    """Every normalisation and its backward, with another root."""

    def of(kind: str) -> Wrong:
        def wrong(
            dy: Array, x: Array, scale: Array, offset: Array, *, epsilon: float = EPSILON, **options: Any
        ) -> tuple[Array, ...]:
            seen = _seen(x, scale, offset, SETS[kind](x, **options), epsilon, dy)
            normal = (seen.values - seen.mean) / root(seen)
            dscale = channel_sums(dy * normal.reshape(x.shape))
            return seen.dx(root=root(seen)).reshape(x.shape), dscale, channel_sums(dy)

        return _signed(wrong, kind)

    return {**_normal(lambda s: (s.values - s.mean) / root(s)), **{f"{kind}_backward": of(kind) for kind in _ALL}}


def _over(kind: str, sets_of: Callable[..., Sets]) -> dict[str, Wrong]:
    """A normalisation and its backward over other sets."""

    def forward(x: Array, scale: Array, offset: Array, *, epsilon: float = EPSILON, **options: Any) -> Array:
        return normalisations.normalise(x, scale, offset, sets_of(x, **options), epsilon)

    def backward(
        dy: Array, x: Array, scale: Array, offset: Array, *, epsilon: float = EPSILON, **options: Any
    ) -> tuple[Array, ...]:
        return normalise_backward(dy, x, scale, sets_of(x, **options), epsilon)

    return {kind: _signed(forward, kind), f"{kind}_backward": _signed(backward, kind)}


def _signed(wrong: Wrong, kind: str) -> Wrong:
    """Named, so that a report says what was graded."""
    wrong.__name__ = kind
    return wrong


def _evaluation(change: Callable[..., Array]) -> dict[str, Wrong]:
    def batch_norm(x: Array, scale: Array, offset: Array, mean: Array, variance: Array, *, epsilon: float = EPSILON) -> Array:
        return change(x, scale, offset, mean, variance, epsilon)

    return {"batch_norm_evaluation": batch_norm}


def _evaluation_backward(leaf: int, change: Callable[..., Array]) -> dict[str, Wrong]:
    def batch_norm_backward(
        dy: Array, x: Array, scale: Array, offset: Array, mean: Array, variance: Array, *, epsilon: float = EPSILON
    ) -> tuple[Array, ...]:
        args = (dy, x, scale, offset, mean, variance)
        gradients = list(normalisations.batch_norm_evaluation_backward(*args, epsilon=epsilon))
        gradients[leaf] = change(*args, epsilon, gradients)
        return tuple(gradients)

    return {"batch_norm_evaluation_backward": batch_norm_backward}


def _each_example(x: Array) -> Sets:
    return Sets(tuple(range(1, x.ndim - 1)))


def _each_place(x: Array) -> Sets:
    return Sets((0,))


def _everything(x: Array) -> Sets:
    return Sets(tuple(range(x.ndim)))


def _other_axes(x: Array, axes: str = "channels") -> Sets:
    return normalisations.layer_sets(x, "all" if axes == "channels" else "channels")


def _of_batch(x: Array, axes: str = "channels") -> Sets:
    return batch_sets(x)


def _group_of_one_pixel(x: Array, groups: int) -> Sets:
    return Sets((x.ndim,), groups)


def _group_of_all_examples(x: Array, groups: int) -> Sets:
    return Sets((*range(x.ndim - 1), x.ndim), groups)


def _so_many_in_a_group(x: Array, groups: int) -> Sets:
    return group_sets(x, x.shape[-1] // groups)


def _across(x: Array, groups: int) -> Sets:
    """Channels g, g + G, g + 2G, … as a group: the axis of the groups is the last."""
    return Sets((*range(1, x.ndim - 1), x.ndim - 1), x.shape[-1] // groups)


FORWARD = (
    Mistake(
        "ε outside the root",
        "ε is added to the standard deviation, √v + ε: it is added to the variance, √(v + ε).",
        {
            **_rooted(lambda s: np.sqrt(s.variance) + s.epsilon),
            **_evaluation(lambda x, s, o, m, v, e: s * (x - m) / (np.sqrt(v) + e) + o),
        },
    ),
    Mistake(
        "ε left out",
        "ε is not added to the variance: where all values are alike 0 is divided by 0.",
        {
            **_rooted(lambda s: np.sqrt(s.variance)),
            **_evaluation(lambda x, s, o, m, v, e: s * (x - m) / np.sqrt(v) + o),
        },
    ),
    Mistake(
        "variance in place of its root",
        "It is divided by v + ε: the standard deviation is the root, √(v + ε).",
        {
            **_normal(lambda s: (s.values - s.mean) / (s.variance + s.epsilon)),
            **_evaluation(lambda x, s, o, m, v, e: s * (x - m) / (v + e) + o),
        },
    ),
    Mistake(
        "variance divided by m − 1",
        "The variance is the unbiased one, divided by m − 1 (ddof=1, torch.var): batch normalisation divides by m, the number "
        "of values.",
        _rooted(lambda s: np.sqrt(s.variance * s.size / (s.size - 1) + s.epsilon)),
    ),
    Mistake(
        "mean not subtracted",
        "x is divided by the standard deviation, but its mean is not subtracted.",
        {
            **_normal(lambda s: s.values / s.root),
            **_evaluation(lambda x, s, o, m, v, e: s * x / np.sqrt(v + e) + o),
        },
    ),
    Mistake(
        "variance about 0",
        "The variance is the mean of x²: it is the mean of (x − μ)².",
        _normal(lambda s: (s.values - s.mean) / np.sqrt(s.sets.mean(s.values**2) + s.epsilon)),
    ),
    Mistake(
        "absolute deviation",
        "It is divided by the mean of |x − μ|: the standard deviation is the root of the mean of (x − μ)².",
        _normal(lambda s: (s.values - s.mean) / (s.sets.mean(np.abs(s.values - s.mean)) + s.epsilon)),
    ),
    Mistake(
        "scale left out",
        "The normalised values are not multiplied by scale (γ).",
        {
            **_forward(lambda s: s.normal + s.sets.split(s.offset)),
            **_evaluation(lambda x, s, o, m, v, e: (x - m) / np.sqrt(v + e) + o),
        },
    ),
    Mistake(
        "offset left out",
        "The offset (β) is not added.",
        {
            **_forward(lambda s: s.normal * s.sets.split(s.scale)),
            **_evaluation(lambda x, s, o, m, v, e: s * (x - m) / np.sqrt(v + e)),
        },
    ),
    Mistake(
        "offset multiplied by the scale",
        "The offset is added before the scale multiplies: y = scale · x̂ + offset.",
        {
            **_forward(lambda s: (s.normal + s.sets.split(s.offset)) * s.sets.split(s.scale)),
            **_evaluation(lambda x, s, o, m, v, e: s * ((x - m) / np.sqrt(v + e) + o)),
        },
    ),
    Mistake(
        "scale and offset exchanged",
        "Scale and offset are used in each other's place: y = scale · x̂ + offset.",
        {
            **_forward(lambda s: s.normal * s.sets.split(s.offset) + s.sets.split(s.scale)),
            **_evaluation(lambda x, s, o, m, v, e: o * (x - m) / np.sqrt(v + e) + s),
        },
    ),
)

SETS_TAKEN = (
    Mistake(
        "statistics of each example",
        "Every example has a mean and a variance of its own (that is instance normalisation): in batch normalisation the whole "
        "batch shares them, one pair for each channel.",
        _over("batch_norm", _each_example),
    ),
    Mistake(
        "statistics of each pixel",
        "The mean runs over the examples alone (axis=0), as for a dense layer: with images it runs over the pixels too, all "
        "axes but the channels.",
        _over("batch_norm", _each_place),
    ),
    Mistake(
        "statistics of everything",
        "One mean and one variance are taken of all numbers (no axis): batch normalisation has one pair for each channel.",
        _over("batch_norm", _everything),
    ),
    Mistake(
        "statistics of the batch in a layer normalisation",
        "The mean runs over the examples: layer normalisation takes every example by itself, over its channels.",
        _over("layer_norm", _of_batch),
    ),
    Mistake(
        "pixels and whole examples exchanged",
        "The statistics are those of whole examples where each pixel is normalised by itself, or the other way round: "
        'axes="channels" runs over the last axis, "all" over all but the first.',
        _over("layer_norm", _other_axes),
    ),
    Mistake(
        "groups of each pixel",
        "The mean runs over a group's channels alone: it runs over the pixels of the example too.",
        _over("group_norm", _group_of_one_pixel),
    ),
    Mistake(
        "groups of all examples",
        "The mean runs over the examples too: group normalisation takes every example by itself.",
        _over("group_norm", _group_of_all_examples),
    ),
    Mistake(
        "groups taken for their size",
        "The channels are split into groups of G: G is the number of groups, each of C / G channels.",
        _over("group_norm", _so_many_in_a_group),
    ),
    Mistake(
        "groups of channels that lie apart",
        "A group is made of every G-th channel: groups are of neighbours, reshape(…, G, C // G).",
        _over("group_norm", _across),
    ),
    Mistake(
        "statistics of the batch in evaluation",
        "Mean and variance are computed of x: in evaluation the ones that are given are used.",
        _evaluation(lambda x, s, o, m, v, e: normalisations.batch_norm(x, s, o, epsilon=e)),
    ),
)

DX = (
    Mistake(
        "statistics taken for constants",
        "dx = dy · scale / σ is the whole gradient only where mean and variance are constants: x moves both, and they move all "
        "values of their set.",
        _backward(0, lambda s: s.dx(by_mean=0, by_variance=0)),
    ),
    Mistake(
        "path through the mean forgotten",
        "dx lacks what goes through the mean: − mean(dy · scale) / σ.",
        _backward(0, lambda s: s.dx(by_mean=0)),
    ),
    Mistake(
        "path through the variance forgotten",
        "dx lacks what goes through the variance: − x̂ · mean(dy · scale · x̂) / σ.",
        _backward(0, lambda s: s.dx(by_variance=0)),
    ),
    Mistake(
        "direct path forgotten",
        "dx has what goes through the mean and through the variance, and lacks dy · scale / σ itself.",
        _backward(0, lambda s: s.dx(direct=0)),
    ),
    Mistake(
        "sign of the path through the mean turned",
        "What goes through the mean is added: it is subtracted, as the mean is from x.",
        _backward(0, lambda s: s.dx(by_mean=-1)),
    ),
    Mistake(
        "sign of the path through the variance turned",
        "What goes through the variance is added: the derivative of v^(−½) is negative.",
        _backward(0, lambda s: s.dx(by_variance=-1)),
    ),
    Mistake(
        "½ of the root forgotten",
        "What goes through the variance is twice as large: the derivative of v^(−½) is −½ v^(−3/2), and the ½ is missing.",
        _backward(0, lambda s: s.dx(by_variance=2)),
    ),
    Mistake(
        "2 of the square forgotten",
        "What goes through the variance is half as large: the derivative of (x − μ)² is 2 (x − μ), and the 2 is missing.",
        _backward(0, lambda s: s.dx(by_variance=0.5)),
    ),
    Mistake(
        "sums in place of means in dx",
        "dy and dy · x̂ are added up over a set: dx takes their means, divided by the number of values m.",
        _backward(0, lambda s: s.dx(by_mean=s.size, by_variance=s.size)),
    ),
    Mistake(
        "scale left out of dx",
        "dx has no scale in it: the gradient by x̂ is dy · scale.",
        _backward(0, lambda s: s._replace(scale=np.ones_like(s.scale)).dx()),
    ),
    Mistake(
        "dx not divided by σ",
        "dx lacks the division by σ = √(v + ε): x̂ = (x − μ) / σ.",
        _backward(0, lambda s: s.dx() * s.root),
    ),
    Mistake(
        "x in place of x̂ in dx",
        "What goes through the variance is multiplied by x: it is multiplied by x̂ = (x − μ) / σ.",
        _backward(
            0, lambda s: (s.by_normal - s.sets.mean(s.by_normal) - s.values * s.sets.mean(s.by_normal * s.normal)) / s.root
        ),
    ),
    Mistake(
        "scale outside the means",
        "scale is multiplied at the end, as in batch normalisation: here it differs within a set, and belongs into the means "
        "of dy · scale and dy · scale · x̂.",
        _backward(0, lambda s: s._replace(scale=np.ones_like(s.scale)).dx() * s.sets.split(s.scale), _SHARED),
    ),
)


def _sum(s: _Seen, array: Array) -> Array:
    """Over everything but the channels, of an array that has its groups apart."""
    return channel_sums(array if s.sets.groups is None else array.reshape(*array.shape[:-2], -1))


def _count(s: _Seen) -> int:
    return s.upstream.size // s.scale.size


def _over_examples(s: _Seen, array: Array) -> Array:
    return (array if s.sets.groups is None else array.reshape(*array.shape[:-2], -1)).sum(0)


PARAMETERS = (
    Mistake(
        "x̂ left out of dscale",
        "dscale is the sum of dy: it is the sum of dy · x̂, as scale multiplies x̂.",
        _backward(1, lambda s: _sum(s, s.upstream)),
    ),
    Mistake(
        "x in place of x̂ in dscale",
        "dscale is the sum of dy · x: scale multiplies x̂ = (x − μ) / σ.",
        _backward(1, lambda s: _sum(s, s.upstream * s.values)),
    ),
    Mistake(
        "dscale not divided by σ",
        "dscale is the sum of dy · (x − μ): scale multiplies x̂ = (x − μ) / σ.",
        _backward(1, lambda s: _sum(s, s.upstream * (s.values - s.mean))),
    ),
    Mistake(
        "scale in dscale",
        "dscale has scale in it: the derivative of scale · x̂ by scale is x̂.",
        _backward(1, lambda s: _sum(s, s.by_normal * s.normal)),
    ),
    Mistake(
        "mean instead of sum in dscale",
        "dscale is the mean of dy · x̂: a parameter that all values share collects the sum.",
        _backward(1, lambda s: _sum(s, s.upstream * s.normal) / _count(s)),
    ),
    Mistake(
        "mean instead of sum in doffset",
        "doffset is the mean of dy: an offset that all values share collects the sum.",
        _backward(2, lambda s: _sum(s, s.upstream) / _count(s)),
    ),
    Mistake(
        "dscale summed over the examples only",
        "dscale is summed over the examples and not over the pixels: it has one number for each channel.",
        _backward(1, lambda s: _over_examples(s, s.upstream * s.normal)),
    ),
    Mistake(
        "doffset summed over the examples only",
        "doffset is summed over the examples and not over the pixels: it has one number for each channel.",
        _backward(2, lambda s: _over_examples(s, s.upstream)),
    ),
    Mistake(
        "scale in doffset",
        "doffset has scale in it: the offset is added after the scale has multiplied.",
        _backward(2, lambda s: _sum(s, s.by_normal)),
    ),
)


def _exchanged(kind: str) -> Wrong:
    def wrong(*args: Any, **options: Any) -> tuple[Array, ...]:
        dx, dscale, doffset, *others = getattr(normalisations, kind)(*args, **options)
        return dx, doffset, dscale, *others

    return wrong


_BACKWARD = (*(f"{kind}_backward" for kind in _ALL), "batch_norm_evaluation_backward")

EVALUATION = (
    Mistake(
        "dscale and doffset exchanged",
        "dscale and doffset are returned in each other's place: the order is (dx, dscale, doffset).",
        {kind: _exchanged(kind) for kind in _BACKWARD},
    ),
    Mistake(
        "given statistics taken for those of the batch",
        "dx has the paths through mean and variance: the ones that are given do not depend on x.",
        _evaluation_backward(
            0,
            lambda dy, x, s, o, m, v, e, g: (
                g[0] - (channel_sums(g[0]) + (x - m) / (v + e) * channel_sums(g[0] * (x - m))) / x[..., 0].size
            ),
        ),
    ),
    Mistake(
        "sign of dmean turned",
        "dmean has the wrong sign: the mean is subtracted.",
        _evaluation_backward(3, lambda dy, x, s, o, m, v, e, g: -g[3]),
    ),
    Mistake(
        "½ left out of dvariance",
        "dvariance is twice as large: the derivative of (v + ε)^(−½) is −½ (v + ε)^(−3/2).",
        _evaluation_backward(4, lambda dy, x, s, o, m, v, e, g: 2 * g[4]),
    ),
    Mistake(
        "dvariance with the wrong power",
        "dvariance is divided by v + ε: the derivative of (v + ε)^(−½) is −½ (v + ε)^(−3/2), one root more.",
        _evaluation_backward(4, lambda dy, x, s, o, m, v, e, g: g[4] * np.sqrt(v + e)),
    ),
)

MISTAKES = (*FORWARD, *SETS_TAKEN, *DX, *PARAMETERS, *EVALUATION)
