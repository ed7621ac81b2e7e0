"""Layer descriptions: small frozen values that say what a layer is; parameters live in a pytree beside them.

Every layer answers five questions, shapes always of one example, (*S, C) or (C,):

    output_shape(shape)        what it makes of such an input
    parameter_shapes(shape)    name → shape of what it learns
    multiply_adds(shape)       its cost for one example
    apply(params, x, ops)      the forward pass over a batch
    backward(params, dy, x)    its gradients, by hand
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from jax import Array

from jcnn.conv.operation import Formulation
from jcnn.geometry import choice, example_shape, wrong
from jcnn.rules import Gradient

Shape = tuple[int, ...]
Sizes = int | tuple[int, ...]


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
