"""Layer descriptions: small frozen values that say what a layer is; parameters live in a pytree beside them.

Every layer answers four questions, shapes always of one example, (*S, C) or (C,):

    output_shape(shape)        what it makes of such an input
    parameter_shapes(shape)    name → shape of what it learns
    multiply_adds(shape)       its cost for one example
    apply(params, x, ops)      the forward pass over a batch
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from jax import Array

from jcnn import activations, geometry
from jcnn.conv import conv
from jcnn.conv.operation import Formulation
from jcnn.dense import dense, flatten
from jcnn.geometry import GeometryError, Padding, Rounding
from jcnn.pool import avg_pool, global_avg_pool, global_max_pool, max_pool, parse_pool
from jcnn.rules import Gradient
from jcnn.window import parse_window

Shape = tuple[int, ...]
Sizes = int | tuple[int, ...]


class Ops(NamedTuple):
    """How a network computes its operations: the formulation of its convolutions, and where gradients come from."""

    formulation: Formulation = "lax"
    gradient: Gradient = "autodiff"


DEFAULT = Ops()


@dataclass(frozen=True, repr=False)
class Layer:
    """A layer without parameters that keeps the shape of its input; the base of all others."""

    @property
    def name(self) -> str:
        """The layer's kind, as in its description."""
        return type(self).__name__

    def __repr__(self) -> str:
        """The description as one would write it, defaults left out."""
        fields = dataclasses.fields(self)
        shown = [
            repr(value) if field.default is dataclasses.MISSING else f"{field.name}={value!r}"
            for field in fields
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{self.name}({', '.join(shown)})"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of the layer's output for an input of this shape."""
        return shape

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """The shape of each of the layer's parameters, by name."""
        return {}

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds for one example; 0 for what only compares or adds."""
        return 0

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        """The forward pass over a batch."""
        raise TypeError(f"{self!r} has no forward pass: expected one of the layers of jcnn.layers")


def _spatial(shape: Shape) -> Shape:
    if not 2 <= len(shape) <= 4:
        raise ValueError(f"input of shape {shape}: expected (*S, C) with 1 to 3 spatial axes")
    return shape[:-1]


@dataclass(frozen=True, repr=False)
class Conv(Layer):
    """A convolutional layer: `filters` outputs a position; arguments as `conv`."""

    filters: int
    window: Sizes
    stride: Sizes = 1
    padding: Padding = 0
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True
    rounding: Rounding = "floor"

    def __post_init__(self) -> None:
        geometry.integer("filters", self.filters, 1)
        geometry.integer("groups", self.groups, 1)
        if self.filters % self.groups:
            raise GeometryError(f"groups={self.groups}: expected a divisor of filters={self.filters}")

    def output_shape(self, shape: Shape) -> Shape:
        spatial = _spatial(shape)
        if shape[-1] % self.groups:
            raise GeometryError(f"groups={self.groups}: expected a divisor of the input's {shape[-1]} channels")
        window = parse_window(
            spatial, self.window, stride=self.stride, padding=self.padding, dilation=self.dilation, rounding=self.rounding
        )
        return (*window.output_shape(spatial), self.filters)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        window = geometry.per_axis("window", self.window, len(shape) - 1)
        shapes = {"w": (*window, shape[-1] // self.groups, self.filters)}
        return {**shapes, "b": (self.filters,)} if self.bias else shapes

    def multiply_adds(self, shape: Shape) -> int:
        window = geometry.per_axis("window", self.window, len(shape) - 1)
        return geometry.conv_multiply_adds(self.output_shape(shape)[:-1], window, shape[-1], self.filters, groups=self.groups)

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return conv(
            x,
            params["w"],
            params.get("b"),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            rounding=self.rounding,
            formulation=ops.formulation,
            gradient=ops.gradient,
        )


@dataclass(frozen=True, repr=False)
class _Pool(Layer):
    window: Sizes
    stride: Sizes | None = None
    padding: Padding = 0
    dilation: Sizes = 1
    rounding: Rounding = "floor"

    def output_shape(self, shape: Shape) -> Shape:
        spatial = _spatial(shape)
        window, _ = parse_pool(spatial, self.window, **self._geometry(), count_padding=self._counts_padding())
        return (*window.output_shape(spatial), shape[-1])

    def _counts_padding(self) -> bool:
        return False

    def _geometry(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "rounding")}


@dataclass(frozen=True, repr=False)
class MaxPool(_Pool):
    """Maximum pooling; arguments as `max_pool`."""

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return max_pool(x, self.window, **self._geometry(), gradient=ops.gradient)


@dataclass(frozen=True, repr=False)
class AvgPool(_Pool):
    """Average pooling; arguments as `avg_pool`."""

    count_padding: bool = False

    def _counts_padding(self) -> bool:
        return self.count_padding

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return avg_pool(x, self.window, **self._geometry(), count_padding=self.count_padding)


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(Layer):
    """The mean of each channel's map."""

    window: ClassVar[None] = None

    def output_shape(self, shape: Shape) -> Shape:
        _spatial(shape)
        return shape[-1:]

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return global_avg_pool(x)


@dataclass(frozen=True, repr=False)
class GlobalMaxPool(GlobalAvgPool):
    """The largest value of each channel's map."""

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return global_max_pool(x)


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """Each example as one vector."""

    window: ClassVar[None] = None

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return flatten(x)


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """A fully connected layer of `units` outputs; on a map, the same one at every pixel."""

    units: int
    bias: bool = True

    def __post_init__(self) -> None:
        geometry.integer("units", self.units, 1)

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"w": (shape[-1], self.units)}
        return {**shapes, "b": (self.units,)} if self.bias else shapes

    def multiply_adds(self, shape: Shape) -> int:
        return math.prod(shape) * self.units

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return dense(x, params["w"], params.get("b"))


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """The base of the activations.

    Attributes:
        initialization: how weights that feed it are drawn; see `init`.
        function: the activation.
    """

    initialization: ClassVar[str] = "glorot"
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.tanh)

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return type(self).function(x, *dataclasses.astuple(self))


@dataclass(frozen=True, repr=False)
class Relu(Activation):
    """max(x, 0)."""

    initialization: ClassVar[str] = "he"
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.relu)


@dataclass(frozen=True, repr=False)
class LeakyRelu(Activation):
    """x where positive, slope · x elsewhere."""

    slope: float = 0.01
    initialization: ClassVar[str] = "he"
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.leaky_relu)


@dataclass(frozen=True, repr=False)
class Elu(Activation):
    """x where positive, α(eˣ − 1) elsewhere."""

    alpha: float = 1.0
    initialization: ClassVar[str] = "he"
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.elu)


@dataclass(frozen=True, repr=False)
class Selu(Activation):
    """The self-normalising elu."""

    initialization: ClassVar[str] = "lecun"
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.selu)


@dataclass(frozen=True, repr=False)
class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    function: ClassVar[Callable[..., Array]] = staticmethod(activations.sigmoid)


@dataclass(frozen=True, repr=False)
class Tanh(Activation):
    """The hyperbolic tangent."""


@dataclass(frozen=True, repr=False)
class Gelu(Activation):
    """x · Φ(x)."""

    initialization: ClassVar[str] = "he"
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.gelu)


@dataclass(frozen=True, repr=False)
class Softplus(Activation):
    """log(1 + eˣ)."""

    initialization: ClassVar[str] = "he"
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.softplus)


@dataclass(frozen=True, repr=False)
class Maxout(Activation):
    """The largest of each `pieces` neighbouring channels."""

    pieces: int
    initialization: ClassVar[str] = "he"
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.maxout)

    def output_shape(self, shape: Shape) -> Shape:
        if shape[-1] % geometry.integer("pieces", self.pieces, 1):
            raise GeometryError(f"pieces={self.pieces}: expected a divisor of the input's {shape[-1]} channels")
        return (*shape[:-1], shape[-1] // self.pieces)


Network = Sequence[Layer]
