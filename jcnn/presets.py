"""Networks by name, as functions of the input's shape and the number of classes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from jcnn import geometry
from jcnn.layers import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    IdentityConv,
    Layer,
    MaxPool,
    PadChannels,
    Relu,
    Residual,
    Scale,
    Shape,
    Tanh,
    Whiten,
    depthwise_separable,
)
from jcnn.names import check_name


def _scores(classes: int) -> Dense:
    """The last layer: one score per class."""
    return Dense(geometry.integer("classes", classes, 1))


def small(input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """The default: two conv–relu–pool stages and one hidden layer.

    Inputs below 16 pixels are pooled once less early, so that the second stage still has a map to look at.
    """
    *sizes, _ = geometry.example_shape("input_shape", input_shape, (1, 2, 3))
    early = (MaxPool(2),) if min(sizes) >= 16 else ()
    return (
        Conv(32, 3, padding="same"),
        Relu(),
        *early,
        Conv(64, 3, padding="same"),
        Relu(),
        MaxPool(2),
        Flatten(),
        Dense(128),
        Relu(),
        _scores(classes),
    )


def lecture(input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """The network of the course: [conv–relu–conv–relu–pool] × 2, then one fully connected layer of class scores.

    The same for every input shape.
    """
    geometry.example_shape("input_shape", input_shape, (1, 2, 3))
    stage = (Conv(16, 3, padding=1), Relu(), Conv(16, 3, padding=1), Relu(), MaxPool(2))
    return (*stage, *stage, Flatten(), _scores(classes))


def lenet5(input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """LeNet-5 (LeCun et al. 1998), with average pooling and tanh; all maps connected, a plain softmax at the end.

    Published for 32×32. Smaller images are padded by 2 in the first convolution (28×28 becomes what it was designed for), those
    below 28 in both.
    """
    size = min(geometry.example_shape("input_shape", input_shape, (1, 2, 3))[:-1])
    return (
        Conv(6, 5, padding=0 if size >= 32 else 2),
        Tanh(),
        AvgPool(2),
        Conv(16, 5, padding=0 if size >= 28 else 2),
        Tanh(),
        AvgPool(2),
        Flatten(),
        Dense(120),
        Tanh(),
        Dense(84),
        Tanh(),
        _scores(classes),
    )


def resnet(input_shape: Shape, classes: int, *, depth: int = 20, width: int = 16) -> tuple[Any, ...]:
    """The residual network for CIFAR: a convolution, three stages of blocks with 16, 32 and 64 filters, a global average.

    A block is conv – norm – relu – conv – norm, its input added, then relu. The second and third stage begin with a stride of
    two, where the shortcut takes every second pixel and pads with channels of zeros, so that it has no parameters.

    Args:
        input_shape: of one example, (*S, C).
        classes: how many scores.
        depth: layers with weights, 6n + 2 with n blocks a stage: 8, 14, 20, 32, 44, 56 and so on.
        width: filters of the first stage.

    Source: He et al. 2016, "Deep residual learning for image recognition", section 4.2.
    """
    geometry.example_shape("input_shape", input_shape, (1, 2, 3))
    depth, width = geometry.integer("depth", depth, 8), geometry.integer("width", width, 1)
    if width > geometry.LIMIT // 4:
        raise geometry.GeometryError(geometry.wrong("width", width, f"at most {geometry.LIMIT // 4:,}, a quarter of the last"))
    if depth % 6 != 2:
        raise geometry.GeometryError(f"depth={depth}: expected 6n + 2, with n blocks in each of three stages: 8, 14, 20, …")
    filters = [width * 2**stage for stage in range(3) for _ in range(depth // 6)]
    blocks = [_residual_block(after, after != before) for before, after in zip([width, *filters], filters, strict=False)]
    return (*_normed_conv(width), *blocks, GlobalAvgPool(), _scores(classes))


def _residual_block(filters: int, halving: bool) -> tuple[Any, ...]:
    stride, shortcut = (2, (MaxPool(1, stride=2), PadChannels(filters))) if halving else (1, None)
    body = (*_normed_conv(filters, stride=stride), Conv(filters, 3, padding=1, bias=False), BatchNorm())
    return (Residual(body, shortcut), Relu())


def _normed_conv(filters: int, stride: int = 1) -> tuple[Layer, ...]:
    return (Conv(filters, 3, stride=stride, padding=1, bias=False), BatchNorm(), Relu())


def vgg_small(input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """Three stages of two 3×3 convolutions and a pooling, with 64, 128 and 256 filters, normalised, then a hidden layer.

    A stage whose map is too small to be pooled is not.

    Source: Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image recognition", for the stages;
    with batch normalisation and dropout as they are usual for CIFAR.
    """
    sizes = geometry.example_shape("input_shape", input_shape, (1, 2, 3))[:-1]
    layers: list[Layer] = []
    for filters in (64, 128, 256):
        layers += [*_normed_conv(filters), *_normed_conv(filters), *_pooling(min(sizes))]
        sizes = _halved(sizes)
    return (*layers, Flatten(), Dense(256), Relu(), Dropout(0.5), _scores(classes))


def _pooling(size: int) -> tuple[Layer, ...]:
    """A pooling by two, where there is something to pool."""
    return (MaxPool(2),) if size >= 2 else ()


def _halved(sizes: Shape) -> Shape:
    """What `_pooling` leaves of a map."""
    return tuple(size // 2 for size in sizes) if min(sizes) >= 2 else sizes


def all_conv(input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """All-CNN-C: convolutions alone, a stride of two in place of pooling, the scores averaged over the last map.

    As published: relu, no normalisation, 20 % of the input dropped and half behind each stride. The last 3×3 convolution has no
    padding where the map has room for it.

    Source: Springenberg et al. 2015, "Striving for simplicity: the all convolutional net", table 1.
    """
    *sizes, _ = geometry.example_shape("input_shape", input_shape, (1, 2, 3))
    last = 0 if min(sizes) > 8 else 1
    return (
        Dropout(0.2),
        *_plain_conv(96),
        *_plain_conv(96),
        *_plain_conv(96, stride=2),
        Dropout(0.5),
        *_plain_conv(192),
        *_plain_conv(192),
        *_plain_conv(192, stride=2),
        Dropout(0.5),
        *(Conv(192, 3, padding=last), Relu(), Conv(192, 1), Relu()),
        *(Conv(geometry.integer("classes", classes, 1), 1), Relu(), GlobalAvgPool()),
    )


def _plain_conv(filters: int, stride: int = 1) -> tuple[Layer, ...]:
    return (Conv(filters, 3, stride=stride, padding=1), Relu())


def mobile(input_shape: Shape, classes: int) -> tuple[Any, ...]:
    """A small network of depthwise-separable convolutions, 32 to 256 channels, that halves the map twice.

    Source: Howard et al. 2017, "MobileNets: efficient convolutional neural networks for mobile vision applications", table 1,
    cut down to images of CIFAR's size.
    """
    geometry.example_shape("input_shape", input_shape, (1, 2, 3))
    return (
        *_normed_conv(32),
        depthwise_separable(32, 64),
        depthwise_separable(64, 128, stride=2),
        depthwise_separable(128, 128),
        depthwise_separable(128, 256, stride=2),
        depthwise_separable(256, 256),
        *(GlobalAvgPool(), _scores(classes)),
    )


def airbench(input_shape: Shape, classes: int, *, width: int = 64) -> tuple[Layer, ...]:
    """The fast network for CIFAR-10: whitened patches of 2×2, then six 3×3 convolutions with 64, 256 and 256 filters a pair.

    In each of the three pairs the first convolution is pooled, both are normalised (without a scale) and followed by gelu. What
    the last pooling leaves is one number a filter; the scores begin small. Pairs whose map is too small to be pooled are not.

    Args:
        input_shape: of one example, (*S, C).
        classes: how many scores.
        width: filters of the first pair, a quarter of those of the others.

    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.
    """
    sizes = geometry.example_shape("input_shape", input_shape, (1, 2, 3))[:-1]
    sizes = tuple(size - 1 for size in sizes)
    layers: list[Layer] = [Whiten(2), Gelu()]
    width = geometry.integer("width", width, 1)
    for filters in (width, 4 * width, 4 * width):
        conv, norm = IdentityConv(filters, 3, padding=1, bias=False), BatchNorm(0.4, epsilon=1e-12, scale=False)
        layers += [conv, *_pooling(min(sizes)), norm, Gelu(), conv, norm, Gelu()]
        sizes = _halved(sizes)
    return (*layers, GlobalMaxPool(), Dense(_scores(classes).units, bias=False), Scale(1 / 9))


PRESETS: dict[str, Callable[[Shape, int], tuple[Any, ...]]] = {
    "small": small,
    "lecture": lecture,
    "lenet5": lenet5,
    "resnet8": partial(resnet, depth=8),
    "resnet20": partial(resnet, depth=20),
    "resnet56": partial(resnet, depth=56),
    "vgg_small": vgg_small,
    "all_conv": all_conv,
    "mobile": mobile,
    "airbench": airbench,
    "airbench_small": partial(airbench, width=32),
    "airbench_tiny": partial(airbench, width=16),
}


def help_text() -> str:
    """What the help of a command says of the choice."""
    *names, last = PRESETS
    return f"The network: {', '.join(names)} or {last}."


def check(name: str) -> None:
    """Refuses a name that is no preset's.

    Raises:
        ValueError: no such preset; the message lists them.
    """
    check_name("network", name, PRESETS)


def preset(name: str, input_shape: Shape, classes: int) -> tuple[Any, ...]:
    """The network of this name.

    Raises:
        ValueError: no such preset; the message lists them.
    """
    check(name)
    return PRESETS[name](input_shape, classes)
