"""Blocks that many networks are made of, as tuples of layers."""

from jcnn import geometry
from jcnn.layers.activation import Relu, Sigmoid
from jcnn.layers.base import Layer, Sizes
from jcnn.layers.composite import Gate
from jcnn.layers.dense import Dense
from jcnn.layers.normalisation import BatchNorm
from jcnn.layers.spatial import Conv, GlobalAvgPool

__all__ = ["depthwise_separable", "squeeze_excitation"]


def depthwise_separable(channels: int, filters: int, *, window: int = 3, stride: Sizes = 1) -> tuple[Layer, ...]:
    """A convolution in two steps: one filter a channel, then one pixel's channels mixed; normalised and relu after each.

    It takes channels · (F² + filters) multiply-adds a pixel, where a plain convolution takes channels · F² · filters.

    Args:
        channels: of the input.
        filters: channels of the output.
        window: F, odd, so that a stride of 1 keeps the size.
        stride: of the first step.

    Returns:
        A tuple of layers, to stand in a network as one.

    Raises:
        GeometryError: a number out of range, or an even window.

    Source: Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision applications", figure 3.
    """
    channels, window = geometry.integer("channels", channels, 1), geometry.integer("window", window, 1)
    if window % 2 == 0:
        raise geometry.GeometryError(f"window={window}: expected an odd number, so that a stride of 1 keeps the size")
    return (
        Conv(channels, window, stride=stride, padding=window // 2, groups=channels, bias=False),
        BatchNorm(),
        Relu(),
        Conv(filters, 1, bias=False),
        BatchNorm(),
        Relu(),
    )


def squeeze_excitation(channels: int, *, ratio: int = 16) -> Gate:
    """Every channel weighed by a factor from 0 to 1 that all channels' means decide: σ(W₂ relu(W₁ mean(x))) · x.

    Args:
        channels: of the input.
        ratio: by how much fewer there are in between, at least one.

    Returns:
        A layer.

    Raises:
        GeometryError: a number out of range.

    Source: Hu, Shen & Sun 2018, "Squeeze-and-excitation networks", section 3.
    """
    channels, ratio = geometry.integer("channels", channels, 1), geometry.integer("ratio", ratio, 1)
    return Gate((GlobalAvgPool(), Dense(max(channels // ratio, 1)), Relu(), Dense(channels), Sigmoid()))
