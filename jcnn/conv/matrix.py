"""The public face of the convolution's matrix."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

from jax import Array
from jaxtyping import Num

from jcnn import arguments, geometry
from jcnn.conv.operation import check_filters
from jcnn.conv.toeplitz import check_entries, toeplitz, toeplitz_sparse
from jcnn.geometry import Padding, Rounding
from jcnn.precision import rounded_once
from jcnn.programs import compiled
from jcnn.window import Window, parse_window

if TYPE_CHECKING:
    from jax.experimental.sparse import BCOO


@overload
def conv_matrix(
    w: Num[Array, "*f c_group c_out"],
    input_shape: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
    sparse: Literal[False] = False,
) -> Num[Array, "outputs inputs"]: ...


@overload
def conv_matrix(
    w: Num[Array, "*f c_group c_out"],
    input_shape: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
    sparse: Literal[True],
) -> "BCOO": ...


def conv_matrix(
    w: Num[Array, "*f c_group c_out"],
    input_shape: Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
    sparse: bool = False,
) -> "Num[Array, 'outputs inputs'] | BCOO":
    """The matrix of a convolution: `conv(x[None], w, …).ravel() == conv_matrix(w, x.shape, …) @ x.ravel()`.

        M[(o, c_out), (i, c_in)] = w[k, c_in, c_out]   where i = S·o + D·k − P for a tap k, and 0 elsewhere

    Images are read row by row, channels fastest. For one channel and one dimension M is a banded Toeplitz matrix, for two
    dimensions doubly blocked: a banded Toeplitz matrix of such matrices. Mᵀ is the matrix of `conv_transpose`. Linear in w and
    differentiable by it.

    Args:
        w: filters, (*F, C_in // groups, C_out); float16, bfloat16, float32, float64, int32 or int64.
        input_shape: (*S, C_in) of one example.
        stride: as in `conv`.
        padding: as in `conv`.
        dilation: as in `conv`.
        groups: as in `conv`.
        rounding: as in `conv`.
        sparse: whether to return the entries alone, as `jax.experimental.sparse.BCOO`, sorted by row. A dense matrix takes
            prod(O)·C_out · prod(S)·C_in numbers.

    Returns:
        (prod(O)·C_out, prod(S)·C_in), dtype of w.

    Raises:
        TypeError: another dtype.
        ValueError: ranks, channels or groups that do not fit; `GeometryError` for sizes.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 9.1; Dumoulin & Visin 2016, section 4.1.
    """
    w = arguments.numeric("w", w, integers=True)
    shape = geometry.example_shape("input_shape", input_shape, (1, 2, 3))
    sparse = arguments.flag("sparse", sparse)
    *sizes, c_in = shape
    groups = check_filters(w, len(sizes), groups, f"input_shape={shape}")
    if c_in != w.shape[-2] * groups:
        raise ValueError(
            f"input_shape={shape} has {c_in} channels, w {w.shape[-2]} in each of {groups} groups (shape {w.shape}): "
            f"expected C_in = {w.shape[-2] * groups}; w is (*F, C_in // groups, C_out)"
        )
    window = parse_window(sizes, w.shape[:-2], stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    check_entries(sizes, c_in, w.shape[-1], window, groups, sparse=sparse)
    return (_sparse if sparse else _dense)(w, tuple(sizes), window, groups)


@compiled("sizes", "window", "groups")
def _dense(w: Array, sizes: tuple[int, ...], window: Window, groups: int) -> Array:
    # Nothing is rounded on the way forward, but the gradients of all the places of one weight are added.
    return rounded_once(lambda w: toeplitz(w, sizes, window, groups), w)


@compiled("sizes", "window", "groups")
def _sparse(w: Array, sizes: tuple[int, ...], window: Window, groups: int) -> "BCOO":
    return toeplitz_sparse(w, sizes, window, groups)
