"""Layer descriptions: small frozen values that say what a layer is; parameters live in a pytree beside them.

Every layer answers these questions, shapes always of one example, (*S, C) or (C,):

    output_shape(shape)              what it makes of such an input
    parameter_shapes(shape)          name → shape of what it learns
    fans(shape)                      name → (fan_in, fan_out) of its weights, None for what begins at zero
    draw(key, shape, gain, dtype)    its first parameters, by default from its fans
    gain                             for an activation, how much weights before it are to enlarge the signal
    multiply_adds(shape)             its cost for one example
    apply(params, x, ops)            the forward pass over a batch
    backward(params, dy, x)          its gradients, by hand
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import jax
import jax.numpy as jnp
from jax import Array

from jcnn.conv.operation import Formulation
from jcnn.geometry import choice, example_shape, wrong
from jcnn.rules import Gradient

Shape = tuple[int, ...]
Sizes = int | tuple[int, ...]
Fans = tuple[int, int]
"""How many inputs one output sums up, and how many outputs one input reaches."""


@dataclass(frozen=True)
class Ops:
    """How a network computes its operations: the formulation of its convolutions, and where gradients come from."""

    formulation: Formulation = "lax"
    gradient: Gradient = "autodiff"

    def __post_init__(self) -> None:
        choice("formulation", self.formulation, get_args(Formulation))
        choice("gradient", self.gradient, get_args(Gradient))


DEFAULT = Ops()


def checked_ops(ops: Any) -> Ops:
    """`ops`, if that is what it is.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(ops, Ops):
        raise TypeError(wrong("ops", ops, "a jcnn.Ops, such as jcnn.DEFAULT"))
    return ops


@dataclass(frozen=True, repr=False)
class Layer:
    """A layer without parameters that keeps the shape of its input; the base of all others."""

    @property
    def name(self) -> str:
        """The layer's kind, as in its description."""
        return type(self).__name__

    def _keep(self, **checked: Any) -> None:
        """Writes what `__post_init__` has checked, such as tuples for lists, so that every layer can be hashed."""
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """The description as one would write it, defaults left out."""
        fields = dataclasses.fields(self)
        shown = [
            repr(value) if field.default is dataclasses.MISSING else f"{field.name}={value!r}"
            for field in fields
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{self.name}({', '.join(shown)})"

    def _parameters(self, params: Any) -> Mapping[str, Array]:
        """`params`, if it has weights.

        Raises:
            TypeError: it has none.
        """
        if not isinstance(params, Mapping) or "w" not in params:
            raise TypeError(wrong("params", params, f"a dict with 'w', as init makes it for {self!r}"))
        return params

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of the layer's output for an input of this shape."""
        return example_shape("shape", shape)

    def parameter_shapes(self, shape: Shape) -> dict[str, Shape]:
        """The shape of each of the layer's parameters, by name."""
        return {}

    def fans(self, shape: Shape) -> dict[str, Fans | None]:
        """(fan_in, fan_out) of each of the layer's weights, by name; None for a parameter that begins at zero, as a bias."""
        return {}

    @property
    def gain(self) -> float | None:
        """For an activation: how much weights that feed it are to enlarge the signal, to keep it; see `init`."""
        return None

    def draw(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> dict[str, Array]:
        """The layer's first parameters.

        Weights are normal with mean 0 and variance gain² / fan_in, or where no activation follows 2 / (fan_in + fan_out).

        Args:
            key: a JAX random key, of this layer alone.
            shape: of one example of its input.
            gain: of the activation that follows; None if there is none.
            dtype: of the parameters.

        Raises:
            TypeError: a parameter that `fans` does not know.
        """
        fans, drawn = self.fans(shape), {}
        for number, (name, size) in enumerate(self.parameter_shapes(shape).items()):
            if name not in fans:
                raise TypeError(
                    f"{self!r} does not say how its parameter {name!r} of shape {size} is to be drawn: expected {name!r} in "
                    f"its fans(shape), as (fan_in, fan_out), or as None if it begins at zero; or a draw(…) of its own"
                )
            if (of_weight := fans[name]) is None:
                drawn[name] = jnp.zeros(size, dtype)
                continue
            fan_in, fan_out = of_weight
            scale = math.sqrt(2 / (fan_in + fan_out)) if gain is None else gain / math.sqrt(fan_in)
            own = jax.random.fold_in(key, number) if number else key
            # Held, or a compiler would join the factor with those inside, and round otherwise.
            drawn[name] = jax.lax.optimization_barrier(jax.random.normal(own, size, dtype)) * jnp.asarray(scale, dtype)
        return drawn

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds for one example; 0 for what only compares or adds."""
        return 0

    def apply(self, params: Mapping[str, Array], x: Array, ops: Ops = DEFAULT) -> Array:
        """The forward pass over a batch."""
        raise TypeError(f"{self!r} has no forward pass: expected one of those in jcnn.layers")

    def backward(self, params: Mapping[str, Array], dy: Array, x: Array) -> tuple[Array, dict[str, Array]]:
        """By hand, from the output gradient and the input that `apply` saw: the gradients by input and parameters."""
        raise TypeError(f"{self!r} has no backward pass: expected one of those in jcnn.layers")


Network = Sequence[Layer]
