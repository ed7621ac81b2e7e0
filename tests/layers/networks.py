"""Networks that nest: a ResNet for pictures of CIFAR's size, and random ones."""

from typing import Any

from hypothesis import strategies as st

from jcnn import AvgPool, Conv, Dense, GlobalAvgPool, LeakyRelu, MaxPool, Parallel, Relu, Residual, Tanh
from jcnn.layers import Network
from tests.layers.users_layers import Gated


def resnet8(width: int = 16) -> Network:
    """He et al. 2016, section 4.2, with one block a stage and no normalisation; shortcuts of 1×1 where the shape changes."""

    def block(filters: int, stride: int, shortcut: Conv | None = None) -> tuple[Any, ...]:
        body = (Conv(filters, 3, stride=stride, padding=1), Relu(), Conv(filters, 3, padding=1))
        return (Residual(body, shortcut), Relu())

    return (
        *(Conv(width, 3, padding="same"), Relu()),
        block(width, 1),
        block(2 * width, 2, Conv(2 * width, 1, stride=2)),
        block(4 * width, 2, Conv(4 * width, 1, stride=2)),
        *(GlobalAvgPool(), Dense(10)),
    )


POSITIVE = (AvgPool(3, stride=1, padding=1), AvgPool((2,), stride=1, padding=((0, 1),)))
CURVED = (Relu(), Tanh(), LeakyRelu(0.3), MaxPool(3, stride=1, padding=1), *POSITIVE)


@st.composite
def nested(draw: st.DrawFn, channels: int, *, linear: bool = False, depth: int = 2) -> tuple[tuple[Any, ...], int, int]:
    """Layers in turn over maps of one axis, nested so deep: (layers, channels that come out, stride of all together).

    With `linear`, only layers that are linear and, with weights above zero, let every pixel be felt.
    """
    layers: list[Any] = []
    stride = 1
    kinds = ["conv", "keep", *(["residual", "parallel", "tuple"] if depth else []), *([] if linear else ["gated"])]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3)):
        wanted = draw(st.integers(1, 3))
        if kind == "conv":
            step = draw(st.sampled_from([1, 1, 2]))
            size = draw(st.integers(1, 3))
            layers.append(Conv(wanted, size, stride=step, padding="same", dilation=draw(st.integers(1, 2))))
            channels, stride = wanted, stride * step
        elif kind == "keep":
            layers.append(draw(st.sampled_from(POSITIVE if linear else CURVED)))
        elif kind == "gated":
            layers.append(Gated(wanted))
            channels = wanted
        elif kind == "tuple":
            inner, channels, step = draw(nested(channels, linear=linear, depth=depth - 1))
            layers.append(inner)
            stride *= step
        else:
            first, given, step = draw(nested(channels, linear=linear, depth=depth - 1))
            if kind == "residual" and (given, step) == (channels, 1) and draw(st.booleans()):
                layers.append(Residual(first))
                continue
            join: Any = "sum" if kind == "residual" else draw(st.sampled_from(["sum", "concat"]))
            beside = Conv(given if join == "sum" else wanted, draw(st.integers(1, 5)), stride=step, padding="same")
            channels = given if join == "sum" else given + wanted
            if kind == "residual":
                layers.append(Residual(first, beside))
            else:
                branches = draw(st.permutations([first, beside]))
                layers.append(Parallel(*branches, join=join))
            stride *= step
    return tuple(layers), channels, stride
