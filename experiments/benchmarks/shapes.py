"""The shapes that are timed: layers of networks in use, pooling, and whole training steps."""

from typing import Any, Literal, NamedTuple

from experiments.benchmarks.cases import Case, Convolution, Layer, Maximum, Pooling, Product, Step


class _Shape(NamedTuple):
    batch: int
    size: int
    channels: tuple[int, int]
    window: int
    options: dict[str, Any]

    @property
    def name(self) -> str:
        groups, stride = self.options.get("groups", 1), self.options.get("stride", 1)
        channels = f"depthwise {self.channels[0]}" if groups > 1 else f"{self.channels[0]}→{self.channels[1]}"
        moved = f" /{stride}" if stride > 1 else ""
        return f"{channels}, {self.window}×{self.window}{moved}, {self.batch}×{self.size}×{self.size}"


_SAME: dict[str, Any] = {"padding": 1}
_FIRST = {"first": True}
# Batches such that a pass takes a few to a few tens of milliseconds on two cores.
_CONVOLUTIONS = (
    _Shape(128, 28, (1, 32), 3, _SAME | _FIRST),
    _Shape(128, 28, (1, 32), 5, {"padding": 2} | _FIRST),
    _Shape(64, 32, (3, 64), 3, _SAME | _FIRST),
    _Shape(32, 64, (3, 64), 7, {"padding": 3, "stride": 2} | _FIRST),
    _Shape(128, 14, (32, 64), 3, _SAME),
    _Shape(128, 14, (32, 64), 5, {"padding": 2}),
    _Shape(128, 14, (6, 16), 5, {}),
    _Shape(128, 28, (16, 16), 3, _SAME),
    _Shape(32, 32, (64, 64), 3, _SAME),
    _Shape(64, 16, (64, 128), 3, _SAME),
    _Shape(32, 32, (64, 128), 3, _SAME | {"stride": 2}),
    _Shape(64, 16, (128, 128), 3, _SAME),
    _Shape(64, 16, (128, 256), 3, _SAME | {"stride": 2}),
    _Shape(64, 8, (128, 256), 3, _SAME),
    _Shape(64, 8, (256, 256), 3, _SAME),
    _Shape(64, 4, (256, 256), 3, _SAME),
    _Shape(64, 8, (128, 128), 5, {"padding": 2}),
    _Shape(64, 16, (64, 256), 1, {}),
    _Shape(64, 16, (256, 64), 1, {}),
    _Shape(64, 16, (64, 128), 1, {"stride": 2}),
    _Shape(128, 8, (256, 256), 1, {}),
    _Shape(64, 32, (32, 32), 3, _SAME | {"groups": 32}),
    _Shape(64, 16, (128, 128), 3, _SAME | {"groups": 128}),
    _Shape(64, 32, (32, 32), 3, _SAME | {"groups": 32, "stride": 2}),
)

_POOLINGS = (
    # batch, size, channels, window, stride, padding
    (128, 28, 32, 2, 2, 0),
    (128, 14, 64, 2, 2, 0),
    (64, 32, 64, 2, 2, 0),
    (64, 16, 256, 2, 2, 0),
    (64, 32, 64, 3, 2, 1),
    (64, 16, 128, 3, 1, 1),
)


def _conv(units: int, window: int = 3, padding: int = 1) -> Layer:
    return Layer("conv", units, window, padding)


_RELU, _TANH, _POOL, _AVERAGE, _FLATTEN = (
    Layer("relu"),
    Layer("tanh"),
    Layer("max_pool", 0, 2),
    Layer("avg_pool", 0, 2),
    Layer("flatten"),
)
_STAGE = (_conv(16), _RELU, _conv(16), _RELU, _POOL)
_LENET = (_conv(6, 5, 2), _TANH, _AVERAGE, _conv(16, 5, 0), _TANH, _AVERAGE, _FLATTEN)

SMALL = Step(
    "small",
    128,
    (28, 28, 1),
    (_conv(32), _RELU, _POOL, _conv(64), _RELU, _POOL, _FLATTEN, Layer("dense", 128), _RELU, Layer("dense", 10)),
)
TINY = Step("tiny step", 4, (6, 6, 1), (_conv(4), _RELU, _POOL, _FLATTEN, Layer("dense", 10)))
STEPS = (
    Step("lecture", 128, (28, 28, 1), (*_STAGE, *_STAGE, _FLATTEN, Layer("dense", 10))),
    Step(
        "lenet5",
        128,
        (28, 28, 1),
        (*_LENET, Layer("dense", 120), _TANH, Layer("dense", 84), _TANH, Layer("dense", 10)),
    ),
    SMALL,
    Step(
        "six convolutions",
        64,
        (32, 32, 3),
        (
            *(layer for units in (64, 256, 256) for layer in (_conv(units), _RELU, _conv(units), _RELU, _POOL)),
            _FLATTEN,
            Layer("dense", 10),
        ),
    ),
)


def convolutions() -> list[Case]:
    """Every pass of every shape; a first layer has no dx."""
    passes: tuple[Literal["forward", "dx", "dw"], ...] = ("forward", "dx", "dw")
    return [
        Convolution(shape.name, what, shape.batch, shape.size, shape.channels, shape.window, **shape.options)
        for shape in _CONVOLUTIONS
        for what in passes
        if not (what == "dx" and shape.options.get("first"))
    ]


def poolings() -> list[Case]:
    """Both passes of every shape."""
    passes: tuple[Literal["forward", "backward"], ...] = ("forward", "backward")
    return [
        Pooling(
            f"max {window}×{window} /{stride}, {batch}×{size}×{size}×{channels}",
            what,
            batch,
            size,
            channels,
            window,
            stride,
            padding,
        )
        for batch, size, channels, window, stride, padding in _POOLINGS
        for what in passes
    ]


def quickly() -> list[Case]:
    """One tiny case of every kind, to try the program on."""
    return [
        Product("tiny product", 64),
        Maximum("tiny maximum", 64),
        Convolution("tiny convolution", "dw", 2, 6, (2, 4), 3, padding=1),
        Pooling("tiny pooling", "backward", 2, 6, 2, 2, 2),
        TINY,
    ]


def full() -> list[Case]:
    """All cases, the machine's limits first."""
    return [Product(), Maximum(), *STEPS, *convolutions(), *poolings()]
