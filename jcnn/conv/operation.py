"""The public convolution: arguments checked once, then handed to a formulation and a gradient rule."""

from collections.abc import Sequence
from functools import partial
from typing import Any, get_args

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Num

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.conv.call import Call
from jcnn.conv.ways import WAYS, Formulation, Policy, compute, policy
from jcnn.geometry import Padding, Rounding
from jcnn.precision import rounded_at_end, wide
from jcnn.programs import compiled
from jcnn.rules import Gradient, differentiable
from jcnn.window import parse_window


def conv(
    x: Num[AnyArray, "n *s c_in"],
    w: Num[AnyArray, "*f c_group c_out"],
    b: Num[AnyArray, " c_out"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
    formulation: Formulation = "lax",
    gradient: Gradient = "autodiff",
) -> Num[Array, "n *o c_out"]:
    """Convolution as the field calls it (cross-correlation), over 1, 2 or 3 spatial axes by the rank of x.

        y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] + b

    with a tap k in every axis, `·` a product over the input channels, and zeros outside the image.

    Args:
        x: input, (N, *S, C_in), channels last; float16, bfloat16, float32, float64, int32 or int64.
        w: filters, (*F, C_in // groups, C_out), same dtype.
        b: bias, (C_out,), same dtype, or None.
        stride: S, an int or one per axis.
        padding: an int, one int per axis, one (lo, hi) per axis, `"valid"`, `"same"` (⌈N/S⌉ outputs, the odd pixel at the end)
            or `"same_lower"`.
        dilation: D, an int or one per axis.
        groups: channels fall into so many groups that do not meet; `groups=C_in` is the depthwise convolution.
        rounding: `"floor"`, `"ceil"` or `"exact"`, what to do with a size that does not fit; see `output_size`.
        formulation: how the sum is computed, for equal results up to rounding:
            `"lax"`, XLA's own operation; `"taps"`, a matrix product per tap; `"im2col"`, patches times a matrix; `"toeplitz"`,
            the linear map as a matrix, for small images: all of these add up the very products of the sum;
            `"fft"`, the convolution theorem, with an error relative to the whole image; `"winograd"`, minimal filtering, with
            the error of `jcnn.conv.winograd.winograd_bound`, for stride 1 and dilation 1. These two take floats only.
            `"native"`, oneDNN's kernels on the CPU, needs the package jcnn_native (`make native`); float64 and integers go to
            `"lax"`. It has no forward mode.
            `"auto"` is `"lax"`, also with neighbouring pixels folded into the channels, `"taps"` or, where sums are in float32,
            `"winograd"`, whichever was measured the fastest for such filters on this backend; `gradient="manual"` then chooses
            among its forms in the same way, and takes `"native"` where that was the fastest and is installed.
            An infinity or NaN stays with the windows that see it, except that with `"winograd"` it reaches their whole tiles,
            with `"auto"` perhaps also the windows beside them, with `"toeplitz"` and `"fft"` the whole image.
        gradient: `"autodiff"`, or `"manual"` for the hand-derived rule of `conv_backward` (reverse mode only).

    Returns:
        (N, *O, C_out), dtype of x. float16 and bfloat16 are summed in float32 and rounded at the end; integers are exact
        (modulo 2³² or 2⁶⁴) and run on the CPU only, where XLA has a kernel for them. float32 follows
        `jax.default_matmul_precision`, which on a GPU or TPU may multiply in fewer bits unless set to `"highest"`.

    Raises:
        TypeError: dtypes that differ or are not listed; integers for `"fft"` and `"winograd"`.
        ValueError: ranks, channels, groups or names that do not fit; `GeometryError` for sizes; `"winograd"` with a stride or
            dilation above 1; `"native"` where it cannot be had.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 9.1; Dumoulin & Visin 2016, section 2.
    """
    parsed = parse(x, w, b, stride, padding, dilation, groups, rounding)
    return _computed(*parsed, formulation, gradient, flipped=False)


def convolve(
    x: Num[AnyArray, "n *s c_in"],
    w: Num[AnyArray, "*f c_group c_out"],
    b: Num[AnyArray, " c_out"] | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
    formulation: Formulation = "lax",
    gradient: Gradient = "autodiff",
) -> Num[Array, "n *o c_out"]:
    """Convolution as mathematics defines it: `conv` with the filter flipped along every spatial axis.

        (f * g)[p] = Σ_q f[q] · g[p − q]

    Commutative and associative, which the unflipped form is not.

    Args:
        x: as in `conv`.
        w: as in `conv`.
        b: as in `conv`.
        stride: as in `conv`.
        padding: as in `conv`.
        dilation: as in `conv`.
        groups: as in `conv`.
        rounding: as in `conv`.
        formulation: as in `conv`.
        gradient: as in `conv`.

    Returns:
        As `conv`.

    Raises:
        TypeError: as `conv`.
        ValueError: as `conv`.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", equation 9.5.
    """
    parsed = parse(x, w, b, stride, padding, dilation, groups, rounding)
    return _computed(*parsed, formulation, gradient, flipped=True)


def conv_backward(
    dy: Num[AnyArray, "n *o c_out"],
    x: Num[AnyArray, "n *s c_in"],
    w: Num[AnyArray, "*f c_group c_out"],
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    rounding: Rounding = "floor",
) -> tuple[Num[Array, "n *s c_in"], Num[Array, "*f c_group c_out"], Num[Array, " c_out"]]:
    """The gradients of `conv` by input, filters and bias, by hand.

    With y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] + b and the output gradient dy = ∂L/∂y (n an example, o an output position,
    k a tap; ᵀ swaps the channels):

        db    = Σ_{n,o} dy[n, o]                              every output adds b once
        dw[k] = Σ_{n,o} x[n, S·o + D·k − P]ᵀ dy[n, o]         w[k] meets exactly the pixels tap k sees
        dx[i] = Σ_{k,o: S·o + D·k − P = i} dy[n, o] · w[k]ᵀ   all outputs that saw pixel i, through the tap that saw it

    The last sum is a full convolution of dy, its entries pulled S pixels apart, with the flipped filter: substitute
    j = S·o (zero where no output stands) and k → F − 1 − k. Pixels no window touched get 0.

    Args:
        dy: output gradient, the shape and dtype of `conv(x, w, …)`.
        x: the input that `conv` saw.
        w: the filters that `conv` saw.
        stride: as in `conv`.
        padding: as in `conv`.
        dilation: as in `conv`.
        groups: as in `conv`.
        rounding: as in `conv`.

    Returns:
        (dx, dw, db), shapes and dtype of x, w and a bias.

    Raises:
        TypeError: as `conv`.
        ValueError: as `conv`, or dy has another shape than the output.

    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 4; Goodfellow, Bengio &
    Courville 2016, "Deep Learning", section 9.5.
    """
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "rounding": rounding}
    return conv_gradients(dy, x, w, formulation="lax", **options)


def conv_gradients(
    dy: Num[AnyArray, "n *o c_out"],
    x: Num[AnyArray, "n *s c_in"],
    w: Num[AnyArray, "*f c_group c_out"],
    *,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    groups: int,
    rounding: Rounding,
    formulation: Formulation,
) -> tuple[Num[Array, "n *s c_in"], Num[Array, "*f c_group c_out"], Num[Array, " c_out"]]:
    """`conv_backward` by the ways that `conv` takes on its way back with `gradient="manual"` and this formulation."""
    x, w, _, call = parse(x, w, None, stride, padding, dilation, groups, rounding)
    expected = (x.shape[0], *call.outputs, w.shape[-1])
    dy = arguments.output_gradient(dy, expected, x, "conv", options=f"w of shape {w.shape}, {call.window}")
    allowed = policy(formulation, "manual")
    return _gradients(call, allowed, False, dy, x, w)


def parse(
    x: Any,
    w: Any,
    b: Any,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    groups: int,
    rounding: Rounding,
    name: str = "x",
) -> tuple[Array, Array, Array | None, Call]:
    """The arguments of a convolution, checked, and what they ask for; x by the name that it has where it comes from."""
    x, w = arguments.numeric(name, x, integers=True), arguments.numeric("w", w, integers=True)
    rank = arguments.spatial_rank(name, x)
    groups = check_filters(w, rank, groups, f"{name} of shape {x.shape}")
    if x.shape[-1] != w.shape[-2] * groups:
        raise ValueError(
            f"{name} has {x.shape[-1]} channels (shape {x.shape}), w {w.shape[-2]} in each of {groups} groups "
            f"(shape {w.shape}): expected C_in = {w.shape[-2] * groups}; w is (*F, C_in // groups, C_out)"
        )
    b = None if b is None else arguments.vector("b", b, w.shape[-1], f"one bias per filter of w, whose shape is {w.shape}")
    arguments.same_dtype(**{name: x, "w": w, "b": b})
    stride = geometry.per_axis("stride", stride, rank)
    window = parse_window(x.shape[1:-1], w.shape[:-2], stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    geometry.countable("the output", (*window.output_shape(x.shape[1:-1]), w.shape[-1]), fix=" for each example, less padding")
    return x, w, b, Call(window, groups, x.shape[-1], w.shape[-1], x.shape[1:-1], x.dtype.name)


def check_filters(w: Array, rank: int, groups: int, given: str) -> int:
    """`groups` as an int, with w a filter for `rank` spatial axes, those of what is `given`, whose C_out it divides."""
    if w.ndim != rank + 2:
        raise ValueError(
            f"w has shape {w.shape}: expected (*F, C_in // groups, C_out) with {geometry.spatial_axes(rank)}, as {given} has"
        )
    arguments.not_empty("w", w)
    groups = geometry.integer("groups", groups, 1)
    if w.shape[-1] % groups:
        raise ValueError(f"groups={groups}: expected a divisor of C_out = {w.shape[-1]} (w has shape {w.shape})")
    return groups


def _computed(
    x: Array,
    w: Array,
    b: Array | None,
    call: Call,
    formulation: Formulation,
    gradient: Gradient,
    flipped: bool,
) -> Array:
    """The convolution of what `parse` returns, with w flipped along every spatial axis where so `flipped`."""
    gradient = geometry.choice("gradient", gradient, get_args(Gradient))
    allowed = policy(formulation, gradient)
    _check_formulation(formulation, call, x.shape[0])
    forward = partial(_forward, call, allowed, flipped)
    back = partial(_backward, call, allowed, flipped)
    return differentiable(forward, back, gradient)(x, w, b)


def _check_formulation(formulation: str, call: Call, examples: int) -> None:
    """Checks that a formulation can be had, and that what it makes can be held."""
    for way in WAYS["forward"]:
        if way.name == formulation:
            way.check(call, examples)


@compiled("call", "allowed", "flipped")
def _forward(call: Call, allowed: Policy, flipped: bool, x: Array, w: Array, b: Array | None) -> Array:
    def forward(x: Array, w: Array, b: Array | None) -> Array:
        y = compute("forward", call, allowed, x, _flip(w) if flipped else w)
        if not allowed.forward:
            # Held, or XLA would take the sum anew inside of everything that uses it.
            y = lax.optimization_barrier(y)
        return y if b is None else y + wide(b).reshape((1,) * (y.ndim - 1) + (-1,))

    return rounded_at_end(forward, x, w, b)


def _backward(
    call: Call, allowed: Policy, flipped: bool, dy: Array, x: Array, w: Array, b: Array | None
) -> tuple[Array, Array, Array | None]:
    """The gradients by what `conv` was given."""
    dx, dw, db = _gradients(call, allowed, flipped, dy, x, w)
    return dx, dw, None if b is None else db


@compiled("call", "allowed", "flipped")
def _gradients(call: Call, allowed: Policy, flipped: bool, dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    def gradients(dy: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        dx = compute("dx", call, allowed, dy, _flip(w) if flipped else w)
        dw = compute("dw", call, allowed, dy, x)
        return dx, _flip(dw) if flipped else dw, bias_gradient(dy)

    return rounded_at_end(gradients, dy, x, w)


def _flip(w: Array) -> Array:
    """w reversed along every spatial axis."""
    return jnp.flip(w, tuple(range(w.ndim - 2)))


def bias_gradient(dy: Num[Array, "n *o c_out"]) -> Num[Array, " c_out"]:
    """db = Σ over examples, then over positions.

    In two steps, since XLA's CPU backend makes a slow `reduce_window` of one sum over so many numbers.
    """
    per_position = lax.optimization_barrier(wide(dy).sum(0))
    return per_position.sum(tuple(range(per_position.ndim - 1)))
