"""Transposed convolution: exactly the adjoint of `conv`."""

from collections.abc import Sequence

from jax import Array
from jaxtyping import Num

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.conv.call import Call
from jcnn.conv.operation import bias_gradient, check_filters, parse
from jcnn.conv.ways import PLAIN, compute
from jcnn.geometry import GeometryError, Padding
from jcnn.precision import rounded_at_end, wide
from jcnn.programs import compiled
from jcnn.window import parse_window


def conv_transpose(
    y: Num[AnyArray, "n *o c_out"],
    w: Num[AnyArray, "*f c_group c_out"],
    b: Num[AnyArray, " c_in"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    output_size: int | Sequence[int] | None = None,
    output_padding: int | Sequence[int] = 0,
) -> Num[Array, "n *s c_in"]:
    """The adjoint of `conv` with the same arguments, the way from its outputs back to its inputs.

        ⟨conv(x, w), y⟩ = ⟨x, conv_transpose(y, w)⟩        x[n, i] = Σ_{k,o: S·o + D·k − P = i} y[n, o] · w[k]ᵀ + b

    The filter is the one `conv` takes: its last axis meets the channels of y.

    Args:
        y: (N, *O, C_out); float16, bfloat16, float32, float64, int32 or int64.
        w: (*F, C_in // groups, C_out), same dtype.
        b: bias added to the result, (C_in,), same dtype, or None.
        stride: S, an int or one per axis.
        padding: as in `conv`; it crops here.
        dilation: D, an int or one per axis.
        groups: as in `conv`.
        output_size: the spatial size of the result, an int or one per axis. None: the smallest that `conv` maps to y's size,
            S(O − 1) + E − lo − hi, plus `output_padding`; for the `same` paddings S·O.
        output_padding: 0 … S − 1, an int or one per axis: the sizes above the smallest that `conv` maps to y's size too.

    Returns:
        (N, *S, C_in), dtype of y; numerics as `conv`.

    Raises:
        TypeError: dtypes that differ or are not listed.
        ValueError: ranks, channels or groups that do not fit; `GeometryError` for sizes that `conv` would not map to y's.

    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 4.
    """
    y, w = arguments.numeric("y", y, integers=True), arguments.numeric("w", w, integers=True)
    rank = arguments.spatial_rank("y", y)
    groups = check_filters(w, rank, groups, f"y of shape {y.shape}")
    if y.shape[-1] != w.shape[-1]:
        raise ValueError(
            f"y has {y.shape[-1]} channels (shape {y.shape}), w {w.shape[-1]} filters (shape {w.shape}): expected the same; "
            f"conv_transpose takes the filter of the conv it is the adjoint of, (*F, C_in // groups, C_out)"
        )
    meaning = f"one bias per channel of the result, with w of shape {w.shape} and groups={groups}"
    b = None if b is None else arguments.vector("b", b, w.shape[-2] * groups, meaning)
    arguments.same_dtype(y=y, w=w, b=b)
    stride = geometry.per_axis("stride", stride, rank)
    sizes = _sizes(y.shape[1:-1], w.shape[:-2], stride, padding, dilation, output_size, output_padding)
    try:
        window = parse_window(sizes, w.shape[:-2], stride=stride, padding=padding, dilation=dilation)
        geometry.countable("the output", (*sizes, w.shape[-2] * groups), fix=" for each example")
    except GeometryError as error:
        raise GeometryError(f"output_size={sizes}, stride={stride}, dilation={dilation}: {error}") from None
    if window.output_shape(sizes) != y.shape[1:-1]:
        raise GeometryError(
            f"output_size={sizes}: conv maps it to {window.output_shape(sizes)}, not to y's {y.shape[1:-1]}; "
            f"expected sizes from {_sizes(y.shape[1:-1], w.shape[:-2], stride, padding, dilation, None, 0)}, up to S − 1 more"
        )

    call = Call(window, groups, w.shape[-2] * groups, w.shape[-1], sizes, y.dtype.name)
    return _forward(call, y, w, b)


def conv_transpose_backward(
    dx: Num[AnyArray, "n *s c_in"],
    y: Num[AnyArray, "n *o c_out"],
    w: Num[AnyArray, "*f c_group c_out"],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[Num[Array, "n *o c_out"], Num[Array, "*f c_group c_out"], Num[Array, " c_in"]]:
    """The gradients of `conv_transpose` by its input, filters and bias, by hand.

    From x[n, i] = Σ_{k,o: S·o + D·k − P = i} y[n, o] · w[k]ᵀ + b, with dx = ∂L/∂x:

        dy[n, o] = Σ_k dx[n, S·o + D·k − P] · w[k]            the adjoint of the adjoint: `conv` itself
        dw[k]    = Σ_{n,o} dx[n, S·o + D·k − P]ᵀ y[n, o]      as for `conv`, with dx where its input was
        db       = Σ_{n,i} dx[n, i]

    Args:
        dx: output gradient, the shape and dtype of `conv_transpose(y, w, …)`; its size says which `output_size` it was.
        y: the input that `conv_transpose` saw.
        w: the filters that `conv_transpose` saw.
        stride: as in `conv_transpose`.
        padding: as in `conv_transpose`.
        dilation: as in `conv_transpose`.
        groups: as in `conv_transpose`.

    Returns:
        (dy, dw, db), shapes and dtype of y, w and a bias.

    Raises:
        TypeError: as `conv`.
        ValueError: as `conv`, or dx is of a size that `conv` does not map to y's.

    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 4.
    """
    dx, w, _, call = parse(dx, w, None, stride, padding, dilation, groups, "floor", "dx")
    y = arguments.numeric("y", y, integers=True)
    arguments.same_dtype(y=y, dx=dx)
    expected = (dx.shape[0], *call.outputs, w.shape[-1])
    if y.shape != expected:
        given = f"what conv makes of dx's {dx.shape} with w of shape {w.shape}, {call.window}"
        raise ValueError(f"y has shape {y.shape}: expected {expected}, {given}")
    return _backward(call, dx, y, w)


@compiled("call")
def _forward(call: Call, y: Array, w: Array, b: Array | None) -> Array:
    def forward(y: Array, w: Array, b: Array | None) -> Array:
        x = compute("dx", call, PLAIN, y, w)
        return x if b is None else x + wide(b).reshape((1,) * (x.ndim - 1) + (-1,))

    return rounded_at_end(forward, y, w, b)


@compiled("call")
def _backward(call: Call, dx: Array, y: Array, w: Array) -> tuple[Array, Array, Array]:
    def backward(dx: Array, y: Array, w: Array) -> tuple[Array, Array, Array]:
        dy = compute("forward", call, PLAIN, dx, w)
        return dy, compute("dw", call, PLAIN, y, dx), bias_gradient(dx)

    return rounded_at_end(backward, dx, y, w)


def _sizes(
    outputs: Sequence[int],
    window: Sequence[int],
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    output_size: int | Sequence[int] | None,
    output_padding: int | Sequence[int],
) -> tuple[int, ...]:
    rank = len(outputs)
    extra = geometry.per_axis("output_padding", output_padding, rank, 0)
    if output_size is not None:
        if any(extra):
            raise GeometryError(f"output_padding={output_padding}: expected 0 where output_size={output_size} says it all")
        return geometry.per_axis("output_size", output_size, rank)
    return tuple(
        geometry.transposed_size(o, f, stride=s, padding=p, dilation=d, output_padding=e)
        for o, f, s, p, d, e in zip(
            outputs,
            window,
            geometry.per_axis("stride", stride, rank),
            geometry.padding_per_axis(padding, rank),
            geometry.per_axis("dilation", dilation, rank),
            extra,
            strict=True,
        )
    )
