"""Enlarging maps by whole factors, with the backward by hand."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import jax.numpy as jnp
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
            x = _interleaved(_phases(x, factor, method, axis), axis)
        return x

    return rounded_once(enlarged, x)


@compiled("factors", "method")
def _upsample_backward(dy: Array, factors: tuple[int, ...], method: str) -> Array:
    def collected(dy: Array) -> Array:
        for axis, factor in reversed(list(enumerate(factors, 1))):
            dy = _collected(dy, factor, method, axis)
        return dy

    return rounded_once(collected, dy)


def _phases(x: Array, factor: int, method: str, axis: int) -> list[Array]:
    """For each p the outputs A·i + p, as large as x."""
    if method == "nearest":
        return [x] * factor
    before, after = _neighbours(x, axis)
    return [x + weight * ((before if back else after) - x) for back, weight in _weights(factor)]


def _collected(dy: Array, factor: int, method: str, axis: int) -> Array:
    """The adjoint of interleaving the phases, then of taking them."""
    parts = dy.reshape(*dy.shape[:axis], dy.shape[axis] // factor, factor, *dy.shape[axis + 1 :])
    if method == "nearest":
        return parts.sum(axis + 1)
    dx = None
    for phase, (back, weight) in enumerate(_weights(factor)):
        part = parts.take(phase, axis + 1)
        given = weight * part
        own = part - given + _given_back(given, back, axis)
        dx = own if dx is None else dx + own
    assert dx is not None  # noqa: S101 (a factor is at least 1)
    return dx


def _weights(factor: int) -> list[tuple[bool, float]]:
    """For each p whether its other pixel is the one before, and that one's weight, |p + ½ − A/2| / A."""
    return [(2 * phase + 1 < factor, abs(2 * phase + 1 - factor) / (2 * factor)) for phase in range(factor)]


def _neighbours(x: Array, axis: int) -> tuple[Array, Array]:
    """The pixels before and after each, at the edge the one at the edge."""
    last = x.shape[axis] - 1
    ends = {edge: _slice(x, edge, edge + 1, axis) for edge in (0, last)}
    before = jnp.concatenate([ends[0], _slice(x, 0, last, axis)], axis)
    after = jnp.concatenate([_slice(x, 1, last + 1, axis), ends[last]], axis)
    return before, after


def _given_back(y: Array, back: bool, axis: int) -> Array:
    """The adjoint of one of `_neighbours`: what each pixel took returns to where it came from."""
    last = y.shape[axis] - 1
    if last == 0:
        return y
    nothing = jnp.zeros_like(_slice(y, 0, 1, axis))
    if back:
        moved = jnp.concatenate([_slice(y, 1, last + 1, axis), nothing], axis)
        edge = [(0, last) if at == axis else (0, 0) for at in range(y.ndim)]
        return moved + jnp.pad(_slice(y, 0, 1, axis), edge)
    moved = jnp.concatenate([nothing, _slice(y, 0, last, axis)], axis)
    edge = [(last, 0) if at == axis else (0, 0) for at in range(y.ndim)]
    return moved + jnp.pad(_slice(y, last, last + 1, axis), edge)


def _interleaved(phases: list[Array], axis: int) -> Array:
    stacked = jnp.stack(phases, axis + 1)
    return stacked.reshape(*stacked.shape[:axis], -1, *stacked.shape[axis + 2 :])


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
    geometry.countable("the output", _output_shape(x, factors), fix=f"; factor={factors}, x has shape {x.shape}")
    return x, factors
