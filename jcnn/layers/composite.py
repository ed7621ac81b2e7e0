"""Layers that are made of layers: one after the other, side by side, around a shortcut."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jcnn import geometry, random_keys
from jcnn.geometry import GeometryError
from jcnn.layers.base import EVALUATION, Context, Layer, Network, NetworkError, Parameters, Saved, Shape, State
from jcnn.precision import rounded_once

__all__ = ["Gate", "Parallel", "Residual"]

Join = Literal["sum", "concat"]


@dataclass(frozen=True, repr=False)
class Serial(Layer):
    """Layers in turn: what a tuple of layers is taken for. Its parameters are a tuple of theirs."""

    layers: tuple[Layer, ...]

    def __repr__(self) -> str:
        return repr(self.layers)

    @property
    def paths(self) -> "tuple[Layer | Network, ...]":
        return (self.layers,)

    def steps(self, shape: Shape) -> Iterator[tuple[Layer, Shape]]:
        """Every layer, and the shape of its input."""
        for layer in self.layers:
            yield layer, shape
            shape = layer.output_shape(shape)

    def output_shape(self, shape: Shape) -> Shape:
        for layer in self.layers:
            shape = layer.output_shape(shape)
        return shape

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> Parameters:
        """Every layer's own, each from a key of its own, and for the activation that comes next."""
        steps = list(self.steps(shape))
        return tuple(
            layer.init(jax.random.fold_in(key, number), seen, _gain_of_next(steps[number:], gain), dtype)
            for number, (layer, seen) in enumerate(steps, 1)
        )

    def init_state(self, shape: Shape, dtype: Any) -> State:
        return tuple(layer.init_state(seen, dtype) for layer, seen in self.steps(shape))

    def adapt(self, state: State, x: np.ndarray) -> State:
        """The first one's, which alone sees x itself."""
        first, *others = state
        return (self.layers[0].adapt(first, x), *others)

    def next_state(self, saved: Saved, state: State) -> State:
        return tuple(next_state_of(*each) for each in zip(self.layers, saved, state, strict=True))

    def multiply_adds(self, shape: Shape) -> int | None:
        return _sum_if_known(layer.multiply_adds(seen) for layer, seen in self.steps(shape))

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Saved]:
        saved = []
        for index, (layer, own) in enumerate(zip(self.layers, params, strict=True)):
            x, left = forward_of(layer, own, x, context.inside(index + 1, index))
            saved.append(left)
        return x, tuple(saved)

    def backward(self, params: Parameters, saved: Saved, dy: Array) -> tuple[Array, Parameters]:
        """The chain rule, from the last layer to the first."""
        gradients = []
        for layer, own, left in zip(reversed(self.layers), reversed(params), reversed(saved), strict=True):
            dy, gradient = backward_of(layer, own, left, dy)
            gradients.append(gradient)
        return dy, tuple(reversed(gradients))


@dataclass(frozen=True, repr=False)
class Residual(Layer):
    """body(x) + shortcut(x), the shortcut being x itself where none is given.

    Its parameters are those of its parts: `{"body": …}`, and `"shortcut"` if there is one.

    Source: He et al. 2016, "Deep residual learning for image recognition".
    """

    body: "Layer | Network"
    shortcut: "Layer | Network | None" = None

    def __post_init__(self) -> None:
        self._keep(body=_checked_part("body", self.body))
        if self.shortcut is not None:
            self._keep(shortcut=_checked_part("shortcut", self.shortcut))

    @property
    def branches(self) -> "Mapping[str, Layer | Network]":
        return {"body": self.body} if self.shortcut is None else {"body": self.body, "shortcut": self.shortcut}

    @property
    def paths(self) -> "tuple[Layer | Network, ...]":
        return (self.body, () if self.shortcut is None else self.shortcut)

    def output_shape(self, shape: Shape) -> Shape:
        body = as_layer(self.body).output_shape(shape)
        beside = shape if self.shortcut is None else as_layer(self.shortcut).output_shape(shape)
        if body != beside:
            what, fix = ("the shortcut gives", "") if self.shortcut else ("the input is", "; a shortcut can change its shape")
            raise GeometryError(f"the body gives {body}, {what} {beside}: expected one shape, to be added{fix}")
        return body

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> Parameters:
        return {
            name: as_layer(part).init(jax.random.fold_in(key, number), shape, gain, dtype)
            for number, (name, part) in enumerate(self.branches.items(), 1)
        }

    def init_state(self, shape: Shape, dtype: Any) -> State:
        return {name: as_layer(part).init_state(shape, dtype) for name, part in self.branches.items()}

    def next_state(self, saved: Saved, state: State) -> State:
        return {name: next_state_of(as_layer(part), saved[name], state[name]) for name, part in self.branches.items()}

    def multiply_adds(self, shape: Shape) -> int | None:
        return _sum_if_known(as_layer(part).multiply_adds(shape) for part in self.branches.values())

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Saved]:
        outputs, saved = _forward_each(self.branches, params, x, context)
        beside = outputs.get("shortcut", x)
        return rounded_once(jnp.add, outputs["body"], beside), saved

    def backward(self, params: Parameters, saved: Saved, dy: Array) -> tuple[Array, Parameters]:
        """The output gradient goes whole into both summands; what comes back is added."""
        inputs, gradients = _backward_each(self.branches, params, saved, dict.fromkeys(self.branches, dy))
        return rounded_once(jnp.add, inputs["body"], inputs.get("shortcut", dy)), gradients


@dataclass(frozen=True, repr=False)
class Gate(Layer):
    """x · body(x): the body says how much of x passes, of every channel as a whole or of every value.

    Its parameters are `{"body": …}`. A body of global pooling, two fully connected layers and a sigmoid makes it squeeze and
    excitation (`squeeze_excitation`).

    Source: Hu, Shen & Sun 2018, "Squeeze-and-excitation networks".
    """

    body: "Layer | Network"

    def __post_init__(self) -> None:
        self._keep(body=_checked_part("body", self.body))

    @property
    def branches(self) -> "Mapping[str, Layer | Network]":
        return {"body": self.body}

    @property
    def paths(self) -> "tuple[Layer | Network, ...]":
        return (self.body, ())

    @property
    def transparent(self) -> bool:
        return True

    def output_shape(self, shape: Shape) -> Shape:
        gate = as_layer(self.body).output_shape(shape)
        if gate not in (shape, shape[-1:]):
            raise GeometryError(f"the body gives {gate}: expected {shape[-1:]}, one factor a channel of the input, or {shape}")
        return shape

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> Parameters:
        return {"body": as_layer(self.body).init(jax.random.fold_in(key, 1), shape, None, dtype)}

    def init_state(self, shape: Shape, dtype: Any) -> State:
        return {"body": as_layer(self.body).init_state(shape, dtype)}

    def next_state(self, saved: "Gated", state: State) -> State:
        return {"body": next_state_of(as_layer(self.body), saved.body, state["body"])}

    def multiply_adds(self, shape: Shape) -> int | None:
        """Those of the body, and one a value."""
        return _sum_if_known((as_layer(self.body).multiply_adds(shape), math.prod(shape)))

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, "Gated"]:
        outputs, saved = _forward_each(self.branches, params, x, context)
        return x * _over_pixels(outputs["body"], x), Gated(x, outputs["body"], saved["body"])

    def backward(self, params: Parameters, saved: "Gated", dy: Array) -> tuple[Array, Parameters]:
        """By the product rule, with dgate = dy · x, of a channel's factor summed over its pixels:

        dx = dy · gate + what comes back through the body
        """

        def by_gate(dy: Array, x: Array) -> Array:
            pixels = tuple(range(1, 1 + x.ndim - saved.gate.ndim))
            return (dy * x).sum(pixels)

        through, gradients = backward_of(as_layer(self.body), params["body"], saved.body, rounded_once(by_gate, dy, saved.x))
        dx = rounded_once(lambda dy, gate, through: dy * _over_pixels(gate, dy) + through, dy, saved.gate, through)
        return dx, {"body": gradients}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gated:
    """What `Gate` leaves for its backward pass: its input, what its body made of that, and what the body left."""

    x: Array
    gate: Array
    body: Saved


@dataclass(frozen=True, repr=False, init=False)
class Parallel(Layer):
    """Several layers that see the same input; their outputs are added, or stand side by side as channels.

    Its parameters are a tuple of theirs.

    Source: Szegedy et al. 2015, "Going deeper with convolutions", for `join="concat"`.
    """

    parts: "tuple[Layer | Network, ...]"
    join: Join = "concat"

    def __init__(self, *branches: "Layer | Network", join: Join = "concat") -> None:
        if not branches:
            raise NetworkError("Parallel(): expected at least one branch, a layer or a tuple of layers")
        parts = tuple(_checked_part(f"branch {number}", branch) for number, branch in enumerate(branches, 1))
        self._keep(parts=parts, join=geometry.choice("join", join, get_args(Join)))

    def __repr__(self) -> str:
        join = "" if self.join == "concat" else f", join={self.join!r}"
        return f"{self.name}({', '.join(map(repr, self.parts))}{join})"

    @property
    def branches(self) -> "Mapping[int, Layer | Network]":
        return dict(enumerate(self.parts))

    def output_shape(self, shape: Shape) -> Shape:
        shapes = [as_layer(part).output_shape(shape) for part in self.parts]
        compared = set(shapes) if self.join == "sum" else {given[:-1] for given in shapes}
        if len(compared) > 1:
            expected = "one shape, to be added" if self.join == "sum" else "shapes that differ in their channels only"
            raise GeometryError(f"the branches give {', '.join(map(str, shapes))}: expected {expected}")
        return shapes[0] if self.join == "sum" else (*shapes[0][:-1], sum(given[-1] for given in shapes))

    def init(self, key: Array, shape: Shape, gain: float | None, dtype: Any) -> Parameters:
        return tuple(
            as_layer(part).init(jax.random.fold_in(key, number), shape, gain, dtype)
            for number, part in enumerate(self.parts, 1)
        )

    def init_state(self, shape: Shape, dtype: Any) -> State:
        return tuple(as_layer(part).init_state(shape, dtype) for part in self.parts)

    def next_state(self, saved: "Joined", state: State) -> State:
        parts = enumerate(self.parts)
        return tuple(next_state_of(as_layer(part), saved.branches[number], state[number]) for number, part in parts)

    def multiply_adds(self, shape: Shape) -> int | None:
        return _sum_if_known(as_layer(part).multiply_adds(shape) for part in self.parts)

    def forward(self, params: Parameters, x: Array, context: Context = EVALUATION) -> tuple[Array, Saved]:
        outputs, saved = _forward_each(self.branches, params, x, context)
        ends = tuple(accumulate(output.shape[-1] for output in outputs.values()))
        if self.join == "sum":
            return rounded_once(_total, *outputs.values()), Joined(saved, ends)
        return jnp.concatenate(list(outputs.values()), -1), Joined(saved, ends)

    def backward(self, params: Parameters, saved: "Joined", dy: Array) -> tuple[Array, Parameters]:
        """Every branch gets the gradient of its output, all of dy or its channels; what comes back is added."""
        pieces = [dy] * len(self.parts) if self.join == "sum" else jnp.split(dy, saved.ends[:-1], -1)
        inputs, gradients = _backward_each(self.branches, params, saved.branches, dict(enumerate(pieces)))
        return rounded_once(_total, *inputs.values()), tuple(gradients.values())


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Joined:
    """What `Parallel` leaves for its backward pass.

    Attributes:
        branches: what every branch left.
        ends: where the channels of every branch end among all of them.
    """

    branches: dict[int, Saved]
    ends: tuple[int, ...] = field(metadata={"static": True})


def as_layer(part: "Layer | Network") -> Layer:
    """A layer as it is, a tuple of layers as one."""
    return part if isinstance(part, Layer) else Serial(tuple(map(as_layer, part)))


def checked(what: str, part: Any) -> Layer:
    """`part` as a layer.

    Args:
        what: its name in the message, such as layer 3.1.
        part: a layer, or a tuple of layers and of such tuples.

    Raises:
        NetworkError: it is, or has in it, something else, or nests too deep.
    """
    if isinstance(part, Layer):
        return part
    if what.count(".") >= geometry.DEEPEST:
        raise NetworkError(f"{what.partition('.')[0]}: tuples nest more than {geometry.DEEPEST} deep")
    if isinstance(part, tuple | list) and part:
        return Serial(tuple(checked(f"{what}.{number}", inner) for number, inner in enumerate(part, 1)))
    hint = f"; write {part.__name__}(…)" if isinstance(part, type) else ""
    raise NetworkError(
        f"{what} is {geometry.shown(part)}: expected a layer description such as Conv(8, 3), or a tuple of them{hint}"
    )


def parts_of(layer: Layer) -> dict[Any, Layer]:
    """The layers directly inside of one, by the name under which it keeps their parameters."""
    if isinstance(layer, Serial):
        return dict(enumerate(layer.layers))
    return {name: as_layer(part) for name, part in layer.branches.items()}


def walk(layer: Layer, params: Any, inside: str = "") -> Iterator[tuple[str, Layer, Any]]:
    """Every layer in a layer and what is in it, tuples aside: its place, such as 3.1, itself, its parameters."""
    for number, (name, part) in enumerate(parts_of(layer).items(), 1):
        place = f"{inside}{number}"
        if not isinstance(part, Serial):
            yield place, part, params[name]
        yield from walk(part, params[name], f"{place}.")


def parameters(layer: Layer, shape: Shape) -> Any:
    """What a layer's parameters are for an input of this shape: its pytree, with shapes for arrays."""
    try:
        hash(layer)
    except TypeError:  # a field that is known only while the program runs
        return _parameters(layer, shape)
    return _remembered_parameters(layer, shape) if all_ours(layer) else _parameters(layer, shape)


def states(layer: Layer, shape: Shape, dtype: Any) -> State:
    """What a layer keeps beside its parameters, for an input of this shape and dtype: its pytree, with shapes for arrays."""
    if type(layer).init_state is Layer.init_state:
        return {}
    try:
        hash(layer)
    except TypeError:  # a field that is known only while the program runs
        return _states(layer, shape, dtype)
    return _remembered_states(layer, shape, dtype) if all_ours(layer) else _states(layer, shape, dtype)


def keeps(layer: Layer) -> bool:
    """Whether a layer says of itself, and not of its parts, that it keeps something, however much."""
    return not parts_of(layer) and type(layer).init_state is not Layer.init_state


def layers_in(layer: Layer) -> Iterator[Layer]:
    """A layer and all in it, from the outside in."""
    yield layer
    for part in parts_of(layer).values():
        yield from layers_in(part)


def adapts(layer: Layer) -> bool:
    """Whether a network of this layer looks at images before it starts."""
    while isinstance(layer, Serial):
        layer = layer.layers[0]
    return type(layer).adapt is not Layer.adapt


def all_ours(layer: Layer) -> bool:
    """Whether a layer and all in it are of this package, where layers that compare equal are equal in all they do."""
    return _is_ours(layer) and all(map(all_ours, parts_of(layer).values()))


def _parameters(layer: Layer, shape: Shape) -> Any:
    return jax.eval_shape(lambda: layer.init(random_keys.key(0), shape, None, jnp.dtype(jnp.float32)))


_remembered_parameters = lru_cache(maxsize=4096)(_parameters)


def _states(layer: Layer, shape: Shape, dtype: Any) -> State:
    return jax.eval_shape(lambda: layer.init_state(shape, jnp.dtype(dtype)))


_remembered_states = lru_cache(maxsize=4096)(_states)


def _is_ours(layer: Layer) -> bool:
    return type(layer).__module__.startswith(f"{__package__}.")


def _checked_pair(what: str, layer: Layer, given: Any, expected: str) -> str:
    """What gave a pair, in words for the errors to come; refuses anything else."""
    whose = f"{what} of {geometry.shown(layer)}"
    if not isinstance(given, tuple) or len(given) != 2:
        raise NetworkError(f"{whose} gave {geometry.shown(given)}: expected {expected}")
    return whose


def forward_of(layer: Layer, params: Parameters, x: Array, context: Context) -> tuple[Array, Saved]:
    """`layer.forward`, held against what the layer says of itself where it is somebody else's.

    Raises:
        NetworkError: it gives no pair, or an output of another shape or dtype.
    """
    given = layer.forward(params, x, context)
    if _is_ours(layer):
        return given
    whose = _checked_pair("forward", layer, given, "(y, saved), the output and what backward needs")
    found = (getattr(given[0], "shape", None), getattr(given[0], "dtype", None))
    expected = ((x.shape[0], *layer.output_shape(x.shape[1:])), x.dtype)
    if found != expected:
        shape, dtype = found
        raise NetworkError(
            f"{whose} gave y of shape {shape} and {dtype}: expected {expected[0]}, as its output_shape says, and {expected[1]}"
        )
    return given


def backward_of(layer: Layer, params: Parameters, saved: Saved, dy: Array) -> tuple[Array, Parameters]:
    """`layer.backward`, its gradients held against the parameters where the layer is somebody else's.

    Raises:
        NetworkError: it gives no pair, or gradients that are none of these parameters.
    """
    given = layer.backward(params, saved, dy)
    if _is_ours(layer):
        return given
    whose = _checked_pair("backward", layer, given, "(dx, gradients)")
    found, expected = jax.tree.structure(given[1]), jax.tree.structure(params)
    if found != expected:
        raise NetworkError(f"{whose} gave gradients {found}: expected {expected}, the structure of its parameters")
    for gradient, parameter in zip(jax.tree.leaves(given[1]), jax.tree.leaves(params), strict=True):
        if (jnp.shape(gradient), jnp.result_type(gradient)) != (parameter.shape, parameter.dtype):
            raise NetworkError(
                f"{whose} gave a gradient of shape {jnp.shape(gradient)} and {jnp.result_type(gradient)}: "
                f"expected {parameter.shape} and {parameter.dtype}, as its parameter has"
            )
    return given


def next_state_of(layer: Layer, saved: Saved, state: State) -> State:
    """`layer.next_state`, held against the state before where the layer is somebody else's; where there is none, as it is.

    Raises:
        NetworkError: it gives no such state.
    """
    if not jax.tree.leaves(state):
        return state
    given = layer.next_state(saved, state)
    if _is_ours(layer):
        return given
    whose = f"next_state of {geometry.shown(layer)}"
    found, expected = jax.tree.structure(given), jax.tree.structure(state)
    if found != expected:
        raise NetworkError(f"{whose} gave {found}: expected {expected}, the structure of the state before")
    for after, before in zip(jax.tree.leaves(given), jax.tree.leaves(state), strict=True):
        if (jnp.shape(after), jnp.result_type(after)) != (before.shape, before.dtype):
            raise NetworkError(
                f"{whose} gave an array of shape {jnp.shape(after)} and {jnp.result_type(after)}: "
                f"expected {before.shape} and {before.dtype}, as before"
            )
    return given


def _gain_of_next(following: Sequence[tuple[Layer, Shape]], otherwise: float | None) -> float | None:
    """The gain of the first activation before the next layer that learns; where neither is, what follows all of them."""
    for layer, shape in following:
        met, gain = _meets(layer, shape)
        if met:
            return gain
    return otherwise


def _meets(layer: Layer, shape: Shape) -> tuple[bool, float | None]:
    """Whether a signal meets an activation or weights in this layer, and the gain of the activation if that comes first."""
    if layer.gain is not None:
        return True, layer.gain
    if layer.transparent:
        return False, None
    inner = layer.steps(shape) if isinstance(layer, Serial) else ((as_layer(part), shape) for part in layer.branches.values())
    for part, seen in inner:
        met, gain = _meets(part, seen)
        if met:
            return met, gain
    return bool(jax.tree.leaves(parameters(layer, shape))), None


def _checked_part(name: str, part: Any) -> "Layer | Network":
    """`part`, lists made tuples, so that the whole can be hashed."""
    return _as_given(checked(name, part))


def _as_given(layer: Layer) -> "Layer | Network":
    return tuple(map(_as_given, layer.layers)) if isinstance(layer, Serial) else layer


def _forward_each(
    branches: "Mapping[Any, Layer | Network]", params: Any, x: Array, context: Context
) -> tuple[dict[Any, Array], dict[Any, Saved]]:
    """What every branch makes of x, and what it leaves."""
    outputs, saved = {}, {}
    for number, (name, part) in enumerate(branches.items(), 1):
        outputs[name], saved[name] = forward_of(as_layer(part), params[name], x, context.inside(number, name))
    return outputs, saved


def _backward_each(
    branches: "Mapping[Any, Layer | Network]", params: Any, saved: Mapping[Any, Saved], dy: Mapping[Any, Array]
) -> tuple[dict[Any, Array], dict[Any, Parameters]]:
    """Every branch's gradient by x, and by its parameters."""
    inputs, gradients = {}, {}
    for name, part in branches.items():
        inputs[name], gradients[name] = backward_of(as_layer(part), params[name], saved[name], dy[name])
    return inputs, gradients


def _over_pixels(gate: Array, x: Array) -> Array:
    """A factor for every value of x, where there may be one a channel."""
    return gate.reshape(gate.shape[0], *(1,) * (x.ndim - gate.ndim), *gate.shape[1:])


def _sum_if_known(counts: Iterable[int | None]) -> int | None:
    """The sum; None if one of them is not known."""
    counts = list(counts)
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _total(*arrays: Array) -> Array:
    """The sum, from the left."""
    total, *others = arrays
    for array in others:
        total = total + array
    return total
