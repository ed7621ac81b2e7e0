"""The walk itself: a window over a padded input, its taps, what each tap sees and the way back.

A convolution, a pooling and both their gradients are the same walk. Each position inside the window (a tap) sees one
shifted, strided view of the input; `view` takes it, `place`, its adjoint, puts values back where they were seen:

    ⟨view(pad(x), k), y⟩ = ⟨x, place(y, k)⟩    for every tap k
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jax import Array, lax
from jaxtyping import Int, Num

from jcnn import geometry
from jcnn.geometry import Padding, Rounding

UNROLLED = 1024
"""The most taps that a program is written out for, tap by tap: so many take it half a minute to compile."""


class Window(NamedTuple):
    """A window parsed against its input: one entry per spatial axis, hashable, hence static under `jit`.

    Attributes:
        size: F, taps.
        stride: S, pixels between positions.
        padding: (lo, hi) pixels; with `rounding="ceil"` hi includes what the last window hangs over.
        dilation: D, pixels between taps.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    def __str__(self) -> str:
        """The numbers, as messages give them."""
        return f"F={self.size}, S={self.stride}, P={self.padding}, D={self.dilation}"

    def output_shape(self, input_shape: Sequence[int]) -> tuple[int, ...]:
        """(N + lo + hi − E)/S + 1 along every axis, rounded down."""
        return tuple(
            geometry.output_size(n, f, stride=s, padding=p, dilation=d)
            for n, f, s, p, d in zip(input_shape, *self, strict=True)
        )

    def taps(self) -> Iterator[tuple[int, ...]]:
        """Every filter position, row-major."""
        return itertools.product(*map(range, self.size))

    def unroll(self, fix: str) -> None:
        """Checks that the taps are few enough for a program that has operations of its own for each.

        Raises:
            GeometryError: they are more than `UNROLLED`; with what to do instead.
        """
        if (count := math.prod(self.size)) > UNROLLED:
            raise geometry.GeometryError(
                f"window={geometry.shown(self.size)}: {count:,} taps, of which each would be an operation of its own; "
                f"expected at most {UNROLLED:,}, or {fix}"
            )

    def pad(self, x: Num[Array, "n *s c"], value: float = 0) -> Num[Array, "n *p c"]:
        """x with `value` on its padding."""
        return lax.pad(x, x.dtype.type(value), ((0, 0, 0), *((lo, hi, 0) for lo, hi in self.padding), (0, 0, 0)))

    def view(self, x: Num[Array, "n *p c"], tap: tuple[int, ...]) -> Num[Array, "n *o c"]:
        """What this tap sees of the padded x: view(x, k)[n, o] = x[n, S·o + D·k]; one strided slice."""
        first = [d * k for d, k in zip(self.dilation, tap, strict=True)]
        last = [
            start + (n - geometry.span(f, d)) // s * s + 1
            for start, n, f, s, d in zip(first, x.shape[1:-1], self.size, self.stride, self.dilation, strict=True)
        ]
        return lax.slice(x, (0, *first, 0), (x.shape[0], *last, x.shape[-1]), (1, *self.stride, 1))

    def place(self, y: Num[Array, "n *o c"], tap: tuple[int, ...], input_shape: Sequence[int]) -> Num[Array, "n *s c"]:
        """The adjoint of padding and viewing: y where the tap saw it, zero elsewhere, what lay on the padding cropped.

        One `lax.pad` with S − 1 interior zeros; no scatter.
        """
        edges = []
        for k, o, n, s, (lo, _), d in zip(
            tap, y.shape[1:-1], input_shape, self.stride, self.padding, self.dilation, strict=True
        ):
            start = d * k - lo
            edges.append((start, n - start - (s * (o - 1) + 1), s - 1))
        return lax.pad(y, y.dtype.type(0), ((0, 0, 0), *edges, (0, 0, 0)))

    def seen(self, input_shape: Sequence[int], padding: Sequence[tuple[int, int]]) -> tuple[Int[np.ndarray, " o"], ...]:
        """Along every axis, for every position, how many taps lie on the input or on `padding` around it.

        Tap k of position o lies there where −before ≤ S·o + D·k − lo < N + after.
        """
        counts = []
        for n, f, s, (lo, _), d, (before, after), o in zip(
            input_shape, *self, padding, self.output_shape(input_shape), strict=True
        ):
            first = s * np.arange(o, dtype=np.int64) - lo
            from_tap = np.maximum(-((before + first) // d), 0)
            to_tap = np.minimum((n + after - 1 - first) // d, f - 1)
            counts.append(np.maximum(to_tap - from_tap + 1, 0))
        return tuple(counts)


def parse_window(
    input_shape: Sequence[int],
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int] | None = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    rounding: Rounding = "floor",
) -> Window:
    """The window over an input of these spatial sizes, every argument resolved to one entry per axis.

    Args:
        input_shape: the input's spatial sizes.
        size: F, an int or one per axis.
        stride: S, an int or one per axis; None: the window's size.
        padding: as `geometry.padding_per_axis`.
        dilation: D, an int or one per axis.
        rounding: as `geometry.output_size`.

    Raises:
        GeometryError: what does not fit, with the axis where there is more than one.
    """
    rank = len(input_shape)
    sizes = geometry.per_axis("window", size, rank)
    strides = sizes if stride is None else geometry.per_axis("stride", stride, rank)
    dilations = geometry.per_axis("dilation", dilation, rank)
    resolved = []
    for axis, (n, f, s, p, d) in enumerate(
        zip(input_shape, sizes, strides, geometry.padding_per_axis(padding, rank), dilations, strict=True)
    ):
        lo, hi = geometry.resolve_padding(n, f, stride=s, padding=p, dilation=d)
        try:
            out = geometry.output_size(n, f, stride=s, padding=(lo, hi), dilation=d, rounding=rounding)
        except geometry.GeometryError as error:
            if rank == 1:
                raise
            raise geometry.GeometryError(f"spatial axis {axis}: {error}") from None
        resolved.append((lo, max(hi, (out - 1) * s + geometry.span(f, d) - n - lo)))
    padded = tuple(n + lo + hi for n, (lo, hi) in zip(input_shape, resolved, strict=True))
    given = Window(sizes, strides, tuple(resolved), dilations)
    geometry.countable("the padded input", padded, fix=f", less padding; {given}")
    # A stride or dilation beyond the input leads nowhere, whatever its size: nothing needs to be made for it.
    return given._replace(stride=tuple(map(min, strides, padded)), dilation=tuple(map(min, dilations, padded)))
