"""The walk of a window in NumPy, with room for variations: what the reference and its mistakes are made of."""

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
