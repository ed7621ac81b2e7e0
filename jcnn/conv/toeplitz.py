"""Convolution as the linear map it is: the image a vector, the filters spread out in a matrix.

In one dimension the matrix has the filter in every row, shifted by the stride from row to row: constant along its diagonals, a
banded Toeplitz matrix. In two dimensions the same pattern repeats with blocks for entries: doubly blocked. Each entry is a
C_out × C_in block that mixes channels; with groups that block is block-diagonal itself.
"""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental.sparse import BCOO
from jaxtyping import Int, Num

from jcnn.precision import wide
from jcnn.window import Window


def conv_toeplitz(
    x: Num[Array, "n *s c_in"], w: Num[Array, "*f c_group c_out"], window: Window, groups: int
) -> Num[Array, "n *o c_out"]:
    """vec(y) = M vec(x), with M = `toeplitz` of w.

    M has prod(O)·C_out · prod(S)·C_in entries, nearly all of them zero: to look at and to check with, for small images.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 9.1.
    """
    count, *sizes, _ = x.shape
    matrix = wide(toeplitz(w, sizes, window, groups))
    y = wide(x).reshape(count, -1) @ matrix.T
    return y.reshape(count, *window.output_shape(sizes), w.shape[-1]).astype(x.dtype)


def toeplitz(
    w: Num[Array, "*f c_group c_out"], sizes: Sequence[int], window: Window, groups: int
) -> Num[Array, "outputs inputs"]:
    """The matrix of the convolution, dense."""
    entries, shape = _entries(w, sizes, window, groups)
    rows, columns, sources = entries
    empty = jnp.zeros(shape, w.dtype)
    return empty.at[rows, columns].set(w.ravel()[sources], indices_are_sorted=True, unique_indices=True)


def toeplitz_sparse(w: Num[Array, "*f c_group c_out"], sizes: Sequence[int], window: Window, groups: int) -> BCOO:
    """The matrix of the convolution, its entries alone."""
    entries, shape = _entries(w, sizes, window, groups)
    rows, columns, sources = entries
    where = jnp.asarray(np.stack([rows, columns], -1), jnp.int32)
    return BCOO((w.ravel()[sources], where), shape=shape, indices_sorted=True, unique_indices=True)


def _entries(
    w: Array, sizes: Sequence[int], window: Window, groups: int
) -> tuple[Int[np.ndarray, "3 entries"], tuple[int, int]]:
    """(rows, columns, sources): entry (row, column) of the matrix is `w.ravel()[source]`, row by row; and the shape.

    Output o meets pixel S·o + D·k − P through tap k and no other, so that no entry appears twice.
    """
    *_, c_group, c_out = w.shape
    outputs, rank = window.output_shape(sizes), len(sizes)
    indices = np.indices((*outputs, *window.size)).reshape(2 * rank, -1)
    position, tap = indices[:rank], indices[rank:]
    first = np.array([lo for lo, _ in window.padding])
    pixel = np.array(window.stride)[:, None] * position + np.array(window.dilation)[:, None] * tap - first[:, None]
    inside = ((pixel >= 0) & (pixel < np.array(sizes)[:, None])).all(0)

    output, entry, weight = (
        np.reshape(np.ravel_multi_index(tuple(index[:, inside]), shape), (-1, 1, 1))
        for index, shape in ((position, outputs), (pixel, sizes), (tap, window.size))
    )
    out, within = np.arange(c_out)[:, None], np.arange(c_group)
    group = out // (c_out // groups)
    found = np.broadcast_arrays(
        output * c_out + out,
        entry * (c_group * groups) + group * c_group + within,
        (weight * c_group + within) * c_out + out,
    )
    entries = np.stack([index.ravel() for index in found])
    shape = math.prod(outputs) * c_out, math.prod(sizes) * c_group * groups
    return entries[:, np.lexsort(entries[1::-1])], shape
