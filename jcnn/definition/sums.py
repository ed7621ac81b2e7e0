"""The operations that move a window, in NumPy and written as sums over its taps: what everything else is held against.

    conv      y  = Σ_k view(x, k) · w[k]               max pool   y = max_k view(x, k)
    dw[k]        = view(x, k)ᵀ · dy                    its dx       = Σ_k place(dy · [k is the first maximum], k)
    dx           = Σ_k place(dy · w[k]ᵀ, k)            average      = Σ_k view(x, k) / count,  dx = Σ_k place(dy / count, k)

Nothing here is JAX, so that neither our operations nor their autodiff grade themselves. A `Variation` changes how the window
moves; the catalogue of mistakes is built from such changes.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jcnn import geometry
from jcnn.window import Window, parse_window

Array = np.ndarray


def _same(window: Window) -> Window:
    return window


def all_taps(window: Window) -> Iterator[tuple[int, ...]]:
    """Every filter position, row-major."""
    return itertools.product(*map(range, window.size))


class Variation(NamedTuple):
    """A change of the walk.

    Attributes:
        window: another window in place of the right one.
        taps: other filter positions.
        assign: `=` where `+=` belongs.
        last: a pixel keeps only what the last position gave it, of all that cover it or of all that give it anything.
        edge: padded with the edge's value, or with this number.
    """

    window: Callable[[Window], Window] = _same
    taps: Callable[[Window], Iterator[tuple[int, ...]]] = all_taps
    assign: bool = False
    last: Literal["covers", "gives"] | None = None
    edge: str | float | None = None


RIGHT = Variation()


def pad(x: Float[Array, "n *s c"], window: Window, outputs: Sequence[int], value: str | float = 0.0) -> Float[Array, "n *p c"]:
    """x padded (cropped where the padding is negative) until every position of the window fits."""
    edges, crop = [(0, 0)], [slice(None)]
    for n, o, f, s, (lo, hi), d in zip(x.shape[1:-1], outputs, *window, strict=True):
        reach = s * (o - 1) + geometry.span(f, d)
        edges.append((max(lo, 0), max(hi, reach - n - lo, 0)))
        crop.append(slice(max(-lo, 0), None))
    x = x[(*crop, slice(None))]
    if value == "edge":
        return np.pad(x, (*edges, (0, 0)), mode="edge")
    return np.pad(x, (*edges, (0, 0)), constant_values=value)


def view(padded: Float[Array, "n *p c"], window: Window, tap: Sequence[int], outputs: Sequence[int]) -> Float[Array, "n *o c"]:
    """What a tap sees at `outputs` positions: x[n, S·o + D·k]; writable."""
    axes = (slice(d * k, d * k + s * (o - 1) + 1, s) for k, o, s, d in zip(tap, outputs, window[1], window[3], strict=True))
    return padded[(slice(None), *axes, slice(None))]


def collect(
    dy: Float[Array, "n *o c"],
    window: Window,
    sizes: Sequence[int],
    channels: int,
    parts: Callable[[tuple[int, ...]], Array],
    variation: Variation = RIGHT,
) -> Float[Array, "n *s c_in"]:
    """The adjoint of viewing every tap: parts(k) added where tap k saw it, what lies on the padding cropped."""
    outputs = dy.shape[1:-1]
    grown = pad(np.zeros((dy.shape[0], *sizes, channels)), window, outputs)
    shifts = tuple(min(lo, 0) for lo, _ in window.padding)
    order = np.arange(dy[0, ..., 0].size).reshape(1, *outputs, 1)
    owner = np.full(grown.shape, -1)
    for tap in variation.taps(window):
        seen, part = view(grown, window, tap, outputs), parts(tap)
        if variation.last:
            held = view(owner, window, tap, outputs)
            later = (order > held) & ((part != 0) | (variation.last == "covers"))
            seen[...], held[...] = np.where(later, part, seen), np.where(later, order, held)
        else:
            seen[...] = part if variation.assign else seen + part
    cropped = np.zeros((dy.shape[0], *sizes, channels))
    into, out = [slice(None)], [slice(None)]
    for n, (lo, _), shift in zip(sizes, window.padding, shifts, strict=True):
        start = max(lo, 0)
        into.append(slice(-shift, n))
        out.append(slice(start, start + n + shift))
    cropped[tuple(into)] = grown[tuple(out)]
    return cropped


def walk(sizes: Sequence[int], size: Any, options: dict[str, Any]) -> Window:
    """The window that the options describe."""
    known = {name: options[name] for name in ("stride", "padding", "dilation", "rounding") if name in options}
    return parse_window(sizes, size, **known)


def mix(x: Float[Array, "*n c_in"], w: Float[Array, "c_group c_out"], groups: int) -> Float[Array, "*n c_out"]:
    """x · w over the channels of each group."""
    split = x.reshape(*x.shape[:-1], groups, -1)
    return np.einsum("...gi,igo->...go", split, w.reshape(w.shape[0], groups, -1)).reshape(*x.shape[:-1], -1)


def mix_back(dy: Float[Array, "*n c_out"], w: Float[Array, "c_group c_out"], groups: int) -> Float[Array, "*n c_in"]:
    """dy · wᵀ over the channels of each group."""
    split = dy.reshape(*dy.shape[:-1], groups, -1)
    return np.einsum("...go,igo->...gi", split, w.reshape(w.shape[0], groups, -1)).reshape(*dy.shape[:-1], -1)


def conv(x: Array, w: Array, b: Array | None = None, *, variation: Variation = RIGHT, **options: Any) -> Array:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[k] + b."""
    window = variation.window(walk(x.shape[1:-1], w.shape[:-2], options))
    outputs = window.output_shape(x.shape[1:-1])
    padded = pad(x, window, outputs, 0.0 if variation.edge is None else variation.edge)
    y = np.zeros((x.shape[0], *outputs, w.shape[-1]))
    for tap in variation.taps(window):
        part = mix(view(padded, window, tap, outputs), w[tap], options.get("groups", 1))
        y = part if variation.assign else y + part
    return y if b is None else y + b


def convolve(x: Array, w: Array, b: Array | None = None, **options: Any) -> Array:
    """`conv` with the filter flipped."""
    return conv(x, np.flip(w, tuple(range(w.ndim - 2))), b, **options)


def conv_backward(dy: Array, x: Array, w: Array, *, variation: Variation = RIGHT, **options: Any) -> tuple[Array, Array, Array]:
    """(dx, dw, db): every sum of the derivation, term by term."""
    window = variation.window(walk(x.shape[1:-1], w.shape[:-2], options))
    groups = options.get("groups", 1)
    dx = input_gradient(dy, w, window, groups, x.shape[1:-1], variation)
    dw = filter_gradient(dy, x, w.shape, window, groups, variation)
    return dx, dw, dy.sum(tuple(range(dy.ndim - 1)))


def input_gradient(
    dy: Array, w: Array, window: Window, groups: int, sizes: Sequence[int], variation: Variation = RIGHT
) -> Float[Array, "n *s c_in"]:
    """dx[i] = Σ_{k,o: S·o + D·k − P = i} dy[o] · w[k]ᵀ."""
    return collect(dy, window, sizes, w.shape[-2] * groups, lambda tap: mix_back(dy, w[tap], groups), variation)


def filter_gradient(
    dy: Array, x: Array, shape: Sequence[int], window: Window, groups: int, variation: Variation = RIGHT
) -> Float[Array, "*f c_group c_out"]:
    """dw[k] = Σ_{n,o} x[n, S·o + D·k − P]ᵀ dy[n, o]."""
    outputs = dy.shape[1:-1]
    padded = pad(x, window, outputs, 0.0 if variation.edge is None else variation.edge)
    split = dy.reshape(-1, groups, dy.shape[-1] // groups)
    dw = np.zeros(tuple(shape))
    for tap in variation.taps(window):
        seen = view(padded, window, tap, outputs).reshape(-1, groups, x.shape[-1] // groups)
        dw[tap] = np.einsum("pgi,pgo->igo", seen, split).reshape(-1, dy.shape[-1])
    return dw


def conv_transpose(
    y: Array, w: Array, b: Array | None = None, *, variation: Variation = RIGHT, output_size: Any = None, **options: Any
) -> Array:
    """The adjoint of `conv`: `input_gradient` for the size asked for."""
    rank = y.ndim - 2
    if output_size is None:
        stride, dilation = (geometry.per_axis(name, options.get(name, 1), rank) for name in ("stride", "dilation"))
        padding = geometry.padding_per_axis(options.get("padding", 0), rank)
        extra = geometry.per_axis("output_padding", options.get("output_padding", 0), rank, 0)
        output_size = tuple(
            geometry.transposed_size(o, f, stride=s, padding=p, dilation=d, output_padding=e)
            for o, f, s, p, d, e in zip(y.shape[1:-1], w.shape[:-2], stride, padding, dilation, extra, strict=True)
        )
    sizes = geometry.per_axis("output_size", output_size, rank)
    window = variation.window(walk(sizes, w.shape[:-2], options))
    x = input_gradient(y, w, window, options.get("groups", 1), sizes, variation)
    return x if b is None else x + b


def convolve_backward(dy: Array, x: Array, w: Array, **options: Any) -> tuple[Array, Array, Array]:
    """`conv_backward` with the filter flipped, and its gradient flipped back."""
    axes = tuple(range(w.ndim - 2))
    dx, dw, db = conv_backward(dy, x, np.flip(w, axes), **options)
    return dx, np.flip(dw, axes), db


def conv_transpose_backward(
    dx: Array, y: Array, w: Array, *, variation: Variation = RIGHT, **options: Any
) -> tuple[Array, Array, Array]:
    """(dy, dw, db): the adjoint of the adjoint is `conv` itself; dw as for `conv`, with dx where its input was."""
    window = variation.window(walk(dx.shape[1:-1], w.shape[:-2], options))
    groups = options.get("groups", 1)
    dy = conv(dx, w, variation=variation, **{name: value for name, value in options.items() if name not in SIZE_OPTIONS})
    return dy, filter_gradient(y, dx, w.shape, window, groups, variation), dx.sum(tuple(range(dx.ndim - 1)))


SIZE_OPTIONS = frozenset({"output_size", "output_padding"})
"""Options of the transposed convolution alone: its gradient sees the size that came of them."""


def locally_connected(x: Array, w: Array, b: Array | None = None, *, variation: Variation = RIGHT, **options: Any) -> Array:
    """y[n, o] = Σ_k x[n, S·o + D·k − P] · w[o, k] + b[o]."""
    window, everywhere = _unshared(x, w, variation, options)
    outputs = window.output_shape(x.shape[1:-1])
    padded = pad(x, window, outputs, 0.0 if variation.edge is None else variation.edge)
    y = np.zeros((x.shape[0], *outputs, w.shape[-1]))
    for tap in variation.taps(window):
        part = np.einsum("n...i,...io->n...o", view(padded, window, tap, outputs), w[(*everywhere, *tap)])
        y = part if variation.assign else y + part
    return y if b is None else y + b


def locally_connected_backward(
    dy: Array, x: Array, w: Array, *, variation: Variation = RIGHT, **options: Any
) -> tuple[Array, Array, Array]:
    """(dx, dw, db): as for a convolution, but filters and biases collect from the examples alone."""
    window, everywhere = _unshared(x, w, variation, options)
    outputs = dy.shape[1:-1]
    padded = pad(x, window, outputs, 0.0 if variation.edge is None else variation.edge)
    dw = np.zeros(w.shape)
    for tap in variation.taps(window):
        dw[(*everywhere, *tap)] = np.einsum("n...i,n...o->...io", view(padded, window, tap, outputs), dy)

    def part(tap: tuple[int, ...]) -> Array:
        return np.einsum("n...o,...io->n...i", dy, w[(*everywhere, *tap)])

    return collect(dy, window, x.shape[1:-1], x.shape[-1], part, variation), dw, dy.sum(0)


def _unshared(x: Array, w: Array, variation: Variation, options: dict[str, Any]) -> tuple[Window, tuple[slice, ...]]:
    """The window, and the index of a tap's filters at all positions but for the tap."""
    rank = x.ndim - 2
    return variation.window(walk(x.shape[1:-1], w.shape[rank:-2], options)), (slice(None),) * rank


def max_pool(x: Array, size: Any, *, variation: Variation = RIGHT, **options: Any) -> Array:
    """max_k x[n, S·o + D·k − P]; the padding never wins."""
    seen, _ = taps_of(x, size, variation, {"stride": None, **options})
    return seen.max(0)


def max_pool_backward(
    dy: Array,
    x: Array,
    size: Any,
    *,
    variation: Variation = RIGHT,
    share: Callable[[Array], Array] | None = None,
    **options: Any,
) -> Array:
    """Each dy to the first maximum of its window; `share` gives the taps' shares from what they see, one tap a row."""
    options = {"stride": None, **options}
    seen, window = taps_of(x, size, variation, options, dy.shape[1:-1])
    shares = dict(zip(variation.taps(window), (share or first_maximum)(seen), strict=True))
    return collect(dy, window, x.shape[1:-1], x.shape[-1], lambda tap: dy * shares[tap], variation)


def first_maximum(seen: Float[Array, "k n *o c"]) -> Float[Array, "k n *o c"]:
    """1 at the first maximum along the first axis, 0 elsewhere."""
    at = np.argmax(seen, 0)
    return (np.arange(len(seen)).reshape(-1, *(1,) * at.ndim) == at).astype(np.float64)


def avg_pool(
    x: Array, size: Any, *, count_padding: bool = False, variation: Variation = RIGHT, count: Any = None, **options: Any
) -> Array:
    """Σ_k x[n, S·o + D·k − P] / count; `count` in place of the right one."""
    options = {"stride": None, **options}
    edge = 0.0 if variation.edge is None else variation.edge
    seen, window = taps_of(x, size, variation._replace(edge=edge), options)
    counts = (count or counted)(x, size, count_padding, window, options)
    return (seen[-1] if variation.assign else seen.sum(0)) / counts


def avg_pool_backward(
    dy: Array,
    x: Array,
    size: Any,
    *,
    count_padding: bool = False,
    variation: Variation = RIGHT,
    count: Any = None,
    **options: Any,
) -> Array:
    """dy / count to every pixel of the window."""
    options = {"stride": None, **options}
    right = walk(x.shape[1:-1], size, options)
    window = variation.window(right)
    part = dy / (count or counted)(x, size, count_padding, right, options)
    return collect(dy, window, x.shape[1:-1], x.shape[-1], lambda _: part, variation)


def counted(x: Array, size: Any, count_padding: bool, window: Window, options: dict[str, Any]) -> Array:
    """How many taps count at each position: those on the input, with `count_padding` on the padding asked for too."""
    ones = np.ones((1, *x.shape[1:-1], 1))
    if count_padding:
        asked = walk(x.shape[1:-1], size, {**options, "rounding": "floor"}).padding
        # What a window of rounding="ceil" hangs over was not asked for.
        ones = np.pad(ones, ((0, 0), *asked, (0, 0)), constant_values=1.0)
        window = window._replace(
            padding=tuple((0, max(hi - h, 0)) for (_, hi), (_, h) in zip(window.padding, asked, strict=True))
        )
    outputs = window.output_shape(ones.shape[1:-1])
    padded = pad(ones, window, outputs)
    return np.sum([view(padded, window, tap, outputs) for tap in all_taps(window)], axis=0)


def taps_of(
    x: Array, size: Any, variation: Variation, options: dict[str, Any], outputs: Sequence[int] | None = None
) -> tuple[Float[Array, "k n *o c"], Window]:
    """What every tap sees, stacked, on padding that never wins unless the variation says another value."""
    window = variation.window(walk(x.shape[1:-1], size, options))
    outputs = window.output_shape(x.shape[1:-1]) if outputs is None else outputs
    padded = pad(x, window, outputs, -np.inf if variation.edge is None else variation.edge)
    return np.stack([view(padded, window, tap, outputs) for tap in variation.taps(window)]), window
