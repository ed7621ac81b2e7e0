"""The fully connected layer, and the flattening before it."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from jax import Array

from jcnn import arguments, geometry
from jcnn.dense import dense, dense_backward, flatten, flatten_backward
from jcnn.layers.base import EVALUATION, Context, Layer, Parameters, Shape
from jcnn.layers.initial import normal_weights, weights_and_bias

__all__ = ["Dense", "Flatten"]


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """Each example as one vector."""

    window: ClassVar[None] = None

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(geometry.example_shape("shape", shape)),)

    def multiply_adds(self, shape: Shape) -> int:
        return 0

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return flatten(x), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, Parameters]:
        return flatten_backward(dy, saved), {}


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """A fully connected layer of `units` outputs; on a map, the same one at every pixel."""

    units: int
    bias: bool = True
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self._keep(units=geometry.integer("units", self.units, 1), bias=arguments.flag("bias", self.bias))

    def output_shape(self, shape: Shape) -> Shape:
        return (*geometry.example_shape("shape", shape)[:-1], self.units)

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        sizes = (shape[-1], self.units)
        w = normal_weights(key, sizes, fan_in=shape[-1], fan_out=self.units, gain=gain, dtype=dtype)
        return weights_and_bias(w, bias=self.bias)

    def multiply_adds(self, shape: Shape) -> int:
        return math.prod(shape) * self.units

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return dense(x, params["w"], params.get("b")), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, dict[str, Array]]:
        dx, dw, db = dense_backward(dy, saved, params["w"])
        return dx, {"w": dw, "b": db} if self.bias else {"w": dw}
