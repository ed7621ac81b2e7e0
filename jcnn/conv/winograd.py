"""Convolution by minimal filtering: fewer products, paid for with additions and a few bits of accuracy."""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from jcnn.conv.channels import mix
from jcnn.conv.cook_toom import Transforms, growth, transforms
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


def conv_winograd(
    x: Float[Array, "n *s c_in"],
    w: Float[Array, "*f c_group c_out"],
    window: Window,
    groups: int,
    tile: Sequence[int] | None = None,
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
    tile = default_tile(window.size, outputs) if tile is None else tuple(tile)
    tiles = tuple(-(-o // m) for o, m in zip(outputs, tile, strict=True))
    matrices = [_floats(transforms(m, r), wide(x).dtype) for m, r in zip(tile, window.size, strict=True)]

    image, filters = window.pad(wide(x)), wide(w)
    rest = [t * m - o for t, m, o in zip(tiles, tile, outputs, strict=True)]
    image = lax.pad(image, image.dtype.type(0), ((0, 0, 0), *((0, more, 0) for more in rest), (0, 0, 0)))
    for axis, (_, of_filters, of_input) in enumerate(matrices):  # the points of every axis go in front of those before
        pieces = _overlapping(image, 2 * axis + 1, tiles[axis], tile[axis], len(of_input))
        image = jnp.tensordot(of_input, pieces, 1)
        filters = jnp.tensordot(of_filters, filters, ((1,), (axis,)))

    at_each_point = jax.vmap(partial(mix, groups=groups))
    all_points = math.prod(image.shape[: len(tile)])
    products = at_each_point(image.reshape(all_points, -1, x.shape[-1]), filters.reshape(all_points, *w.shape[-2:]))
    y = products.reshape(*image.shape[:-1], w.shape[-1])
    for axis, (of_output, _, _) in reversed(list(enumerate(matrices))):
        y = jnp.moveaxis(jnp.tensordot(of_output, y, 1), 0, 2 * axis + 2)
        y = y.reshape(*y.shape[: 2 * axis + 1], tiles[axis] * tile[axis], *y.shape[2 * axis + 3 :])
    return lax.slice(y, (0,) * y.ndim, (count, *outputs, w.shape[-1])).astype(x.dtype)


def _overlapping(x: Array, axis: int, tiles: int, m: int, n: int) -> Array:
    """Pieces of n along `axis`, m from one to the next: entry k of every piece at [k], a strided slice each."""
    return jnp.stack([lax.slice_in_dim(x, k, k + (tiles - 1) * m + 1, m, axis) for k in range(n)])


def _floats(exact: Transforms, dtype: jnp.dtype) -> list[Array]:
    """The transforms, rounded once."""
    return [jnp.asarray(np.array(matrix, float), dtype) for matrix in exact]


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
