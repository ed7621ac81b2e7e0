"""Normalisation: batch, layer and group, each with its backward by hand.

All of them are one formula over different sets of values. A set has m values x, their mean μ and their biased variance v:

    μ = Σ x / m        v = Σ (x − μ)² / m        x̂ = (x − μ) / √(v + ε)        y = scale · x̂ + offset

A set is one channel of the whole batch (`batch_norm`), all channels of one pixel or of one example (`layer_norm`), or one group
of channels of one example (`group_norm`). Scale and offset are one number a channel in every case.

The backward, with g = dy · scale, the gradient by x̂, and r = 1 / √(v + ε). A value x_i moves the loss along three paths: by its
own x̂_i, by the mean and by the variance that all of its set share.

    ∂L/∂v   = Σ_j g_j (x_j − μ) · (−½) r³                    x̂_j = (x_j − μ) · (v + ε)^(−½)
    ∂L/∂μ   = −r Σ_j g_j                                     what goes through v is 0, since Σ_j (x_j − μ) = 0
    ∂L/∂x_i = g_i r  +  ∂L/∂μ · 1/m  +  ∂L/∂v · 2 (x_i − μ)/m
            = r · (g_i − Σ_j g_j / m − x̂_i · Σ_j g_j x̂_j / m)

    ∂L/∂scale = Σ dy · x̂        ∂L/∂offset = Σ dy            over everything but the channels

So dx is g without its parts along the ones and along x̂, times r: in each set Σ dx = 0, and Σ dx · x̂ is 0 up to ε.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import Float

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.geometry import choice, wrong
from jcnn.precision import sum_dtype, wide
from jcnn.programs import compiled
from jcnn.rules import Gradient, differentiable

AxisName = str | Sequence[str]
"""The name of an axis of `jax.vmap` or `jax.shard_map`, or several."""

Axes = Literal["channels", "all"]
"""What the sets of a layer normalisation run over."""


class _Sets(NamedTuple):
    """The sets of values that share a mean and a variance.

    Attributes:
        axes: along which a set runs, of the array that `split` gives.
        groups: into how many groups the channels are split; None: they are not.
        axis_name: mapped axes that a set runs along as well.
    """

    axes: tuple[int, ...]
    groups: int | None = None
    axis_name: tuple[str, ...] = ()

    def split(self, x: Array) -> Array:
        """x with an axis for the groups before that of the channels."""
        return x if self.groups is None else x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)

    def mean(self, x: Array) -> Array:
        """The mean of each set, with axes of 1 where the sets run."""
        mean = x.mean(self.axes, keepdims=True)
        return jax.lax.pmean(mean, self.axis_name) if self.axis_name else mean

    def moments(self, x: Array) -> tuple[Array, Array]:
        """Mean and biased variance of each set, by two walks: the mean of squares less the square of the mean cancels."""
        mean = self.mean(x)
        return mean, self.mean((x - mean) ** 2)


def batch_statistics(
    x: Float[AnyArray, "n *s c"], *, axis_name: AxisName | None = None
) -> tuple[Float[Array, " c"], Float[Array, " c"]]:
    """Mean and biased variance of every channel over the batch and its pixels, as `batch_norm` takes them.

        mean = Σ x / m        variance = Σ (x − mean)² / m        m = N · prod(S), times the size of the mapped axes

    The unbiased variance, which running statistics usually collect, is this one times m / (m − 1).

    Args:
        x: (N, *S, C) with 0 to 3 spatial axes; float16, bfloat16, float32 or float64.
        axis_name: mapped axes that the batch runs along as well, as in `batch_norm`.

    Returns:
        (mean, variance), each (C,), in the dtype that sums are taken in: float32 for 16-bit x, else that of x.

    Raises:
        TypeError: another dtype, or a name that is no text.
        ValueError: wrong rank, an empty batch, or no such mapped axis.

    Source: Ioffe & Szegedy 2015, "Batch normalization", algorithm 1.
    """
    x = _batch(x)
    return _batch_statistics(x, _over_batch(x, axis_name))


def batch_norm(
    x: Float[AnyArray, "n *s c"],
    scale: Float[AnyArray, " c"],
    offset: Float[AnyArray, " c"],
    mean: Float[AnyArray, " c"] | None = None,
    variance: Float[AnyArray, " c"] | None = None,
    *,
    epsilon: float = 1e-5,
    axis_name: AxisName | None = None,
    gradient: Gradient = "autodiff",
) -> Float[Array, "n *s c"]:
    """y = scale · (x − mean) / √(variance + ε) + offset, for every channel.

    In training mean and variance are those of the batch, `batch_statistics(x)`: they depend on x, and gradients go through
    them. In evaluation they are given, the running statistics of the training, and are constants for x.

    Args:
        x: (N, *S, C) with 0 to 3 spatial axes; float16, bfloat16 (both computed in float32, rounded once), float32 or float64.
        scale: (C,), dtype of x, or float32 with 16-bit x.
        offset: (C,), as scale.
        mean: (C,), as scale; None: of the batch.
        variance: (C,), as scale, biased, 0 or more; given exactly if mean is.
        epsilon: ε, above 0.
        axis_name: an axis of `jax.vmap`, `jax.shard_map` or `jax.pmap`, or several: the batch runs along it as well. What x
            holds here is one part; statistics, and dx, are those of the whole batch. Without effect where mean is given.
        gradient: `"autodiff"`, or `"manual"` for `batch_norm_backward` (reverse mode only); through means over a mapped axis
            JAX goes in both.

    Returns:
        (N, *S, C), dtype of x.

    Raises:
        TypeError: other dtypes.
        ValueError: shapes that do not fit, a single value for each channel (its variance is 0, and so is all that is learned
            from it), a negative variance, mean without variance, or no such mapped axis. Under `jit`, where values are not
            known, a variance below −ε gives NaN.

    Source: Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift".
    """
    x = _batch(x)
    scale, offset = _of_channels(x, scale=scale, offset=offset)
    epsilon = _epsilon(epsilon, x)
    if given := _given(x, mean, variance):
        forward, backward = partial(_by_given, epsilon=epsilon), partial(_by_given_backward, epsilon=epsilon)
        return differentiable(forward, backward, gradient)(x, scale, offset, *given)
    sets = _over_batch(x, axis_name)
    _more_than_one(x, sets, "mean and variance given")
    if sets.axis_name and gradient == "manual":
        return _in_parts(x, scale, offset, sets, epsilon)
    return _with_gradient(sets, epsilon, gradient)(x, scale, offset)


def batch_norm_backward(
    dy: Float[AnyArray, "n *s c"],
    x: Float[AnyArray, "n *s c"],
    scale: Float[AnyArray, " c"],
    offset: Float[AnyArray, " c"],
    mean: Float[AnyArray, " c"] | None = None,
    variance: Float[AnyArray, " c"] | None = None,
    *,
    epsilon: float = 1e-5,
    axis_name: AxisName | None = None,
) -> tuple[Array, ...]:
    """The gradients of `batch_norm` by everything it saw.

    In training, with r = 1 / √(v + ε), x̂ = (x − μ) r and means over the whole batch of a channel (derived at the head of this
    module: x moves y by itself, by the mean and by the variance):

        dx = scale · r · (dy − mean(dy) − x̂ · mean(dy · x̂))        dscale = Σ dy · x̂        doffset = Σ dy

    In evaluation mean and variance are constants for x, and arguments of their own:

        dx = scale · r · dy        dmean = −scale · r · Σ dy        dvariance = −½ · scale · r² · Σ dy · x̂

    Args:
        dy: output gradient, shape and dtype of x.
        x: the input that `batch_norm` saw.
        scale: as in `batch_norm`.
        offset: as in `batch_norm`; only its shape and dtype matter.
        mean: as in `batch_norm`.
        variance: as in `batch_norm`.
        epsilon: as in `batch_norm`.
        axis_name: as in `batch_norm`. dx is then the gradient of the sum of all parts' losses, since every part's x moves
            the statistics of all; dscale and doffset are this part's share, to be summed over the axis as every parameter's.

    Returns:
        (dx, dscale, doffset), and dmean and dvariance after them where these were given; shapes and dtypes as the arguments.

    Raises:
        TypeError: as `batch_norm`.
        ValueError: as `batch_norm`, or dy has another shape than x.

    Source: Ioffe & Szegedy 2015, "Batch normalization", section 3.
    """
    x = _batch(x)
    scale, offset = _of_channels(x, scale=scale, offset=offset)
    epsilon = _epsilon(epsilon, x)
    given = _given(x, mean, variance)
    dy = arguments.output_gradient(dy, x.shape, x, "batch_norm")
    if given:
        return _by_given_backward(dy, x, scale, offset, *given, epsilon=epsilon)
    sets = _over_batch(x, axis_name)
    _more_than_one(x, sets, "mean and variance given")
    return _backward(dy, x, scale, offset, sets, epsilon)


def layer_norm(
    x: Float[AnyArray, "n *s c"],
    scale: Float[AnyArray, " c"],
    offset: Float[AnyArray, " c"],
    *,
    epsilon: float = 1e-5,
    axes: Axes = "channels",
    gradient: Gradient = "autodiff",
) -> Float[Array, "n *s c"]:
    """y = scale · (x − μ) / √(v + ε) + offset, with μ and v of each pixel's channels or of each whole example.

    No example sees another, so training and evaluation are the same.

    Args:
        x: (N, *S, C) with 0 to 3 spatial axes; float16, bfloat16 (both computed in float32, rounded once), float32 or float64.
        scale: (C,), dtype of x, or float32 with 16-bit x.
        offset: (C,), as scale.
        epsilon: ε, above 0.
        axes: `"channels"`, every pixel by itself, as transformers and ConvNeXt have it; `"all"`, channels and pixels of an
            example together, the same as `group_norm` with one group.
        gradient: `"autodiff"`, or `"manual"` for `layer_norm_backward` (reverse mode only).

    Returns:
        (N, *S, C), dtype of x.

    Raises:
        TypeError: other dtypes.
        ValueError: shapes that do not fit, an empty batch, sets of a single value, or an unknown name.

    Source: Ba, Kiros & Hinton 2016, "Layer normalization".
    """
    x, scale, offset, sets, epsilon = _parse_layer(x, scale, offset, epsilon, axes)
    return _with_gradient(sets, epsilon, gradient)(x, scale, offset)


def layer_norm_backward(
    dy: Float[AnyArray, "n *s c"],
    x: Float[AnyArray, "n *s c"],
    scale: Float[AnyArray, " c"],
    offset: Float[AnyArray, " c"],
    *,
    epsilon: float = 1e-5,
    axes: Axes = "channels",
) -> tuple[Float[Array, "n *s c"], Float[Array, " c"], Float[Array, " c"]]:
    """The gradients of `layer_norm`.

    As for `batch_norm`, but scale differs within a set, so that it stays inside the means, with g = dy · scale:

        dx = r · (g − mean(g) − x̂ · mean(g · x̂))        dscale = Σ dy · x̂        doffset = Σ dy

    Means run over a set, sums over everything but the channels. The derivation is at the head of this module.

    Args:
        dy: output gradient, shape and dtype of x.
        x: the input that `layer_norm` saw.
        scale: as in `layer_norm`.
        offset: as in `layer_norm`; only its shape and dtype matter.
        epsilon: as in `layer_norm`.
        axes: as in `layer_norm`.

    Returns:
        (dx, dscale, doffset), shapes and dtypes as the arguments.

    Raises:
        TypeError: as `layer_norm`.
        ValueError: as `layer_norm`, or dy has another shape than x.

    Source: Ba, Kiros & Hinton 2016, "Layer normalization".
    """
    x, scale, offset, sets, epsilon = _parse_layer(x, scale, offset, epsilon, axes)
    dy = arguments.output_gradient(dy, x.shape, x, "layer_norm")
    return _backward(dy, x, scale, offset, sets, epsilon)


def group_norm(
    x: Float[AnyArray, "n *s c"],
    scale: Float[AnyArray, " c"],
    offset: Float[AnyArray, " c"],
    *,
    groups: int,
    epsilon: float = 1e-5,
    gradient: Gradient = "autodiff",
) -> Float[Array, "n *s c"]:
    """y = scale · (x − μ) / √(v + ε) + offset, with μ and v of each group of neighbouring channels of each example.

    With one group this is `layer_norm(axes="all")`, with as many groups as channels instance normalisation. No example sees
    another, so training and evaluation are the same.

    Args:
        x: (N, *S, C) with 0 to 3 spatial axes; float16, bfloat16 (both computed in float32, rounded once), float32 or float64.
        scale: (C,), dtype of x, or float32 with 16-bit x.
        offset: (C,), as scale.
        groups: G, a divisor of C; group g has the channels g · C/G … (g + 1) · C/G − 1.
        epsilon: ε, above 0.
        gradient: `"autodiff"`, or `"manual"` for `group_norm_backward` (reverse mode only).

    Returns:
        (N, *S, C), dtype of x.

    Raises:
        TypeError: other dtypes.
        ValueError: shapes that do not fit, an empty batch, groups of a single value, or groups that do not divide C.

    Source: Wu & He 2018, "Group normalization".
    """
    x, scale, offset, sets, epsilon = _parse_group(x, scale, offset, epsilon, groups)
    return _with_gradient(sets, epsilon, gradient)(x, scale, offset)


def group_norm_backward(
    dy: Float[AnyArray, "n *s c"],
    x: Float[AnyArray, "n *s c"],
    scale: Float[AnyArray, " c"],
    offset: Float[AnyArray, " c"],
    *,
    groups: int,
    epsilon: float = 1e-5,
) -> tuple[Float[Array, "n *s c"], Float[Array, " c"], Float[Array, " c"]]:
    """The gradients of `group_norm`: as of `layer_norm`, with a group's pixels and channels as a set.

        dx = r · (g − mean(g) − x̂ · mean(g · x̂)),  g = dy · scale        dscale = Σ dy · x̂        doffset = Σ dy

    Args:
        dy: output gradient, shape and dtype of x.
        x: the input that `group_norm` saw.
        scale: as in `group_norm`.
        offset: as in `group_norm`; only its shape and dtype matter.
        groups: as in `group_norm`.
        epsilon: as in `group_norm`.

    Returns:
        (dx, dscale, doffset), shapes and dtypes as the arguments.

    Raises:
        TypeError: as `group_norm`.
        ValueError: as `group_norm`, or dy has another shape than x.

    Source: Wu & He 2018, "Group normalization".
    """
    x, scale, offset, sets, epsilon = _parse_group(x, scale, offset, epsilon, groups)
    dy = arguments.output_gradient(dy, x.shape, x, "group_norm", options=f"groups={groups}")
    return _backward(dy, x, scale, offset, sets, epsilon)


def _with_gradient(sets: _Sets, epsilon: float, gradient: str) -> Callable[[Array, Array, Array], Array]:
    forward = partial(_forward, sets=sets, epsilon=epsilon)
    return differentiable(forward, partial(_backward, sets=sets, epsilon=epsilon), gradient)


@compiled("sets")
def _batch_statistics(x: Array, sets: _Sets) -> tuple[Array, Array]:
    mean, variance = sets.moments(wide(x))
    return mean.reshape(-1), variance.reshape(-1)


@compiled("sets", "epsilon")
def _forward(x: Array, scale: Array, offset: Array, sets: _Sets, epsilon: float) -> Array:
    normal, _ = _normalised(x, sets, epsilon)
    y = normal * sets.split(_along_channels(scale, x)) + sets.split(_along_channels(offset, x))
    return y.reshape(x.shape).astype(x.dtype)


@compiled("sets", "epsilon")
def _backward(dy: Array, x: Array, scale: Array, offset: Array, sets: _Sets, epsilon: float) -> tuple[Array, Array, Array]:
    normal, inverse = _normalised(x, sets, epsilon)
    upstream = sets.split(wide(dy))
    by_normal = upstream * sets.split(_along_channels(scale, x))
    dx = inverse * (by_normal - sets.mean(by_normal) - normal * sets.mean(by_normal * normal))
    dscale, doffset = _channel_sums((upstream * normal).reshape(x.shape)), _channel_sums(wide(dy))
    return dx.reshape(x.shape).astype(x.dtype), dscale.astype(scale.dtype), doffset.astype(offset.dtype)


def _normalised(x: Array, sets: _Sets, epsilon: float) -> tuple[Array, Array]:
    """x̂ and r of each set."""
    x = sets.split(wide(x))
    mean, variance = sets.moments(x)
    inverse = 1 / jnp.sqrt(variance + epsilon)
    return (x - mean) * inverse, inverse


def _along_channels(array: Array, x: Array) -> Array:
    """An array of one number for each channel in wide numbers, with axes of 1 for the others of x."""
    return wide(array).reshape((1,) * (x.ndim - 1) + (-1,))


def _channel_sums(x: Array) -> Array:
    return x.sum(tuple(range(x.ndim - 1)))


@compiled("sets", "epsilon")
def _in_parts(x: Array, scale: Array, offset: Array, sets: _Sets, epsilon: float) -> Array:
    """As `_forward`, by hand but for the means over mapped axes: within a rule of one's own JAX cannot map them.

    In wide numbers, so that the gradients along the three paths are added before they are rounded.
    """
    values = wide(x)
    moments = (array.reshape(-1) for array in sets.moments(values))
    forward, backward = partial(_by_given, epsilon=epsilon), partial(_by_given_backward, epsilon=epsilon)
    return differentiable(forward, backward, "manual")(values, wide(scale), wide(offset), *moments).astype(x.dtype)


@compiled("epsilon")
def _by_given(x: Array, scale: Array, offset: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    scale, offset, mean, variance = (_along_channels(array, x) for array in (scale, offset, mean, variance))
    inverse = 1 / jnp.sqrt(variance + epsilon)
    return ((wide(x) - mean) * inverse * scale + offset).astype(x.dtype)


@compiled("epsilon")
def _by_given_backward(
    dy: Array, x: Array, scale: Array, offset: Array, mean: Array, variance: Array, epsilon: float
) -> tuple[Array, ...]:
    inverse = 1 / jnp.sqrt(wide(variance) + epsilon)
    upstream, factor = wide(dy), wide(scale) * inverse
    normal = (wide(x) - _along_channels(mean, x)) * _along_channels(inverse, x)
    dx, dscale, doffset = upstream * _along_channels(factor, x), _channel_sums(upstream * normal), _channel_sums(upstream)
    gradients = (dx, dscale, doffset, -factor * doffset, -factor * inverse * dscale / 2)
    arrays = (x, scale, offset, mean, variance)
    return tuple(leaf.astype(array.dtype) for leaf, array in zip(gradients, arrays, strict=True))


def _batch(x: Any) -> Array:
    """x as a batch, (N, *S, C)."""
    x = arguments.numeric("x", x)
    if not 2 <= x.ndim <= 5:
        hint = "; x[None] adds a batch axis" if x.ndim < 2 else ""
        raise ValueError(f"x has shape {x.shape}: expected (N, *S, C) with 0 to 3 spatial axes{hint}")
    arguments.not_empty("x", x)
    return x


def _of_channels(x: Array, **arrays: Any) -> tuple[Array, ...]:
    """Arrays of one number for each channel of x."""
    return tuple(arguments.per_channel(name, value, x) for name, value in arrays.items())


def _given(x: Array, mean: Any, variance: Any) -> tuple[Array, ...]:
    """Mean and variance where they are given."""
    if mean is None and variance is None:
        return ()
    if mean is None or variance is None:
        given, missing = ("mean", "variance") if variance is None else ("variance", "mean")
        raise ValueError(f"{missing}=None with a {given}: expected both, or neither for the statistics of the batch")
    mean, variance = _of_channels(x, mean=mean, variance=variance)
    # Of what JAX traces the values are not known.
    if not isinstance(variance, Tracer):
        negative = np.argwhere(np.asarray(variance) < 0)
        if len(negative):
            where = tuple(negative[0])
            raise ValueError(f"{arguments.entry('variance', where)} = {variance[where]}: expected 0 or more")
    return mean, variance


def _epsilon(epsilon: Any, x: Array) -> float:
    value, least = arguments.number("epsilon", epsilon), float(jnp.finfo(sum_dtype(x)).tiny)
    if value < least:
        raise ValueError(wrong("epsilon", epsilon, f"a number above 0, at least {least:.3g} for x of {x.dtype.name}"))
    return value


def _over_batch(x: Array, axis_name: Any) -> _Sets:
    return _Sets(tuple(range(x.ndim - 1)), axis_name=_mapped(axis_name))


def _mapped(axis_name: Any) -> tuple[str, ...]:
    """The names of mapped axes, each of them one that is mapped here."""
    if axis_name is None:
        return ()
    names = (axis_name,) if isinstance(axis_name, str) else axis_name
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        raise TypeError(wrong("axis_name", axis_name, "a name, or a tuple of them"))
    for name in names:
        try:
            jax.lax.axis_size(name)
        except NameError:
            here = "the axis_name of a jax.vmap, or an axis of the mesh of a jax.shard_map, around this call"
            raise ValueError(wrong("axis_name", name, here)) from None
    return tuple(names)


def _more_than_one(x: Array, sets: _Sets, fix: str) -> None:
    """Refuses sets of one value each, whose variance is 0 whatever they are."""
    viewed = x.shape if sets.groups is None else (*x.shape[:-1], sets.groups, x.shape[-1] // sets.groups)
    parts = math.prod(jax.lax.axis_size(name) for name in sets.axis_name)
    if parts * math.prod(viewed[axis] for axis in sets.axes) == 1:
        raise ValueError(
            f"x has shape {x.shape}: each mean is over one value, whose variance is 0; expected at least 2, or {fix}"
        )


def _parse_layer(x: Any, scale: Any, offset: Any, epsilon: Any, axes: Any) -> tuple[Array, Array, Array, _Sets, float]:
    x = _batch(x)
    scale, offset = _of_channels(x, scale=scale, offset=offset)
    last = x.ndim - 1
    runs = {"channels": (last,), "all": tuple(range(1, x.ndim))}[choice("axes", axes, get_args(Axes))]
    sets = _Sets(runs)
    _more_than_one(x, sets, 'axes="all", which takes the pixels as well')
    return x, scale, offset, sets, _epsilon(epsilon, x)


def _parse_group(x: Any, scale: Any, offset: Any, epsilon: Any, groups: Any) -> tuple[Array, Array, Array, _Sets, float]:
    x = _batch(x)
    scale, offset = _of_channels(x, scale=scale, offset=offset)
    groups = geometry.integer("groups", groups, 1)
    if x.shape[-1] % groups:
        raise ValueError(f"groups={groups}: expected a divisor of the channels of x, whose shape is {x.shape}")
    sets = _Sets((*range(1, x.ndim - 1), x.ndim), groups)
    _more_than_one(x, sets, "fewer groups, which have more channels each")
    return x, scale, offset, sets, _epsilon(epsilon, x)
