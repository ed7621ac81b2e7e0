"""Enlarging maps by whole factors, with the backward by hand."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.geometry import choice
from jcnn.precision import rounded_once
from jcnn.programs import compiled

Method = Literal["nearest", "linear"]
"""What stands between two pixels: the nearer one, or both by their distance."""


def upsample(
    x: Float[AnyArray, "n *s c"], factor: int | Sequence[int], *, method: Method = "nearest"
) -> Float[Array, "n *o c"]:
    """Enlarges maps `factor` times along every axis.

    With A = factor, output o = A·i + p lies at the position (o + ½)/A − ½ of the input, whose pixels lie at 0, 1, 2, …

        "nearest"   y[A·i + p] = x[i]
        "linear"    y[o] = (1 − t) · x[j] + t · x[j + 1],  j + t the position, j = ⌊position⌋

    along one axis after the other: bilinear for images, trilinear for volumes. Beyond the edge the pixel at the edge counts.

    Args:
        x: (N, *S, C), 1 to 3 spatial axes; float16, bfloat16 (both summed in float32, rounded once), float32 or float64.
        factor: A, an int of at least 1, or one per axis.
        method: `"nearest"` or `"linear"`.

    Returns:
        (N, *O, C) with O = A · S, dtype of x.

    Raises:
        TypeError: another dtype.
        ValueError: wrong rank, an empty batch or an unknown name; `GeometryError` for a factor that is no whole number of at
            least 1, and for a result that would be too large.

    Source: Odena, Dumoulin & Olah 2016, "Deconvolution and checkerboard artifacts", for enlarging before a convolution;
    positions as of PyTorch's `interpolate(align_corners=False)`.
    """
    x, factors = _parse(x, factor, method)
    return _upsample(x, factors, method)


def upsample_backward(
    dy: Float[AnyArray, "n *o c"], x: Float[AnyArray, "n *s c"], factor: int | Sequence[int], *, method: Method = "nearest"
) -> Float[Array, "n *s c"]:
    """The gradient of `upsample`: every pixel collects from the outputs that it went into, by the same weights.

        "nearest"   dx[i] = Σ_p dy[A·i + p]
        "linear"    dx[i] = Σ_o dy[o] · (weight of x[i] in y[o])

    y is linear in x, along each axis y = M x with the rows of M as in `upsample`; so dx = Mᵀ dy along one axis after the other,
    in the opposite order. What was taken from beyond an edge comes back to the pixel at the edge.

    Args:
        dy: output gradient, (N, *O, C), dtype of x.
        x: the input that `upsample` saw; only its shape and dtype matter.
        factor: as in `upsample`.
        method: as in `upsample`.

    Returns:
        dx, shape and dtype of x.

    Raises:
        TypeError: as `upsample`.
        ValueError: as `upsample`, or dy has another shape than the output.

    Source: as `upsample`.
    """
    x, factors = _parse(x, factor, method)
    dy = arguments.output_gradient(dy, _output_shape(x, factors), x, "upsample", options=f"factor={factors}")
    return _upsample_backward(dy, factors, method)


@compiled("factors", "method")
def _upsample(x: Array, factors: tuple[int, ...], method: str) -> Array:
    def enlarged(x: Array) -> Array:
        for axis, factor in enumerate(factors, 1):
            x = _enlarged(x, factor, method, axis)
        return x

    return rounded_once(enlarged, x)


@compiled("factors", "method")
def _upsample_backward(dy: Array, factors: tuple[int, ...], method: str) -> Array:
    def collected(dy: Array) -> Array:
        for axis, factor in reversed(list(enumerate(factors, 1))):
            dy = _collected(dy, factor, method, axis)
        return dy

    return rounded_once(collected, dy)


def _enlarged(x: Array, factor: int, method: str, axis: int) -> Array:
    if method == "nearest":
        return jnp.repeat(x, factor, axis)
    is_before, weight = _neighbours_of(factor, x, axis)
    before, after = _neighbours(x, axis)
    x, before, after = (jnp.expand_dims(array, axis + 1) for array in (x, before, after))
    y = x + weight * (jnp.where(is_before, before, after) - x)
    return y.reshape(*y.shape[:axis], -1, *y.shape[axis + 2 :])


def _collected(dy: Array, factor: int, method: str, axis: int) -> Array:
    """The adjoint of `_enlarged`, step by step."""
    dy = dy.reshape(*dy.shape[:axis], dy.shape[axis] // factor, factor, *dy.shape[axis + 1 :])
    if method == "nearest":
        return dy.sum(axis + 1)
    is_before, weight = _neighbours_of(factor, dy, axis, split=True)
    to_other = weight * dy
    nothing = jnp.zeros_like(dy)
    to_before = jnp.where(is_before, to_other, nothing).sum(axis + 1)
    to_after = jnp.where(is_before, nothing, to_other).sum(axis + 1)
    return (dy - to_other).sum(axis + 1) + _given_back(to_before, to_after, axis)


def _neighbours_of(factor: int, x: Array, axis: int, *, split: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """For each p whether the other pixel of output A·i + p is the one before, and its weight, |p + ½ − A/2| / A.

    Shaped to meet an x whose `axis` is followed by one for p, or will be.
    """
    doubled = 2 * np.arange(factor) + 1 - factor
    shape = [1] * (x.ndim if split else x.ndim + 1)
    shape[axis + 1] = factor
    weight = (np.abs(doubled) / (2 * factor)).astype(x.dtype)
    return (doubled < 0).reshape(shape), weight.reshape(shape)


def _neighbours(x: Array, axis: int) -> tuple[Array, Array]:
    """The pixels before and after each, at the edge the one at the edge."""
    last = x.shape[axis] - 1
    before = jnp.concatenate([_slice(x, 0, 1, axis), _slice(x, 0, last, axis)], axis)
    after = jnp.concatenate([_slice(x, 1, last + 1, axis), _slice(x, last, last + 1, axis)], axis)
    return before, after


def _given_back(to_before: Array, to_after: Array, axis: int) -> Array:
    """The adjoint of `_neighbours`: what pixels took from the one before and after returns there."""
    last = to_before.shape[axis] - 1
    first, to_earlier = _slice(to_before, 0, 1, axis), _slice(to_before, 1, last + 1, axis)
    to_later, final = _slice(to_after, 0, last, axis), _slice(to_after, last, last + 1, axis)
    none = jnp.zeros_like(first)
    moved = jnp.concatenate([to_earlier, none], axis) + jnp.concatenate([none, to_later], axis)
    # At the edges it came from the pixel itself.
    edges = [(0, last) if at == axis else (0, 0) for at in range(moved.ndim)]
    return moved + jnp.pad(first, edges) + jnp.pad(final, [pair[::-1] for pair in edges])


def _slice(x: Array, start: int, stop: int, axis: int) -> Array:
    return x[(slice(None),) * axis + (slice(start, stop),)]


def _output_shape(x: Array, factors: tuple[int, ...]) -> tuple[int, ...]:
    sizes = (n * factor for n, factor in zip(x.shape[1:-1], factors, strict=True))
    return (x.shape[0], *sizes, x.shape[-1])


def _parse(x: Any, factor: Any, method: Any) -> tuple[Array, tuple[int, ...]]:
    x = arguments.numeric("x", x)
    rank = arguments.spatial_rank("x", x)
    factors = geometry.per_axis("factor", factor, rank)
    choice("method", method, get_args(Method))
    # Of each example: how many there are may not be known.
    fix = f" for each example; factor={factors}, x has shape {x.shape}"
    geometry.countable("the output", _output_shape(x, factors)[1:], fix=fix)
    return x, factors
