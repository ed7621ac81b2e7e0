"""Convolutions that reach every way of `"auto"`: the way first, then channels and a geometry that lead to it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from jcnn.conv.ways import Pass
from tests.geometries import pads
from tests.references import Geometry


class Layer(NamedTuple):
    """A drawn convolution."""

    geometry: Geometry
    groups: int
    c_in: int
    c_out: int

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `conv`."""
        return {**self.geometry.options, "groups": self.groups}

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of x, w and dy, for two examples."""
        filters = (*self.geometry.window, self.c_in // self.groups, self.c_out)
        return (2, *self.geometry.sizes, self.c_in), filters, (2, *self.geometry.outputs, self.c_out)


class Kind(NamedTuple):
    """What convolutions of one kind have in common, and the ways that they take in float32 on a CPU, without oneDNN.

    Attributes:
        forward: way of the forward pass.
        dx: way to the gradient by the input.
        dw: way to the gradient by the filters.
        channels: (groups, C_in, C_out) to choose from.
        windows: filter sizes to choose from.
        stride: the same along every axis.
        dilation: the same along every axis.
        even: whether there is an even number of inputs and outputs along the last axis.
    """

    forward: str
    dx: str
    dw: str
    channels: Sequence[tuple[int, int, int]]
    windows: Sequence[tuple[int, ...]]
    stride: int = 1
    dilation: int = 1
    even: bool = False

    @property
    def ways(self) -> dict[Pass, str]:
        """By pass."""
        return {"forward": self.forward, "dx": self.dx, "dw": self.dw}


KINDS = {
    "depthwise": Kind("taps", "by_places", "by_sums", [(4, 4, 4), (2, 2, 2)], [(3, 2), (3,), (2, 1, 2)], stride=2),
    "depthwise, more filters": Kind("taps", "by_convolution", "by_sums", [(8, 8, 16), (3, 3, 6)], [(3, 3), (1, 2), (2,)]),
    "groups": Kind("lax", "by_convolution", "by_taps", [(2, 16, 8), (2, 4, 2)], [(2, 3), (3,), (2, 2, 1)]),
    "one tap": Kind("lax", "by_convolution", "by_taps", [(1, 32, 64), (1, 15, 8)], [(1, 1), (1,), (1, 1, 1)]),
    "few channels": Kind(
        "scaled_images", "by_convolution", "by_patches", [(1, 1, 8), (1, 2, 16)], [(2, 2), (4,), (2, 1, 2)], stride=3
    ),
    "few, folded": Kind("scaled_images", "folded", "by_folded_patches", [(1, 3, 8), (1, 2, 64)], [(3, 3), (3,)], even=True),
    "folded": Kind(
        "folded", "folded", "by_correlation", [(1, 8, 16), (1, 16, 5)], [(3, 3), (2, 3), (3,), (2, 1, 3)], even=True
    ),
    "strided": Kind("lax", "by_phases", "by_correlation", [(1, 8, 8), (1, 32, 16)], [(3, 3), (4,), (2, 2, 2)], stride=2),
    "dilated": Kind(
        "lax", "by_convolution", "by_correlation", [(1, 32, 64), (1, 15, 8)], [(3, 2), (2,), (2, 2, 1)], dilation=2
    ),
    "many channels": Kind("lax", "by_convolution", "by_correlation", [(1, 64, 32), (1, 17, 64)], [(3, 3), (2, 2), (3,)]),
    "minimal": Kind("winograd", "winograd", "winograd", [(1, 64, 64), (1, 64, 80)], [(3, 3)]),
    "minimal, 5 taps": Kind("winograd", "winograd", "winograd", [(1, 128, 128)], [(5, 5)]),
}


@st.composite
def layers(draw: st.DrawFn, kind: str) -> Layer:
    """A convolution of this kind; the simplest is padded beyond the filter, and on one side only."""
    _, _, _, channels, windows, s, d, even = KINDS[kind]
    window = draw(st.sampled_from(windows))
    room = {1: 5, 2: 3, 3: 1}[len(window)]
    sizes, pairs = [], []
    for f in window:
        span = d * (f - 1) + 1
        lo, hi = draw(pads(span, much_first=True))
        sizes.append(draw(st.integers(max(1, span - lo - hi), max(1, span - lo - hi) + room)))
        pairs.append((lo, hi))
    if even:
        sizes[-1] += sizes[-1] % 2
        lo, hi = pairs[-1]
        pairs[-1] = lo, hi + (sizes[-1] + lo + hi - window[-1] + 1) % 2
    steps = [(step,) * len(window) for step in (s, d)]
    geometry = Geometry(tuple(sizes), window, steps[0], tuple(pairs), steps[1], "floor")
    return Layer(geometry, *draw(st.sampled_from(channels)))
