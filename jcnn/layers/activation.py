"""Activation functions as layers, each with the formula by which it is graded."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from jax import Array

from jcnn import activations, arguments, geometry
from jcnn.geometry import GeometryError
from jcnn.layers.base import EVALUATION, Context, Layer, Parameters, Shape
from jcnn.layers.formula import (
    SELU_ALPHA,
    SELU_SCALE,
    Formula,
    elu,
    elu_slope,
    normal_cdf,
    normal_density,
    sigma,
)
from jcnn.layers.gain import keeping_gain, keeping_gain_of_maximum

__all__ = ["Elu", "Gelu", "LeakyRelu", "Maxout", "Relu", "Selu", "Sigmoid", "Softplus", "Tanh"]


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """The base of the activations, which work on every pixel alone.

    Attributes:
        function: the activation.
        derivative: its backward.
        formula: both as textbooks write them, by which they are graded; None: they are not, or by a row of their own.
    """

    function: ClassVar[Callable[..., Array]]
    derivative: ClassVar[Callable[..., Array]]
    formula: ClassVar[Formula | None] = None

    window: ClassVar[int] = 1

    @property
    def gain(self) -> float:
        return _gain(self)

    def multiply_adds(self, shape: Shape) -> int:
        return 0

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Array]:
        return type(self).function(x, *dataclasses.astuple(self)), x

    def backward(self, params: Parameters, saved: Array, dy: Array) -> tuple[Array, Parameters]:
        return type(self).derivative(dy, saved, *dataclasses.astuple(self)), {}


@dataclass(frozen=True, repr=False)
class Relu(Activation):
    """max(x, 0)."""

    function: ClassVar[Callable[..., Array]] = staticmethod(activations.relu)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.relu_backward)
    formula: ClassVar[Formula | None] = Formula(
        lambda x: np.maximum(x, 0.0), lambda x: (x > 0) * 1.0, lambda: 1.0, straight=True
    )

    @property
    def gain(self) -> float:
        return math.sqrt(2)


@dataclass(frozen=True, repr=False)
class LeakyRelu(Activation):
    """x where positive, slope · x elsewhere."""

    slope: float = 0.01
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.leaky_relu)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.leaky_relu_backward)
    formula: ClassVar[Formula | None] = Formula(
        lambda x, slope=0.01: np.where(x > 0, x, slope * x),
        lambda x, slope=0.01: np.where(x > 0, 1.0, slope),
        lambda **_: 1.0,
        straight=True,
        parameters={
            "another parameter": {"slope": 0.2},
            "a slope above 1": {"slope": 1.5},
            "a negative slope": {"slope": -0.75},
        },
    )

    def __post_init__(self) -> None:
        self._keep(slope=arguments.number("slope", self.slope))

    @property
    def gain(self) -> float:
        return math.sqrt(2 / (1 + self.slope**2))


@dataclass(frozen=True, repr=False)
class Elu(Activation):
    """x where positive, α(eˣ − 1) elsewhere."""

    alpha: float = 1.0
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.elu)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.elu_backward)
    formula: ClassVar[Formula | None] = Formula(
        elu,
        elu_slope,
        lambda **_: 1.0,
        parameters={"another parameter": {"alpha": 0.5}, "an alpha above 1": {"alpha": 2.5}},
    )

    def __post_init__(self) -> None:
        self._keep(alpha=arguments.number("alpha", self.alpha))


@dataclass(frozen=True, repr=False)
class Selu(Activation):
    """The self-normalising elu."""

    function: ClassVar[Callable[..., Array]] = staticmethod(activations.selu)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.selu_backward)
    formula: ClassVar[Formula | None] = Formula(
        lambda x: SELU_SCALE * elu(x, SELU_ALPHA),
        lambda x: SELU_SCALE * elu_slope(x, SELU_ALPHA),
        lambda: SELU_SCALE,
    )


@dataclass(frozen=True, repr=False)
class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    function: ClassVar[Callable[..., Array]] = staticmethod(activations.sigmoid)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.sigmoid_backward)
    formula: ClassVar[Formula | None] = Formula(sigma, lambda x: sigma(x) * sigma(-x))


@dataclass(frozen=True, repr=False)
class Tanh(Activation):
    """The hyperbolic tangent."""

    function: ClassVar[Callable[..., Array]] = staticmethod(activations.tanh)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.tanh_backward)
    formula: ClassVar[Formula | None] = Formula(np.tanh, lambda x: 4 * sigma(2 * x) * sigma(-2 * x))


@dataclass(frozen=True, repr=False)
class Gelu(Activation):
    """x · Φ(x)."""

    function: ClassVar[Callable[..., Array]] = staticmethod(activations.gelu)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.gelu_backward)
    formula: ClassVar[Formula | None] = Formula(lambda x: x * normal_cdf(x), lambda x: normal_cdf(x) + x * normal_density(x))


@dataclass(frozen=True, repr=False)
class Softplus(Activation):
    """log(1 + eˣ)."""

    function: ClassVar[Callable[..., Array]] = staticmethod(activations.softplus)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.softplus_backward)
    formula: ClassVar[Formula | None] = Formula(lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), sigma)


@dataclass(frozen=True, repr=False)
class Maxout(Activation):
    """The largest of each `pieces` neighbouring channels."""

    pieces: int
    function: ClassVar[Callable[..., Array]] = staticmethod(activations.maxout)
    derivative: ClassVar[Callable[..., Array]] = staticmethod(activations.maxout_backward)

    def __post_init__(self) -> None:
        self._keep(pieces=geometry.integer("pieces", self.pieces, 1))

    @property
    def gain(self) -> float:
        return keeping_gain_of_maximum(self.pieces)

    def output_shape(self, shape: Shape) -> Shape:
        shape = geometry.example_shape("shape", shape)
        if shape[-1] % self.pieces:
            raise GeometryError(f"pieces={self.pieces}: expected a divisor of the input's {shape[-1]} channels (shape {shape})")
        return (*shape[:-1], shape[-1] // self.pieces)


@cache
def _gain(layer: Activation) -> float:
    return keeping_gain(lambda x: layer.forward({}, x)[0])
