"""Dropout as a layer."""

from dataclasses import dataclass
from typing import ClassVar

from jax import Array

from jcnn import arguments, geometry
from jcnn.dropout import dropout, dropout_backward
from jcnn.geometry import GeometryError, wrong
from jcnn.layers.base import EVALUATION, Context, Layer, NetworkError, Parameters, Shape

__all__ = ["Dropout"]


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Values dropped at random in training, the others enlarged, as `dropout`; in evaluation nothing happens.

    What is dropped is decided by the key that the pass is given, and by the layer's place in the network.

    Attributes:
        rate: the probability of a value to be dropped, from 0 to below 1.
        spatial: whole maps are kept or dropped.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    rate: float
    spatial: bool = False
    window: ClassVar[int] = 1

    def __post_init__(self) -> None:
        rate = arguments.number("rate", self.rate)
        if not 0 <= rate < 1:
            raise ValueError(wrong("rate", self.rate, "the probability of a value to become 0, from 0 to below 1"))
        self._keep(rate=rate, spatial=arguments.flag("spatial", self.spatial))

    @property
    def draws(self) -> bool:
        return self.rate > 0

    def output_shape(self, shape: Shape) -> Shape:
        shape = geometry.example_shape("shape", shape)
        if self.spatial and len(shape) == 1:
            raise GeometryError(f"spatial=True: expected maps to drop, (*S, C), and the input is {shape}")
        return shape

    def multiply_adds(self, shape: Shape) -> int:
        return 0

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array | None]:
        if not (context.training and self.draws):
            return x, None
        if context.key is None:
            raise NetworkError(f"{self!r} trains without a key: expected a JAX random key in context.key")
        return dropout(x, context.key, rate=self.rate, spatial=self.spatial), context.key

    def backward(self, params: Parameters, saved: Array | None, dy: Array) -> tuple[Array, Parameters]:
        if saved is None:
            return dy, {}
        # Of what the forward pass saw only shape and dtype matter, which dy has too.
        return dropout_backward(dy, dy, saved, rate=self.rate, spatial=self.spatial), {}
