"""The fully connected layer, and the flattening before it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jax import Array

from jcnn import arguments, geometry
from jcnn.dense import dense, dense_backward, flatten, flatten_backward
from jcnn.layers.base import DEFAULT, Fans, Layer, Ops, Shape


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """Each example as one vector."""

    window: ClassVar[None] = None

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(geometry.example_shape("shape", shape)),)

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        return flatten(x)

    def backward(self, params: Mapping[str, Array], dy: Array, x: Array) -> tuple[Array, dict[str, Array]]:
        return flatten_backward(dy, x), {}


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """A fully connected layer of `units` outputs; on a map, the same one at every pixel."""

    units: int
    bias: bool = True

    def __post_init__(self) -> None:
        self._keep(units=geometry.integer("units", self.units, 1), bias=arguments.flag("bias", self.bias))

    def output_shape(self, shape: Shape) -> Shape:
        return (*geometry.example_shape("shape", shape)[:-1], self.units)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"w": (shape[-1], self.units)}
        return {**shapes, "b": (self.units,)} if self.bias else shapes

    def fans(self, shape: Shape) -> dict[str, Fans | None]:
        return {"w": (shape[-1], self.units), "b": None}

    def multiply_adds(self, shape: Shape) -> int:
        return math.prod(shape) * self.units

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        params = self._parameters(params)
        return dense(x, params["w"], params.get("b"))

    def backward(self, params: Mapping[str, Array], dy: Array, x: Array) -> tuple[Array, dict[str, Array]]:
        dx, dw, db = dense_backward(dy, x, self._parameters(params)["w"])
        return dx, {"w": dw, "b": db} if self.bias else {"w": dw}
