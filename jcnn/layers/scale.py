"""Multiplication by a number that is not learned."""

import math
from dataclasses import dataclass
from typing import ClassVar

from jax import Array

from jcnn import arguments
from jcnn.layers.base import EVALUATION, Context, Layer, Parameters, Shape
from jcnn.precision import rounded_once

__all__ = ["Scale"]


@dataclass(frozen=True, repr=False)
class Scale(Layer):
    """factor · x, such as logits that are to begin small."""

    factor: float
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self._keep(factor=arguments.number("factor", self.factor))

    def multiply_adds(self, shape: Shape) -> int:
        return math.prod(shape)

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, None]:
        return self._scaled(x), None

    def backward(self, params: Parameters, saved: None, dy: Array) -> tuple[Array, Parameters]:
        return self._scaled(dy), {}

    def _scaled(self, x: Array) -> Array:
        return rounded_once(lambda x: self.factor * x, x)
