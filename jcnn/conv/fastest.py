"""Which way to compute each pass of a convolution is fastest: a few rules for the CPU.

`python -m experiments.benchmarks.choices` measures every way on every benchmarked shape and keeps the figures in
`experiments/benchmarks/choices.json`; a test holds the rules against them. On other backends, where nothing was measured, XLA's
own operation, and for the gradients what is made of it.
"""

import math
from typing import Literal, NamedTuple

import jax

from jcnn.conv.channels import FEW
from jcnn.window import Window

Pass = Literal["forward", "dx", "dw"]


class Layer(NamedTuple):
    """What the choice depends on.

    Attributes:
        window: the parsed window.
        c_in: channels of the input.
        c_out: channels of the output.
        groups: as in `conv`.
        winograd: whether minimal filtering may be taken, with the larger error of `winograd_bound`.
        native: whether oneDNN may be taken.
        phases: whether one convolution may become a small one for each phase of the stride, a longer program.
        folded: whether neighbouring pixels may become the channels of one, as there is an even number of outputs.
    """

    window: Window
    c_in: int
    c_out: int
    groups: int
    winograd: bool = False
    native: bool = False
    phases: bool = False
    folded: bool = False

    @property
    def depthwise(self) -> bool:
        """Whether every group looks at one channel only."""
        return self.groups > 1 and self.c_in == self.groups

    @property
    def taps(self) -> int:
        """Number of filter positions."""
        return math.prod(self.window.size)


def fastest(what: Pass, layer: Layer) -> str:
    """The name of the fastest way: a formulation of `conv`, or a function of `input_gradients` or `filter_gradients`."""
    if jax.default_backend() != "cpu":
        return _elsewhere(what, layer)
    minimal = layer.winograd and _saves_by_winograd(layer)
    if layer.native and not minimal and _faster_by_onednn(what, layer):
        return "native"
    match what:
        case "forward":
            # XLA has no fast kernel for one or few channels: the products of the taps shrink to scaled images.
            if layer.depthwise or (layer.c_in <= FEW and layer.c_in * layer.taps <= 32):
                return "taps"
            if minimal:
                return "winograd"
            return "folded" if _wider_by_folding(layer, layer.c_in, layer.c_out) else "lax"
        case "dx":
            if layer.depthwise and layer.c_out == layer.groups:
                return "by_places"
            if layer.phases and max(layer.window.stride) == 2 and set(layer.window.dilation) == {1}:
                return "by_phases"
            if minimal:
                return "winograd"
            return "folded" if _wider_by_folding(layer, layer.c_out, layer.c_in) else "by_convolution"
        case "dw":
            if layer.depthwise:
                return "by_sums"
            if layer.groups > 1 or layer.taps == 1:
                return "by_taps"
            if layer.folded and _moves_by_one(layer) and layer.c_in <= FEW and layer.taps <= 9:
                return "by_folded_patches"
            if layer.c_in * layer.taps <= 16:
                return "by_patches"
            return "winograd" if minimal else "by_correlation"


def _saves_by_winograd(layer: Layer) -> bool:
    """Filters that move pixel by pixel, with enough channels for the products to outweigh the transforms."""
    size, channels = layer.window.size, min(layer.c_in, layer.c_out)
    if layer.groups > 1 or not _moves_by_one(layer):
        return False
    return (size == (3, 3) and channels >= 64) or (size == (5, 5) and channels >= 128)


def _wider_by_folding(layer: Layer, read: int, written: int) -> bool:
    """So few channels to write that kernels are half empty, and an odd filter, to which folding adds one tap."""
    odd = layer.window.size[-1] > 1 and layer.window.size[-1] % 2 == 1
    return layer.folded and layer.groups == 1 and _moves_by_one(layer) and odd and FEW < read <= 64 and written <= 16


def _moves_by_one(layer: Layer) -> bool:
    return {*layer.window.stride, *layer.window.dilation} == {1}


def _faster_by_onednn(what: Pass, layer: Layer) -> bool:
    """Few channels, which leave Eigen's kernels half empty; strides on the way back; and sums over all pixels for a filter."""
    channels = min(layer.c_in, layer.c_out)
    if what == "forward" and channels == 1 == layer.groups and layer.taps <= 9:
        return False
    if what == "dx" and layer.taps > 1 and max(layer.window.stride) > 1:
        return True
    return layer.depthwise or channels <= (64 if what == "dw" else 32)


def _elsewhere(what: Pass, layer: Layer) -> str:
    if what == "dw":
        return "by_taps" if layer.groups > 1 or layer.taps == 1 else "by_correlation"
    return {"forward": "lax", "dx": "by_convolution"}[what]
