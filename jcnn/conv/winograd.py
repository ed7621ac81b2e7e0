"""Convolution by minimal filtering: fewer products, paid for with additions and a few bits of accuracy."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from jcnn.conv.channels import between_channels, mix
from jcnn.conv.cook_toom import Matrix, Transforms, growth, transforms
from jcnn.precision import wide
from jcnn.window import Window


def default_tile(window: Sequence[int], outputs: Sequence[int]) -> tuple[int, ...]:
    """How many outputs to compute at once along every axis, never more than there are.

    4, or 2 for filters of more than 3 taps and in three dimensions: errors multiply over the axes and grow fast with the
    n = m + r − 1 points. 1, the direct sum, for a single tap, where nothing is saved, and for more than 7, where float32 would
    lose most of its digits.
    """
    most = [1 if f == 1 or f > 7 else 2 if f > 3 or len(window) == 3 else 4 for f in window]
    return tuple(map(min, most, outputs))


@partial(jax.jit, static_argnames=("window", "groups", "tile"))
def conv_winograd(
    x: Float[Array, "n *s c_in"],
    w: Float[Array, "*f c_group c_out"],
    window: Window,
    groups: int,
    tile: tuple[int, ...] | None = None,
) -> Float[Array, "n *o c_out"]:
    """y = Aᵀ [Σ_c (G w_c) ⊙ (Bᵀ x_c)] for every tile of outputs, with the transforms of F(m, r) along each axis.

    The sums over the channels c are one matrix product for each of Π(m + r − 1) points. The error is that of `winograd_bound`.

    Args:
        x: as in `conv`.
        w: as in `conv`.
        window: stride 1 and dilation 1.
        groups: as in `conv`.
        tile: m, outputs at once along every axis; None: `default_tile`.

    Raises:
        TypeError: integers, which the fractions in the transforms do not keep.
        ValueError: a stride or dilation above 1.

    Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", section 4.
    """
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(
            f"formulation='winograd': x has dtype {x.dtype}, expected a float; 'lax', 'taps' and 'im2col' keep integers exact"
        )
    for name, amounts in (("stride", window.stride), ("dilation", window.dilation)):
        if any(amount > 1 for amount in amounts):
            raise ValueError(f"formulation='winograd': {name}={amounts}, expected 1; use 'lax', 'taps' or 'im2col'")

    count, *sizes, _ = x.shape
    outputs = window.output_shape(sizes)
    tile = default_tile(window.size, outputs) if tile is None else tile
    tiles = _tiles(outputs, tile)
    matrices = [transforms(m, r) for m, r in zip(tile, window.size, strict=True)]

    image = _transformed_input(window.pad(wide(x)), tiles, tile, matrices)
    filters = [wide(w)]
    for axis, (_, of_filters, _) in enumerate(matrices):
        taps = range(window.size[axis])
        filters = _transform(of_filters, [lax.index_in_dim(part, k, keepdims=False) for part in filters for k in taps])
    points = [mix(pixels, mixing, groups) for pixels, mixing in zip(image, filters, strict=True)]

    for axis, (of_output, _, _) in reversed(list(enumerate(matrices))):
        points = _transform(of_output, points, math.prod(tile[axis + 1 :]))
    points = [lax.optimization_barrier(point) for point in points]
    for axis, m in reversed(list(enumerate(tile))):
        # Outputs of one tile go beside each other, tile after tile.
        points = [jnp.stack(points[first : first + m], axis + 2) for first in range(0, len(points), m)]
    y = points[0].reshape(count, *(t * m for t, m in zip(tiles, tile, strict=True)), w.shape[-1])
    return lax.slice(y, (0,) * y.ndim, (count, *outputs, w.shape[-1]))


@partial(jax.jit, static_argnames=("window", "groups", "tile"))
def filter_gradient_winograd(
    dy: Float[Array, "n *o c_out"],
    x: Float[Array, "n *s c_in"],
    window: Window,
    groups: int,
    tile: tuple[int, ...] | None = None,
) -> Float[Array, "*f c_group c_out"]:
    """dw = Gᵀ [Σ over examples and tiles of (Bᵀ x) ⊙ (A dy)] along each axis: the transpose of `conv_winograd` by the filters.

    The sums are one matrix product of channels with channels for each of Π(m + r − 1) points; the error is that of
    `winograd_bound` with N · tiles terms.

    Args:
        dy: output gradient.
        x: the input that the convolution saw.
        window: stride 1 and dilation 1.
        groups: as in `conv`.
        tile: m, outputs at once along every axis; None: `default_tile`.

    Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", section 4.
    """
    outputs = dy.shape[1:-1]
    tile = default_tile(window.size, outputs) if tile is None else tile
    tiles = _tiles(outputs, tile)
    matrices = [transforms(m, r) for m, r in zip(tile, window.size, strict=True)]

    image = _transformed_input(window.pad(wide(x)), tiles, tile, matrices)
    gradients = [_whole(wide(dy), tiles, tile, (0,) * len(tile))]
    for axis, (of_output, _, _) in enumerate(matrices):
        m = tile[axis]
        parts = [lax.slice_in_dim(part, k, None, m, axis + 1) for part in gradients for k in range(m)]
        gradients = [lax.optimization_barrier(part) for part in _transform(_transposed(of_output), parts)]
    points = [
        between_channels(pixels.reshape(-1, x.shape[-1]), part.reshape(-1, dy.shape[-1]), groups)
        for pixels, part in zip(image, gradients, strict=True)
    ]
    for axis, (_, of_filters, _) in reversed(list(enumerate(matrices))):
        points = _transform(_transposed(of_filters), points, math.prod(window.size[axis + 1 :]))
    return jnp.stack(points).reshape(*window.size, *points[0].shape)


def _transformed_input(image: Array, tiles: Sequence[int], tile: Sequence[int], matrices: Sequence[Transforms]) -> list[Array]:
    """Bᵀ along every axis, for all tiles at once: (N, *tiles, C) at each point, the points of the last axis fastest."""
    parts = [_whole(image, tiles, tile, [len(of_input) - m for m, (_, _, of_input) in zip(tile, matrices, strict=True)])]
    for axis, (m, (_, _, of_input)) in enumerate(zip(tile, matrices, strict=True), 1):
        last = (tiles[axis - 1] - 1) * m + 1
        seen = [lax.slice_in_dim(part, k, k + last, m, axis) for part in parts for k in range(len(of_input))]
        # Held, or XLA would compute the sums of one axis anew in those of the next.
        parts = [lax.optimization_barrier(part) for part in _transform(of_input, seen)]
    return parts


def _transform(matrix: Matrix, parts: Sequence[Array], inner: int = 1) -> list[Array]:
    """The matrix applied to one axis of a grid of arrays, listed row by row; `inner` entries lie behind each of the axis.

    Written as sums, not as a product: most entries of these matrices are 0 or ±1.
    """
    block = len(matrix[0]) * inner
    return [
        _combination(row, parts[first + offset : first + block : inner])
        for first in range(0, len(parts), block)
        for row in matrix
        for offset in range(inner)
    ]


def _combination(weights: Sequence[Fraction], parts: Sequence[Array]) -> Array:
    """Σ weight · part, without the terms that are zero."""
    terms = [
        part if weight == 1 else -part if weight == -1 else part * part.dtype.type(float(weight))
        for weight, part in zip(weights, parts, strict=True)
        if weight
    ]
    return reduce(jnp.add, terms)


def _tiles(outputs: Sequence[int], tile: Sequence[int]) -> tuple[int, ...]:
    return tuple(-(-o // m) for o, m in zip(outputs, tile, strict=True))


def _whole(x: Array, tiles: Sequence[int], tile: Sequence[int], overlap: Sequence[int]) -> Array:
    """x with zeros at the end of every axis, up to whole tiles and what the last of them sees beyond."""
    rest = [t * m + more - n for t, m, more, n in zip(tiles, tile, overlap, x.shape[1:-1], strict=True)]
    return lax.pad(x, x.dtype.type(0), ((0, 0, 0), *((0, more, 0) for more in rest), (0, 0, 0)))


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def winograd_bound(
    m: Sequence[int], r: Sequence[int], terms: int, dtype: str | type[np.generic] | np.dtype = np.float64
) -> float:
    """How far `conv_winograd` may be off: β in |ŷ − y| ≤ β · Σ_c ‖w_c‖₁ · max|x_c|, for every example and filter.

        β = γ_q · Π over the axes of κ(m, r)        γ_q = q·u / (1 − q·u)

    Each product of Aᵀ[(G g) ⊙ (Bᵀ d)] carries at most q roundings u along its way; κ = `cook_toom.growth` bounds their weight
    by the norms of the three matrices. Autodiff transposes the same form, so that the same β serves for
    |dx̂ − dx| ≤ β · Σ_c ‖w_c‖₁ · max|dy_c| and |dŵ − dw| ≤ β · Σ_n ‖dy_n‖₁ · max|x_n|.

    Args:
        m: outputs at once, along every axis.
        r: taps along every axis.
        terms: numbers in the longest sum between the transforms: channels of a group for y and dx, N · tiles for dw.
        dtype: the dtype computed in, float32 or float64; its unit roundoff is u.

    Returns:
        β, to be multiplied by the norms above.

    Source: Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1; Barabasz, Anderson, Soodhalter & Gregg
    2020, "Error analysis and improving the accuracy of Winograd convolution for deep neural networks", theorem 1.
    """
    unit = float(np.finfo(dtype).eps) / 2
    # Along every axis three transforms sum at most n rounded entries, and overlapping tiles are summed.
    roundings = terms + sum(4 * (size + taps) for size, taps in zip(m, r, strict=True))
    weight = math.prod(growth(size, taps) for size, taps in zip(m, r, strict=True))
    return roundings * unit / (1 - roundings * unit) * weight
