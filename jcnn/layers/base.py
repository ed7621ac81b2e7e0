"""Layer descriptions: small frozen values that say what a layer is; parameters live in a pytree beside them.

Every layer answers these questions, shapes always of one example, (*S, C) or (C,):

    output_shape(shape)              what it makes of such an input
    init(key, shape, gain, dtype)    its first parameters, any pytree of arrays
    init_state(shape, dtype)         what it keeps beside them, such as running statistics, as a run begins
    adapt(state, x)                  the same once it has seen some inputs, where it hangs on them
    next_state(saved, state)         the same after a forward pass in training, by what that pass left
    draws                            whether it draws random numbers in training, and so needs a key
    multiply_adds(shape)             its cost for one example, if it says
    walk                             the window that it moves, if it says: by attributes window, stride, padding, dilation
    gain                             for an activation, how much weights before it are to enlarge the signal
    transparent                      whether weights before it are drawn for what comes behind it
    branches                         for a layer that is made of others, those that see its input
    forward(params, x, context)      (y, saved): the output over a batch, and what the way back needs
    backward(params, saved, dy)      (dx, gradients): by hand, the gradients by input and parameters
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jcnn import arguments
from jcnn.conv.plan import Plan
from jcnn.conv.ways import Formulation
from jcnn.geometry import Walk, choice, example_shape, wrong
from jcnn.rules import Gradient

Shape = tuple[int, ...]
Sizes = int | tuple[int, ...]
Parameters = Any
"""The parameters of a layer: any pytree of arrays."""
Saved = Any
"""What a layer's forward pass leaves for its backward pass: any pytree."""
State = Any
"""What a layer keeps beside its parameters and no gradient changes, such as running statistics: any pytree of arrays."""


class NetworkError(ValueError):
    """A network that does not fit its input; the message names the layer and the sizes so far."""


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


@dataclass(frozen=True)
class Context:
    """How a forward pass runs.

    Attributes:
        ops: formulation and gradient of the operations.
        training: whether the network learns, or is only asked.
        key: a random key for layers that draw; None: there is none.
        state: what layers keep beside their parameters, nested as the parameters are; None: nothing.
    """

    ops: Ops = DEFAULT
    training: bool = False
    key: Array | None = None
    state: Any = None

    def __post_init__(self) -> None:
        checked_ops(self.ops)
        arguments.flag("training", self.training)
        if self.key is not None:
            arguments.random_key("key", self.key)

    def inside(self, number: int, name: Any) -> "Context":
        """The context of one layer inside another: a key of its own, and its part of the state.

        Args:
            number: the inner layer's number, from 1.
            name: where its parameters and its state are found in those of the whole.
        """
        key = None if self.key is None else jax.random.fold_in(self.key, number)
        # A layer around layers without a state need not say how they nest.
        state = self.state[name] if jax.tree.leaves(self.state) else None
        return dataclasses.replace(self, key=key, state=state)


EVALUATION = Context()
"""Nothing but the default operations."""


@dataclass(frozen=True, repr=False)
class Layer:
    """A layer without parameters that keeps the shape of its input; the base of all others.

    A layer says what window it moves by the attributes (or fields) `window`, `stride`, `padding`, `dilation` and `rounding`, as
    `jcnn.geometry.Walk` has them: `window` is 1 where it works on every pixel alone, None where it sees the whole map.
    """

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
        fields = sorted(dataclasses.fields(self), key=lambda field: bool(field.kw_only))
        shown = [
            repr(value) if field.default is dataclasses.MISSING else f"{field.name}={value!r}"
            for field in fields
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{self.name}({', '.join(shown)})"

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of the layer's output for an input of this shape."""
        return example_shape("shape", shape)

    @property
    def gain(self) -> float | None:
        """For an activation: how much weights that feed it are to enlarge the signal, to keep it; see `jcnn.init`."""
        return None

    @property
    def transparent(self) -> bool:
        """Whether weights in front of it are drawn for the activation behind it, though it learns: as of a normalisation."""
        return False

    @property
    def branches(self) -> "Mapping[Any, Layer | Network]":
        """For a layer that is made of others: those that see its input, by the name under which it keeps their parameters.

        What is inside is then counted, named in errors and shown layer by layer. A layer may as well keep it to itself.
        """
        return {}

    @property
    def paths(self) -> "tuple[Layer | Network, ...]":
        """The ways from a layer's input to its output, for the receptive field; () for a layer that is not made of others."""
        return tuple(self.branches.values())

    @property
    def walk(self) -> Walk | None:
        """The window that the layer moves, for the receptive field; None: it has no `window`, and so does not say."""
        if not hasattr(self, "window"):
            return None
        return Walk(self.name, **{field: getattr(self, field) for field in Walk._fields[1:] if hasattr(self, field)})

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> Parameters:
        """The layer's first parameters; none, unless a layer has some.

        Args:
            key: a JAX random key, of this layer alone.
            shape: of one example of its input.
            gain: of the activation that follows; None if there is none. `jcnn.layers.initial.normal_weights` knows both rules.
            dtype: of the parameters.

        Returns:
            Any pytree of arrays.
        """
        return {}

    def init_state(self, shape: Shape, dtype: Any) -> State:
        """What the layer keeps beside its parameters, as a run begins; nothing, unless a layer keeps something.

        A layer that is made of others says what these keep, nested as their parameters are.

        Args:
            shape: of one example of its input.
            dtype: of the parameters and the input. Statistics are better kept in at least float32.

        Returns:
            Any pytree of arrays.
        """
        return {}

    def next_state(self, saved: Saved, state: State) -> State:
        """What the layer keeps after a forward pass in training.

        Args:
            saved: what the forward pass left.
            state: what the layer kept before.

        Returns:
            The new state, of the same structure, shapes and dtypes. It is asked for only where there is one.
        """
        raise TypeError(f"{self!r} has a state and no way on: expected it to define next_state(saved, state) -> state")

    def adapt(self, state: State, x: np.ndarray) -> State:
        """The state to start with, once the layer has seen some inputs, where what it keeps hangs on them.

        Args:
            state: as `init_state` makes it.
            x: some inputs. Only layers with which a network begins are shown any, the network's own.

        Returns:
            The state, of the same structure, shapes and dtypes.
        """
        return state

    @property
    def draws(self) -> bool:
        """Whether the forward pass in training needs `context.key`, to draw random numbers; of this layer without its parts."""
        return False

    def plan(self, shape: Shape, dtype: Any = jnp.float32) -> Plan | None:
        """For a convolution: the way that each of its passes takes by `formulation="auto"`, as `jcnn.plan` says; else None."""
        return None

    def multiply_adds(self, shape: Shape) -> int | None:
        """Multiply-adds for one example, those of its branches among them; None: the layer does not say.

        What only compares or adds has 0.
        """
        return None

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Saved]:
        """The forward pass over a batch.

        Args:
            params: as `init` makes them.
            x: a batch of inputs.
            context: how it runs.

        Returns:
            (y, saved): the output, and whatever `backward` needs to know of this pass.
        """
        raise TypeError(f"{self!r} has no forward pass: expected it to define forward(params, x, context) -> (y, saved)")

    def backward(self, params: Parameters, saved: Saved, dy: Array) -> tuple[Array, Parameters]:
        """The backward pass, by hand.

        Args:
            params: as the forward pass saw them.
            saved: what it left.
            dy: the output gradient.

        Returns:
            (dx, gradients): the gradients by the input, and by the parameters in their structure.
        """
        raise TypeError(f"{self!r} has no backward pass: expected it to define backward(params, saved, dy) -> (dx, gradients)")


Network: TypeAlias = "Sequence[Layer | Network]"
"""Layers in turn; a tuple of layers is itself a layer."""
