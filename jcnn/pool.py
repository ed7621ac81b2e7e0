"""Pooling: maximum and average over a moving window or the whole map, each with its backward by hand."""

import itertools
import math
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Real

from jcnn import arguments
from jcnn.arguments import AnyArray
from jcnn.geometry import GeometryError, Padding, Rounding, choice
from jcnn.pool_forms import MAXIMUM, SUM, Form, Formulation, challenges, views
from jcnn.precision import rounded_once, sum_dtype
from jcnn.programs import compiled, rounded_program
from jcnn.rules import Gradient, differentiable
from jcnn.window import Window, parse_window

_WHOLE_MAP = "for the whole map global_max_pool or global_avg_pool"


def max_pool(
    x: Real[AnyArray, "n *s c"],
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    rounding: Rounding = "floor",
    formulation: Formulation = "taps",
    gradient: Gradient = "autodiff",
) -> Real[Array, "n *o c"]:
    """The largest value each window position sees: y[n, o] = max_k x[n, S·o + D·k − P].

    Padding never wins. NaN wins over everything. Of equal maxima the first in row-major window order takes the whole gradient.

    Args:
        x: (N, *S, C), any integer dtype, float16, bfloat16 (gradients of both summed in float32), float32 or float64.
        window: F, an int or one per axis.
        stride: S, an int or one per axis; None: the window.
        padding: as in `conv`.
        dilation: D, an int or one per axis.
        rounding: `"floor"`, `"ceil"` (no window starts in the right padding) or `"exact"`.
        formulation: `"taps"`, a comparison per tap, or `"lax"`, XLA's `reduce_window`. The values are the same. Autodiff of the
            latter gives the gradient to the first maximum as well, except that from a window with a NaN it may take another
            pixel, and that JAX has no reverse mode for a dilation above 1 (NotImplementedError); `gradient="manual"` has the
            same rule for both.
        gradient: `"autodiff"`, or `"manual"` for `max_pool_backward` (reverse mode only).

    Returns:
        (N, *O, C), dtype of x.

    Raises:
        TypeError: another dtype.
        ValueError: wrong rank, an empty batch or an unknown name; `GeometryError` for sizes, and for a window that sees only
            padding.

    Source: Goodfellow, Bengio & Courville 2016, "Deep Learning", section 9.3.
    """
    x, parsed = _parse_max(x, window, stride, padding, dilation, rounding)
    forward = partial(_maximum, form=_form(MAXIMUM, formulation, parsed, gradient), window=parsed)
    back = partial(_routed, window=parsed, sizes=x.shape[1:-1])
    return differentiable(forward, lambda dy, winner: (back(dy, winner),), gradient, lambda x: (_winner(x, parsed),))(x)


def max_pool_backward(
    dy: Real[AnyArray, "n *o c"],
    x: Real[AnyArray, "n *s c"],
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    rounding: Rounding = "floor",
) -> Real[Array, "n *s c"]:
    """The gradient of `max_pool`: each output's goes whole to the pixel it came from, the first maximum of its window.

        dx = Σ_k place(dy · [k is the first maximum], k)

    Where windows overlap, a pixel that wins several collects them all. A comparison a tap, no scatter.

    Args:
        dy: output gradient, (N, *O, C), dtype of x.
        x: the input that `max_pool` saw.
        window: as in `max_pool`.
        stride: as in `max_pool`.
        padding: as in `max_pool`.
        dilation: as in `max_pool`.
        rounding: as in `max_pool`.

    Returns:
        dx, shape and dtype of x.

    Raises:
        TypeError: as `max_pool`.
        ValueError: as `max_pool`, or dy has another shape than the output.
    """
    x, parsed = _parse_max(x, window, stride, padding, dilation, rounding)
    parsed.unroll(f"jax.vjp of max_pool with formulation='lax', {_WHOLE_MAP}")
    dy = arguments.output_gradient(dy, _output_shape(x, parsed), x, "max_pool", options=parsed)
    return _max_pool_backward(dy, x, parsed)


def avg_pool(
    x: Float[AnyArray, "n *s c"],
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    rounding: Rounding = "floor",
    count_padding: bool = False,
    formulation: Formulation = "taps",
) -> Float[Array, "n *o c"]:
    """The mean of what each window position sees: y[n, o] = Σ_k x[n, S·o + D·k − P] / count[o].

    Args:
        x: (N, *S, C), float16, bfloat16 (both summed in float32), float32 or float64; integers have no mean in their own dtype.
        window: F, an int or one per axis.
        stride: S, an int or one per axis; None: the window.
        padding: as in `conv`.
        dilation: D, an int or one per axis.
        rounding: `"floor"`, `"ceil"` (no window starts in the right padding) or `"exact"`.
        count_padding: whether zeros of the padding count; what a `"ceil"` window hangs over never does.
        formulation: `"taps"`, an addition per tap, or `"lax"`, XLA's `reduce_window`.

    Returns:
        (N, *O, C), dtype of x.

    Raises:
        TypeError: another dtype.
        ValueError: wrong rank, an empty batch or an unknown name; `GeometryError` for sizes, and for a window that sees nothing
            to count.

    Source: LeCun et al. 1998, "Gradient-based learning applied to document recognition" (subsampling).
    """
    x, parsed, count = _parse_avg(x, window, stride, padding, dilation, rounding, count_padding)
    return _mean(x, count, _form(SUM, formulation, parsed), parsed)


def avg_pool_backward(
    dy: Float[AnyArray, "n *o c"],
    x: Float[AnyArray, "n *s c"],
    window: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    rounding: Rounding = "floor",
    count_padding: bool = False,
) -> Float[Array, "n *s c"]:
    """The gradient of `avg_pool`: each output's is shared equally among the pixels it averaged.

        dx = Σ_k place(dy / count, k)

    Args:
        dy: output gradient, (N, *O, C), dtype of x.
        x: the input that `avg_pool` saw; only its shape and dtype matter.
        window: as in `avg_pool`.
        stride: as in `avg_pool`.
        padding: as in `avg_pool`.
        dilation: as in `avg_pool`.
        rounding: as in `avg_pool`.
        count_padding: as in `avg_pool`.

    Returns:
        dx, shape and dtype of x.

    Raises:
        TypeError: as `avg_pool`.
        ValueError: as `avg_pool`, or dy has another shape than the output.
    """
    x, parsed, count = _parse_avg(x, window, stride, padding, dilation, rounding, count_padding)
    parsed.unroll(f"jax.vjp of avg_pool with formulation='lax', {_WHOLE_MAP}")
    dy = arguments.output_gradient(dy, _output_shape(x, parsed), x, "avg_pool", options=parsed)
    return _spread(dy, count, parsed, x.shape[1:-1])


def global_max_pool(x: Real[AnyArray, "n *s c"]) -> Real[Array, "n c"]:
    """The largest value of each channel's map, (N, *S, C) → (N, C); dtypes and ties as `max_pool`."""
    x = arguments.ordered("x", x)
    arguments.spatial_rank("x", x)
    return _global_max_pool(x)


def global_max_pool_backward(dy: Real[AnyArray, "n c"], x: Real[AnyArray, "n *s c"]) -> Real[Array, "n *s c"]:
    """dx = dy at the first maximum of each map, zero elsewhere."""
    x = arguments.ordered("x", x)
    arguments.spatial_rank("x", x)
    return _global_max_pool_backward(arguments.output_gradient(dy, (x.shape[0], x.shape[-1]), x, "global_max_pool"), x)


def global_avg_pool(x: Float[AnyArray, "n *s c"]) -> Float[Array, "n c"]:
    """The mean of each channel's map, (N, *S, C) → (N, C); dtypes as `avg_pool`.

    Source: Lin, Chen & Yan 2013, "Network in network", section 3.2.
    """
    x = arguments.numeric("x", x)
    arguments.spatial_rank("x", x)
    return _global_avg_pool(x)


def global_avg_pool_backward(dy: Float[AnyArray, "n c"], x: Float[AnyArray, "n *s c"]) -> Float[Array, "n *s c"]:
    """dx = dy / (number of pixels), at every pixel."""
    x = arguments.numeric("x", x)
    arguments.spatial_rank("x", x)
    dy = arguments.output_gradient(dy, (x.shape[0], x.shape[-1]), x, "global_avg_pool")
    return _global_avg_pool_backward(dy, x.shape[1:-1])


@compiled("form", "window")
def _maximum(x: Array, form: Form, window: Window) -> Array:
    # Nothing is rounded on the way forward, but autodiff's gradients of one pixel are added.
    return rounded_once(partial(form, window), x)


@compiled("window", "sizes")
def _routed(dy: Array, winner: Int[Array, "n *o c"], window: Window, sizes: tuple[int, ...]) -> Array:
    return rounded_once(partial(_route, window, sizes), dy, winner)


@compiled("window")
def _max_pool_backward(dy: Array, x: Array, window: Window) -> Array:
    return _routed(dy, _winner(x, window), window, x.shape[1:-1])


@compiled("form", "window")
def _mean(x: Array, count: Array, form: Form, window: Window) -> Array:
    return rounded_once(lambda x: form(window, x) / count, x)


@compiled("window", "sizes")
def _spread(dy: Array, count: Array, window: Window, sizes: tuple[int, ...]) -> Array:
    return rounded_once(lambda dy: reduce(jnp.add, (window.place(dy / count, tap, sizes) for tap in window.taps())), dy)


@compiled()
def _global_max_pool(x: Array) -> Array:
    pixels = x.reshape(x.shape[0], -1, x.shape[-1])
    return jnp.where(_first_maximum(pixels), pixels, jnp.zeros_like(pixels)).sum(1, dtype=x.dtype)


@compiled()
def _global_max_pool_backward(dy: Array, x: Array) -> Array:
    pixels = x.reshape(x.shape[0], -1, x.shape[-1])
    return jnp.where(_first_maximum(pixels), dy[:, None, :], jnp.zeros_like(pixels)).reshape(x.shape)


@rounded_program
def _global_avg_pool(x: Array) -> Array:
    return x.mean(tuple(range(1, x.ndim - 1)))


@compiled("sizes")
def _global_avg_pool_backward(dy: Array, sizes: tuple[int, ...]) -> Array:
    share = rounded_once(lambda dy: dy / math.prod(sizes), dy)
    return jnp.broadcast_to(share.reshape(dy.shape[0], *(1,) * len(sizes), dy.shape[-1]), (dy.shape[0], *sizes, dy.shape[-1]))


def _first_maximum(pixels: Array) -> Array:
    return jnp.arange(pixels.shape[1])[None, :, None] == jnp.argmax(pixels, 1)[:, None, :]


def _output_shape(x: Array, window: Window) -> tuple[int, ...]:
    return (x.shape[0], *window.output_shape(x.shape[1:-1]), x.shape[-1])


def _form(forms: dict[str, Form], formulation: str, window: Window, gradient: str = "autodiff") -> Form:
    form = forms[choice("formulation", formulation, forms)]
    if formulation == "taps":
        window.unroll(f"formulation='lax', {_WHOLE_MAP}")
    elif gradient == "manual":
        window.unroll(f"gradient='autodiff', {_WHOLE_MAP}")
    return form


@compiled("window")
def _winner(x: Array, window: Window) -> Int[Array, "n *o c"]:
    """The number of the tap that sees the first maximum of its window."""
    best, *others = views(window, x)
    winner = jnp.zeros(best.shape, jnp.int32)
    for number, (seen, wins) in enumerate(zip(others, challenges(window, x.shape[1:-1]), strict=True), 1):
        better = wins(seen, best)
        best, winner = jnp.where(better, seen, best), jnp.where(better, jnp.int32(number), winner)
    # Held, or XLA would look for the winner anew for every pixel that asks.
    return jax.lax.optimization_barrier(winner)


def _route(window: Window, sizes: tuple[int, ...], dy: Array, winner: Int[Array, "n *o c"]) -> Array:
    """Σ_k place(dy · [winner = k], k)."""
    if min(window.stride) > 1 and set(window.dilation) == {1}:
        return _look_up(window, sizes, dy, winner)
    nothing = jnp.zeros_like(dy)
    routed = (window.place(jnp.where(winner == number, dy, nothing), tap, sizes) for number, tap in enumerate(window.taps()))
    return reduce(jnp.add, routed)


def _look_up(window: Window, sizes: tuple[int, ...], dy: Array, winner: Int[Array, "n *o c"]) -> Array:
    """The same from the pixel's side: it looks up whether it is the winner of each window that it lies in.

    With i + P = S·q + r those are the windows q − t, where pixel i is tap r + S·t: ⌈F / S⌉ along each axis, where a sum over
    taps takes F.
    """
    rank = len(sizes)
    rows = [-(-(lo + n) // s) for n, s, (lo, _) in zip(sizes, window.stride, window.padding, strict=True)]
    tap_numbers = np.arange(math.prod(window.size), dtype=np.int32).reshape(window.size)
    dx = None
    for back in itertools.product(*(range(-(-f // s)) for f, s in zip(window.size, window.stride, strict=True))):
        first = [s * t for s, t in zip(window.stride, back, strict=True)]
        # Which tap of window q − t a pixel is; of a tap beyond the window's end no pixel is the winner.
        here = tap_numbers[tuple(slice(k, k + s) for k, s in zip(first, window.stride, strict=True))]
        here = np.pad(here, [(0, s - m) for s, m in zip(window.stride, here.shape, strict=True)], constant_values=-1)
        edges = ((0, 0, 0), *((t, q - t - o, 0) for t, q, o in zip(back, rows, dy.shape[1:-1], strict=True)), (0, 0, 0))
        theirs, won = jax.lax.pad(dy, dy.dtype.type(0), edges), jax.lax.pad(winner, jnp.int32(-2), edges)
        for axis in range(1, rank + 1):
            theirs, won = (jnp.repeat(array, window.stride[axis - 1], axis) for array in (theirs, won))
        gained = jnp.where(won == jnp.asarray(np.tile(here, rows)[None, ..., None]), theirs, jnp.zeros_like(theirs))
        dx = gained if dx is None else dx + gained
    assert dx is not None  # noqa: S101 (a window has a tap)
    before = [lo for lo, _ in window.padding]
    return jax.lax.slice(dx, (0, *before, 0), (dy.shape[0], *map(sum, zip(before, sizes, strict=True)), dy.shape[-1]))


def _parse_max(x: Any, window: Any, stride: Any, padding: Padding, dilation: Any, rounding: Rounding) -> tuple[Array, Window]:
    x = arguments.ordered("x", x)
    parsed, _ = _parse(x, window, stride, padding, dilation, rounding, count_padding=False)
    return x, parsed


def _parse_avg(
    x: Any, window: Any, stride: Any, padding: Padding, dilation: Any, rounding: Rounding, count_padding: bool
) -> tuple[Array, Window, Any]:
    x = arguments.numeric("x", x)
    parsed, counts = _parse(x, window, stride, padding, dilation, rounding, count_padding)
    count = reduce(np.multiply.outer, counts)[None, ..., None]
    return x, parsed, count.astype(sum_dtype(x))


def _parse(
    x: Array, window: Any, stride: Any, padding: Padding, dilation: Any, rounding: Rounding, count_padding: bool
) -> tuple[Window, tuple[Int[np.ndarray, " o"], ...]]:
    arguments.spatial_rank("x", x)
    return parse_pool(x.shape[1:-1], window, stride, padding, dilation, rounding, count_padding)


def parse_pool(
    sizes: Sequence[int],
    window: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
    rounding: Rounding,
    count_padding: bool,
) -> tuple[Window, tuple[Int[np.ndarray, " o"], ...]]:
    """The window of a pooling over these spatial sizes, and along every axis how many taps count at each position.

    Raises:
        GeometryError: what does not fit, or a window that sees nothing to count.
    """
    rank = len(sizes)
    parsed = parse_window(sizes, window, stride=stride, padding=padding, dilation=dilation, rounding=rounding)
    count_padding = arguments.flag("count_padding", count_padding)
    asked = parse_window(sizes, window, stride=stride, padding=padding, dilation=dilation) if count_padding else None
    counted = asked.padding if asked else ((0, 0),) * rank
    # Every pair of a tap and a pixel belongs to one window: more windows than pairs need not even be counted.
    for axis, (n, f, out, (lo, hi)) in enumerate(zip(sizes, parsed.size, parsed.output_shape(sizes), counted, strict=True)):
        if out > f * (lo + n + hi):
            _only_padding(parsed, sizes, axis, f"one of {out:,} windows")
    counts = parsed.seen(sizes, counted)
    for axis, count in enumerate(counts):
        if not count.all():
            _only_padding(parsed, sizes, axis, f"window {int(np.argmin(count))}")
    return parsed, counts


def _only_padding(parsed: Window, sizes: Sequence[int], axis: int, which: str) -> NoReturn:
    raise GeometryError(
        f"padding={parsed.padding[axis]}: {which} along spatial axis {axis} sees only padding "
        f"(N={sizes[axis]}, F={parsed.size[axis]}, S={parsed.stride[axis]}, D={parsed.dilation[axis]}); "
        f"expected less padding than the window spans"
    )
