"""What can be timed, as plain values that travel to the contenders: operations, training steps, the machine's limits."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

BYTES = 4
"""Of a float32."""


@dataclass(frozen=True)
class Convolution:
    """One pass of a convolution of square images: forward, dx alone or dw alone.

    Attributes:
        first: the first layer of its network, which needs no dx.
    """

    kind: ClassVar = "conv"
    name: str
    what: Literal["forward", "dx", "dw"]
    batch: int
    size: int
    channels: tuple[int, int]
    window: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    first: bool = False

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Of x, w and y: (N, H, W, C_in), (F, F, C_in // groups, C_out), (N, O, O, C_out)."""
        c_in, c_out = self.channels
        out = outputs(self.size, self.window, self.stride, self.padding)
        w = (self.window, self.window, c_in // self.groups, c_out)
        return (self.batch, self.size, self.size, c_in), w, (self.batch, out, out, c_out)

    @property
    def flops(self) -> int:
        """Two for every multiply-add; of all three passes the same."""
        _, w, y = self.shapes
        return 2 * product(y) * product(w[:-1])

    @property
    def traffic(self) -> int:
        """Bytes that must move at least: each of the three arrays once."""
        return BYTES * sum(map(product, self.shapes))


@dataclass(frozen=True)
class Pooling:
    """One pass of max-pooling of square images."""

    kind: ClassVar = "pool"
    name: str
    what: Literal["forward", "backward"]
    batch: int
    size: int
    channels: int
    window: int
    stride: int
    padding: int = 0

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of x and y."""
        out = outputs(self.size, self.window, self.stride, self.padding)
        return (self.batch, self.size, self.size, self.channels), (self.batch, out, out, self.channels)


class Layer(NamedTuple):
    """One layer, for every framework to build in its own way.

    Attributes:
        kind: conv, relu, tanh, max_pool, avg_pool, flatten or dense.
        units: output channels of conv and dense.
        window: of conv and pooling; pooling moves by its window.
        padding: of conv, on every side.
    """

    kind: str
    units: int = 0
    window: int = 0
    padding: int = 0


@dataclass(frozen=True)
class Step:
    """A training step: forward, backward, SGD with momentum 0.9."""

    kind: ClassVar = "step"
    name: str
    batch: int
    input_shape: tuple[int, int, int]
    layers: tuple[Layer, ...]

    @property
    def flops(self) -> int:
        """Of the convolutions and dense layers: forward, dw, and dx but for the first."""
        total, passes = 0, 2
        for layer, shape, after in self.trace():
            if layer.kind in ("conv", "dense"):
                taps = layer.window**2 * shape[-1] if layer.kind == "conv" else shape[-1]
                total += passes * 2 * self.batch * product(after) * taps
                passes = 3
        return total

    def trace(self) -> list[tuple[Layer, tuple[int, ...], tuple[int, ...]]]:
        """Every layer with the shape of one example before and after it."""
        steps, shape = [], tuple(self.input_shape)
        for layer in self.layers:
            after = shape
            if layer.kind == "conv":
                after = (*(outputs(size, layer.window, 1, layer.padding) for size in shape[:-1]), layer.units)
            elif layer.kind in ("max_pool", "avg_pool"):
                after = (*(outputs(size, layer.window, layer.window, 0) for size in shape[:-1]), shape[-1])
            elif layer.kind == "flatten":
                after = (product(shape),)
            elif layer.kind == "dense":
                after = (layer.units,)
            steps.append((layer, shape, after))
            shape = after
        return steps


@dataclass(frozen=True)
class Product:
    """A square matrix product, the machine's practical limit."""

    kind: ClassVar = "product"
    name: str = "matrix product"
    size: int = 2048

    @property
    def flops(self) -> int:
        """Two for every multiply-add."""
        return 2 * self.size**3


@dataclass(frozen=True)
class Maximum:
    """The greater of two vectors, entry by entry, in place of the first: the practical speed of the memory.

    Both are far larger than the caches. In place, since fresh memory would cost its page faults; a maximum, since done again it
    gives the same.
    """

    kind: ClassVar = "maximum"
    name: str = "maximum of two vectors"
    size: int = 1 << 24

    @property
    def flops(self) -> int:
        """One comparison for every entry."""
        return self.size

    @property
    def traffic(self) -> int:
        """Bytes that must move: both vectors in, one out."""
        return 3 * BYTES * self.size


Case = Convolution | Pooling | Step | Product | Maximum


def outputs(size: int, window: int, stride: int, padding: int) -> int:
    """Positions of a window along one axis."""
    return (size + 2 * padding - window) // stride + 1


def product(sizes: tuple[int, ...]) -> int:
    """Number of entries of an array of this shape."""
    total = 1
    for size in sizes:
        total *= size
    return total


def to_json(case: Case) -> dict[str, Any]:
    """The case as plain values."""
    return {"kind": case.kind, **dataclasses.asdict(case)}


def from_json(values: dict[str, Any]) -> Case:
    """The case that `to_json` wrote."""
    types: dict[str, type[Case]] = {
        "conv": Convolution,
        "pool": Pooling,
        "step": Step,
        "product": Product,
        "maximum": Maximum,
    }
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    kind = types[fields.pop("kind")]
    if "layers" in fields:
        fields["layers"] = tuple(Layer(*layer) for layer in fields["layers"])
    return kind(**fields)
