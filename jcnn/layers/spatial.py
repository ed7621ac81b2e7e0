"""Layers that look at neighbouring pixels: convolution and its transpose, pooling and its contrary."""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

import jax
import jax.numpy as jnp
from jax import Array

from jcnn import arguments, geometry
from jcnn.conv.operation import Formulation, conv, conv_gradients
from jcnn.conv.plan import Plan, plan
from jcnn.conv.transpose import conv_transpose, conv_transpose_backward
from jcnn.geometry import GeometryError, Padding, Rounding, Walk
from jcnn.layers.base import EVALUATION, Context, Layer, Parameters, Shape, Sizes
from jcnn.layers.initial import normal_weights, weights_and_bias
from jcnn.pool import (
    avg_pool,
    avg_pool_backward,
    global_avg_pool,
    global_avg_pool_backward,
    global_max_pool,
    global_max_pool_backward,
    max_pool,
    max_pool_backward,
    parse_pool,
)
from jcnn.upsample import Method, upsample, upsample_backward
from jcnn.window import parse_window

__all__ = [
    "AvgPool",
    "Conv",
    "ConvTranspose",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "IdentityConv",
    "MaxPool",
    "PadChannels",
    "UpSample",
]


def _spatial(shape: Shape) -> Shape:
    return geometry.example_shape("shape", shape, (1, 2, 3))[:-1]


def _walk(layer: Any) -> dict[str, Any]:
    """The checked fields of a layer with a window."""
    if layer.window is None:
        raise GeometryError("window=None: expected an int or one per spatial axis")
    fields = ("window", "stride", "padding", "dilation", "rounding")
    walk = geometry.checked_walk(Walk(layer.name, **{field: getattr(layer, field) for field in fields}))
    return {field: getattr(walk, field) for field in fields}


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
        filters, groups = geometry.integer("filters", self.filters, 1), geometry.integer("groups", self.groups, 1)
        self._keep(filters=filters, groups=groups, bias=arguments.flag("bias", self.bias), **_walk(self))
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

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        *window, channels, _ = sizes = self._filter_shape(shape)
        fan_in = math.prod(window) * channels
        fan_out = math.prod(window) * self.filters // self.groups
        w = normal_weights(key, sizes, fan_in=fan_in, fan_out=fan_out, gain=gain, dtype=dtype)
        return weights_and_bias(w, bias=self.bias)

    def plan(self, shape: Shape, dtype: Any = jnp.float32) -> Plan:
        x, w = (jax.ShapeDtypeStruct(sizes, dtype) for sizes in ((1, *shape), self._filter_shape(shape)))
        return plan(x, w, **self._options())

    def multiply_adds(self, shape: Shape) -> int:
        window = geometry.per_axis("window", self.window, len(shape) - 1)
        return geometry.conv_multiply_adds(self.output_shape(shape)[:-1], window, shape[-1], self.filters, groups=self.groups)

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, "Convolved"]:
        ops = context.ops
        y = conv(x, params["w"], params.get("b"), **self._options(), formulation=ops.formulation, gradient=ops.gradient)
        return y, Convolved(x, ops.formulation)

    def backward(self, params: Parameters, saved: "Convolved", dy: Array) -> tuple[Array, dict[str, Array]]:
        dx, dw, db = conv_gradients(dy, saved.x, params["w"], **self._options(), formulation=saved.formulation)
        return dx, {"w": dw, "b": db} if self.bias else {"w": dw}

    def _filter_shape(self, shape: Shape) -> Shape:
        window = geometry.per_axis("window", self.window, len(shape) - 1)
        return (*window, shape[-1] // self.groups, self.filters)

    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups", "rounding")}


@dataclass(frozen=True, repr=False)
class IdentityConv(Conv):
    """A `Conv` whose first filters begin by passing on one input channel each, so that the signal is there from the start.

    Filter c of the first C_in is 1 at its middle pixel and channel c, 0 elsewhere; more filters than that are drawn. With
    groups that holds for each of them.

    Source: Zagoruyko & Komodakis 2017, "DiracNets"; Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.
    """

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        params = super().init(key, shape, gain, dtype)
        *window, channels, _ = self._filter_shape(shape)
        passing = min(channels, self.filters // self.groups)
        middle = tuple((size - 1) // 2 for size in window)
        w = params["w"].reshape(*window, channels, self.groups, -1)
        identity = jnp.eye(channels, passing, dtype=dtype)
        w = w.at[..., :passing].set(0).at[(*middle, slice(None), slice(None), slice(passing))].set(identity[:, None, :])
        return {**params, "w": w.reshape(params["w"].shape)}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Convolved:
    """What a convolution leaves for its backward pass: its input, and the formulation that it was asked for."""

    x: Array
    formulation: Formulation = field(metadata={"static": True})


@dataclass(frozen=True, repr=False)
class ConvTranspose(Layer):
    """A transposed convolution, which enlarges maps: `filters` outputs a position; arguments as `conv_transpose`.

    Its w is that of the convolution whose adjoint it is, (*F, filters // groups, C_in). The receptive field of
    what enlarges is not known here, so that `summary` shows ? from it on.

    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 4.
    """

    filters: int
    window: Sizes
    stride: Sizes = 1
    padding: Padding = 0
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True
    output_padding: Sizes = 0

    def __post_init__(self) -> None:
        if self.window is None:
            raise GeometryError("window=None: expected an int or one per spatial axis")
        walk = geometry.checked_walk(Walk(self.name, self.window, self.stride, self.padding, self.dilation))
        self._keep(
            filters=geometry.integer("filters", self.filters, 1),
            window=walk.window,
            stride=walk.stride,
            padding=walk.padding,
            dilation=walk.dilation,
            groups=geometry.integer("groups", self.groups, 1),
            bias=arguments.flag("bias", self.bias),
            output_padding=geometry.entries("output_padding", self.output_padding, 0),
        )
        if self.filters % self.groups:
            raise GeometryError(f"groups={self.groups}: expected a divisor of filters={self.filters}")

    @property
    def walk(self) -> None:
        """It enlarges, where a window's walk can only shrink."""
        return None

    def output_shape(self, shape: Shape) -> Shape:
        spatial = _spatial(shape)
        if shape[-1] % self.groups:
            raise GeometryError(f"groups={self.groups}: expected a divisor of the input's {shape[-1]} channels")
        axes = zip(
            spatial,
            geometry.per_axis("window", self.window, len(spatial)),
            geometry.per_axis("stride", self.stride, len(spatial)),
            geometry.padding_per_axis(self.padding, len(spatial)),
            geometry.per_axis("dilation", self.dilation, len(spatial)),
            geometry.per_axis("output_padding", self.output_padding, len(spatial), 0),
            strict=True,
        )
        sizes = (
            geometry.transposed_size(n, f, stride=s, padding=p, dilation=d, output_padding=more) for n, f, s, p, d, more in axes
        )
        return (*sizes, self.filters)

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        """As `Conv`; an output sums up the taps that meet an input, one in as many as the strides leave."""
        window = geometry.per_axis("window", self.window, len(shape) - 1)
        taps, apart = math.prod(window), math.prod(geometry.per_axis("stride", self.stride, len(shape) - 1))
        fan_in = max(taps * shape[-1] // (self.groups * apart), 1)
        fan_out = taps * self.filters // self.groups
        drawn = (*window, self.filters // self.groups, shape[-1])
        w = normal_weights(key, drawn, fan_in=fan_in, fan_out=fan_out, gain=gain, dtype=dtype)
        return {"w": w, "b": jnp.zeros((self.filters,), dtype)} if self.bias else {"w": w}

    def multiply_adds(self, shape: Shape) -> int:
        """As the convolution whose adjoint it is."""
        window = geometry.per_axis("window", self.window, len(shape) - 1)
        return geometry.conv_multiply_adds(shape[:-1], window, self.filters, shape[-1], groups=self.groups)

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        y = conv_transpose(x, params["w"], params.get("b"), **self._options(), output_padding=self.output_padding)
        return y, x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, dict[str, Array]]:
        dx, dw, db = conv_transpose_backward(dy, saved, params["w"], **self._options())
        return dx, {"w": dw, "b": db} if self.bias else {"w": dw}

    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups")}


@dataclass(frozen=True, repr=False)
class PadChannels(Layer):
    """Channels of zeros behind those of the input, so that there are `channels` in all: a shortcut without parameters.

    Source: He et al. 2016, "Deep residual learning for image recognition", section 3.3, option A.
    """

    channels: int
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self._keep(channels=geometry.integer("channels", self.channels, 1))

    def output_shape(self, shape: Shape) -> Shape:
        shape = geometry.example_shape("shape", shape)
        if shape[-1] > self.channels:
            raise GeometryError(f"channels={self.channels}: expected at least the {shape[-1]} of the input (shape {shape})")
        return (*shape[:-1], self.channels)

    def multiply_adds(self, shape: Shape) -> int:
        return 0

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return jnp.pad(x, [*[(0, 0)] * (x.ndim - 1), (0, self.channels - x.shape[-1])]), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, Parameters]:
        return dy[..., : saved.shape[-1]], {}


@dataclass(frozen=True, repr=False)
class UpSample(Layer):
    """Maps enlarged by a whole factor; arguments as `upsample`. As for `ConvTranspose`, `summary` shows ? from it on."""

    factor: Sizes
    method: Method = "nearest"

    def __post_init__(self) -> None:
        geometry.choice("method", self.method, get_args(Method))
        self._keep(factor=geometry.entries("factor", self.factor))

    def output_shape(self, shape: Shape) -> Shape:
        spatial = _spatial(shape)
        factors = geometry.per_axis("factor", self.factor, len(spatial))
        return (*(n * factor for n, factor in zip(spatial, factors, strict=True)), shape[-1])

    def multiply_adds(self, shape: Shape) -> int:
        """None for the nearest pixel; for the linear way one a value of what every axis in turn is enlarged to."""
        if self.method == "nearest":
            return 0
        factors = geometry.per_axis("factor", self.factor, len(shape) - 1)
        return sum(math.prod(shape) * math.prod(factors[: axis + 1]) for axis in range(len(factors)))

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return upsample(x, self.factor, method=self.method), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, Parameters]:
        return upsample_backward(dy, saved, self.factor, method=self.method), {}


@dataclass(frozen=True, repr=False)
class _Pool(Layer):
    window: Sizes
    stride: Sizes | None = None
    padding: Padding = 0
    dilation: Sizes = 1
    rounding: Rounding = "floor"

    def __post_init__(self) -> None:
        self._keep(**_walk(self))

    def output_shape(self, shape: Shape) -> Shape:
        spatial = _spatial(shape)
        window, _ = parse_pool(spatial, self.window, **self._geometry(), count_padding=self._counts_padding())
        return (*window.output_shape(spatial), shape[-1])

    def multiply_adds(self, shape: Shape) -> int:
        return 0

    def _counts_padding(self) -> bool:
        return False

    def _geometry(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "rounding")}


@dataclass(frozen=True, repr=False)
class MaxPool(_Pool):
    """Maximum pooling; arguments as `max_pool`."""

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return max_pool(x, self.window, **self._geometry(), gradient=context.ops.gradient), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, Parameters]:
        return max_pool_backward(dy, saved, self.window, **self._geometry()), {}


@dataclass(frozen=True, repr=False)
class AvgPool(_Pool):
    """Average pooling; arguments as `avg_pool`."""

    count_padding: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep(count_padding=arguments.flag("count_padding", self.count_padding))

    def _counts_padding(self) -> bool:
        return self.count_padding

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return avg_pool(x, self.window, **self._geometry(), count_padding=self.count_padding), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, Parameters]:
        return avg_pool_backward(dy, saved, self.window, **self._geometry(), count_padding=self.count_padding), {}


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(Layer):
    """The mean of each channel's map."""

    window: ClassVar[None] = None

    def output_shape(self, shape: Shape) -> Shape:
        _spatial(shape)
        return shape[-1:]

    def multiply_adds(self, shape: Shape) -> int:
        return 0

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return global_avg_pool(x), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, Parameters]:
        return global_avg_pool_backward(dy, saved), {}


@dataclass(frozen=True, repr=False)
class GlobalMaxPool(GlobalAvgPool):
    """The largest value of each channel's map."""

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return global_max_pool(x), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, Parameters]:
        return global_max_pool_backward(dy, saved), {}
