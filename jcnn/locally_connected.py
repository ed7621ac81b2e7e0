"""The locally connected layer: a convolution's window with filters of its own at every position."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Num

from jcnn import arguments
from jcnn.arguments import AnyArray
from jcnn.conv.im2col import patches
from jcnn.geometry import Padding
from jcnn.precision import rounded_once
from jcnn.programs import compiled
from jcnn.window import Window, parse_window


def locally_connected(
    x: Num[AnyArray, "n *s c_in"],
    w: Num[AnyArray, "*o_f c_in c_out"],
    b: Num[AnyArray, "*o c_out"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
) -> Num[Array, "n *o c_out"]:
    """A convolution without weight sharing: every output position has filters and biases of its own.

        y[n, o] = Σ_k x[n, S·o + D·k − P] · w[o, k] + b[o]

    One matrix product for each position: what it sees, times its filters. Where all positions hold the same filters, this is
    `conv`; it learns prod(O) times as many numbers, and moving the input no longer moves the output.

    Args:
        x: input, (N, *S, C_in); float16, bfloat16, float32, float64, int32 or int64.
        w: filters, (*O, *F, C_in, C_out) with O the output sizes, same dtype.
        b: biases, (*O, C_out), same dtype, or None.
        stride: S, as in `conv`.
        padding: as in `conv`.
        dilation: D, as in `conv`.

    Returns:
        (N, *O, C_out), dtype of x; numerics as `conv`.

    Raises:
        TypeError: dtypes that differ or are not listed.
        ValueError: ranks, channels or positions that do not fit; `GeometryError` for sizes.

    Source: LeCun 1989, "Generalization and network design strategies"; Goodfellow, Bengio & Courville 2016, "Deep Learning",
    section 9.5 (unshared convolution).
    """
    return _forward(*_parse(x, w, b, stride, padding, dilation))


def locally_connected_backward(
    dy: Num[AnyArray, "n *o c_out"],
    x: Num[AnyArray, "n *s c_in"],
    w: Num[AnyArray, "*o_f c_in c_out"],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
) -> tuple[Num[Array, "n *s c_in"], Num[Array, "*o_f c_in c_out"], Num[Array, "*o c_out"]]:
    """The gradients of `locally_connected` by input, filters and biases, by hand.

        dx = Σ_k place(dy[o] · w[o, k]ᵀ, k)        dw[o, k] = Σ_n x[n, S·o + D·k − P]ᵀ dy[n, o]        db[o] = Σ_n dy[n, o]

    As for a convolution, except that filters and biases collect from examples alone, no longer from positions.

    Args:
        dy: output gradient, the shape and dtype of `locally_connected(x, w, …)`.
        x: the input that `locally_connected` saw.
        w: the filters that `locally_connected` saw.
        stride: as in `conv`.
        padding: as in `conv`.
        dilation: as in `conv`.

    Returns:
        (dx, dw, db), shapes and dtype of x, w and biases.

    Raises:
        TypeError: as `locally_connected`.
        ValueError: as `locally_connected`, or dy has another shape than the output.
    """
    x, w, _, window = _parse(x, w, None, stride, padding, dilation)
    expected = (x.shape[0], *window.output_shape(x.shape[1:-1]), w.shape[-1])
    dy = arguments.output_gradient(dy, expected, x, "locally_connected", options=f"w of shape {w.shape}, {window}")
    return _backward(dy, x, w, window)


@compiled("window")
def _forward(x: Array, w: Array, b: Array | None, window: Window) -> Array:
    def forward(x: Array, w: Array, b: Array | None) -> Array:
        y = jnp.einsum("npk,pko->npo", _rows(x, window), _matrices(w))
        y = y.reshape(x.shape[0], *window.output_shape(x.shape[1:-1]), w.shape[-1])
        return y if b is None else y + b[None]

    return rounded_once(forward, x, w, b)


@compiled("window")
def _backward(dy: Array, x: Array, w: Array, window: Window) -> tuple[Array, Array, Array]:
    sizes, channels = x.shape[1:-1], x.shape[-1]

    def backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        outputs = dy.reshape(x.shape[0], -1, w.shape[-1])
        dw = jnp.einsum("npk,npo->pko", _rows(x, window), outputs).reshape(w.shape)
        seen = jnp.einsum("npo,pko->npk", outputs, _matrices(w)).reshape(*dy.shape[:-1], -1, channels)
        dx = reduce(jnp.add, (window.place(seen[..., k, :], tap, sizes) for k, tap in enumerate(window.taps())))
        return dx, dw, dy.sum(0)

    return rounded_once(backward, dy, x, w)


def _rows(x: Array, window: Window) -> Num[Array, "n positions k"]:
    """What every position sees, as one row."""
    seen = patches(x, window)
    return seen.reshape(x.shape[0], -1, seen.shape[-2] * seen.shape[-1])


def _matrices(w: Array) -> Num[Array, "positions k c_out"]:
    """The filters of every position, as one matrix."""
    rank = w.ndim // 2 - 1
    return w.reshape(math.prod(w.shape[:rank]), -1, w.shape[-1])


def _parse(
    x: Any, w: Any, b: Any, stride: int | Sequence[int], padding: Padding, dilation: int | Sequence[int]
) -> tuple[Array, Array, Array | None, Window]:
    x, w = arguments.numeric("x", x, integers=True), arguments.numeric("w", w, integers=True)
    rank = arguments.spatial_rank("x", x)
    if w.ndim != 2 * rank + 2:
        raise ValueError(f"w has shape {w.shape}: expected (*O, *F, C_in, C_out), {2 * rank + 2} axes for x of shape {x.shape}")
    arguments.not_empty("w", w)
    if x.shape[-1] != w.shape[-2]:
        raise ValueError(
            f"x has {x.shape[-1]} channels (shape {x.shape}), w {w.shape[-2]} (shape {w.shape}): expected the same"
        )
    window = parse_window(x.shape[1:-1], w.shape[rank:-2], stride=stride, padding=padding, dilation=dilation)
    window.unroll("a smaller filter")
    outputs = window.output_shape(x.shape[1:-1])
    if w.shape[:rank] != outputs:
        raise ValueError(
            f"w has filters for {w.shape[:rank]} positions (shape {w.shape}): expected {outputs}, as many as the window has "
            f"on x of shape {x.shape}, {window}"
        )
    if b is not None:
        b = arguments.numeric("b", b, integers=True)
        if b.shape != (*outputs, w.shape[-1]):
            expected = (*outputs, w.shape[-1])
            raise ValueError(
                f"b has shape {b.shape}: expected {expected}, one bias per position and filter of w, whose shape is {w.shape}"
            )
    arguments.same_dtype(x=x, w=w, b=b)
    return x, w, b, window
