"""Convolution as the linear map it is: the image a vector, the filters spread out in a matrix.

In one dimension the matrix has the filter in every row, shifted by the stride from row to row: constant along its diagonals, a
banded Toeplitz matrix. In two dimensions the same pattern repeats with blocks for entries: doubly blocked. Each entry is a
C_out × C_in block that mixes channels; with groups that block is block-diagonal itself.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Num

from jcnn import geometry
from jcnn.precision import rounded_once, wide
from jcnn.window import Window

if TYPE_CHECKING:
    from jax.experimental.sparse import BCOO

LARGEST = 2**27
"""So many entries may be made, all of a dense matrix or those that are not zero of a sparse one: beyond them lies a hang."""

Index = Int[np.ndarray, " meetings"]


def check_entries(
    sizes: Sequence[int], c_in: int, c_out: int, window: Window, groups: int = 1, *, sparse: bool = False
) -> None:
    """Checks that the matrix is small enough to be made.

    Raises:
        GeometryError: it has more than `LARGEST` entries.
    """
    outputs = math.prod(window.output_shape(sizes)) * c_out
    each = math.prod(window.size) * c_in // groups if sparse else math.prod(sizes) * c_in
    what = "the list of entries of the convolution's matrix" if sparse else "the matrix of the convolution"
    fix = "" if sparse else ", formulation='lax', or for conv_matrix sparse=True"
    geometry.countable(what, (outputs, each), LARGEST, f" ({window}); take a smaller input_shape or x{fix}")


def conv_toeplitz(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """vec(y) = M vec(x), with M = `toeplitz` of w.

    M has prod(O)·C_out · prod(S)·C_in entries, nearly all of them zero: to look at and to check with, for small images.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 9.1.
    """
    count, *sizes, _ = x.shape
    matrix = toeplitz(wide(w), sizes, window, groups)
    y = wide(x).reshape(count, -1) @ matrix.T
    return y.reshape(count, *window.output_shape(sizes), w.shape[-1])


def toeplitz(
    w: Num[Array, "*f c_group c_out"], sizes: Sequence[int], window: Window, groups: int
) -> Num[Array, "outputs inputs"]:
    """The matrix of the convolution, dense: the block of every tap wherever it meets a pixel."""
    *_, c_group, c_out = w.shape
    outputs, c_in = window.output_shape(sizes), c_group * groups
    own = np.arange(groups)
    filters = w.reshape(-1, c_group, groups, c_out // groups).transpose(2, 0, 3, 1)
    blocks = jnp.zeros((len(filters[0]), groups, c_out // groups, groups, c_group), w.dtype).at[:, own, :, own].set(filters)
    blocks = blocks.reshape(-1, c_out, c_in)

    position, pixel, tap = meetings(sizes, window)
    empty = jnp.zeros((math.prod(outputs), math.prod(sizes), c_out, c_in), w.dtype)
    matrix = empty.at[position, pixel].set(blocks[tap], unique_indices=True, mode="promise_in_bounds")
    return matrix.swapaxes(1, 2).reshape(math.prod(outputs) * c_out, math.prod(sizes) * c_in)


def toeplitz_sparse(w: Num[Array, "*f c_group c_out"], sizes: Sequence[int], window: Window, groups: int) -> "BCOO":
    """The matrix of the convolution, its entries alone, row by row."""
    from jax.experimental.sparse import BCOO  # a quarter of a second, which few need

    *_, c_group, c_out = w.shape
    position, pixel, tap = (np.reshape(index, (-1, 1, 1)) for index in meetings(sizes, window))
    out, within = np.arange(c_out)[:, None], np.arange(c_group)
    rows = position * c_out + out
    columns = pixel * (c_group * groups) + out // (c_out // groups) * c_group + within
    sources = (tap * c_group + within) * c_out + out
    rows, columns, sources = (index.ravel() for index in np.broadcast_arrays(rows, columns, sources))
    order = np.lexsort((columns, rows))
    where = jnp.asarray(np.stack([rows, columns], -1)[order], jnp.int32)
    shape = math.prod(window.output_shape(sizes)) * c_out, math.prod(sizes) * c_group * groups
    entries = rounded_once(lambda w: w.ravel().at[sources[order]].get(mode="promise_in_bounds"), w)
    return BCOO((entries, where), shape=shape, indices_sorted=True, unique_indices=True)


def meetings(sizes: Sequence[int], window: Window) -> tuple[Index, Index, Index]:
    """(position, pixel, tap) of all that meet, each as an index into the flattened array: pixel = S·position + D·tap − P.

    A position meets a pixel through one tap at most.
    """
    outputs, rank = window.output_shape(sizes), len(sizes)
    indices = np.indices((*outputs, *window.size)).reshape(2 * rank, -1)
    stride, dilation, extent = (np.array(entries)[:, None] for entries in (window.stride, window.dilation, sizes))
    first = np.array([[lo] for lo, _ in window.padding])
    position, tap = indices[:rank], indices[rank:]
    pixel = stride * position + dilation * tap - first
    inside = ((pixel >= 0) & (pixel < extent)).all(0)

    def flat(index: np.ndarray, shape: Sequence[int]) -> Index:
        return np.asarray(np.ravel_multi_index(tuple(index[:, inside]), tuple(shape)))

    return flat(position, outputs), flat(pixel, sizes), flat(tap, window.size)
