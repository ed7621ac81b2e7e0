"""Networks: a tuple of layers, the parameters a pytree beside it; initialised, applied, differentiated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jaxtyping import Float, Num

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.geometry import GeometryError
from jcnn.layers import DEFAULT, Context, Layer, Network, NetworkError, Ops, Shape
from jcnn.layers.base import State, checked_ops
from jcnn.layers.composite import (
    Serial,
    all_ours,
    as_layer,
    checked,
    forward_of,
    next_state_of,
    parameters,
    parts_of,
    states,
)
from jcnn.losses import check_labels, softmax_cross_entropy, softmax_cross_entropy_backward
from jcnn.programs import compiled
from jcnn.rules import naming_forward_mode

Params = tuple[Any, ...]
"""The parameters of a network: one pytree for each layer."""


class Trace(NamedTuple):
    """One layer of a network and the shapes, of one example, on both its sides.

    Attributes:
        number: its number in the tuple, or among the branches, where it stands.
        layer: itself; a `Serial` for a tuple of layers.
        input_shape: of its input.
        output_shape: of its output.
        place: the numbers of all that it stands in, and its own: 3.1.2.
        parameters: its parameters but for those of its parts, shapes for arrays.
        parts: the layers of a tuple, the branches of a layer that has some.
        state: what it keeps beside its parameters but for that of its parts, shapes for arrays.
    """

    number: int
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    place: str
    parameters: Any
    parts: tuple["Trace", ...] = ()
    state: Any = ()


def trace(network: Network, input_shape: Shape, dtype: Any = jnp.float32) -> tuple[Trace, ...]:
    """Follows the shape of one example, (*S, C), through the network.

    Args:
        network: a tuple of layers.
        input_shape: of one example, (*S, C), without the batch.
        dtype: of the numbers, on which the state's depends.

    Raises:
        NetworkError: a layer does not fit, with its place, its description and the sizes so far.
    """
    try:
        shape = geometry.example_shape("input_shape", input_shape)
    except GeometryError as error:
        raise NetworkError(str(error)) from None
    if not isinstance(network, tuple | list) or not network:
        raise NetworkError(geometry.wrong("network", network, "a tuple of at least one layer"))
    layers = [checked(f"layer {number}", layer) for number, layer in enumerate(network, 1)]
    return _in_turn(layers, shape, "", f"input_shape {input_shape}", jnp.dtype(dtype))


def outputs_in_turn(steps: Sequence[Trace]) -> Iterator[Trace]:
    """The layers whose outputs follow one another: tuples as what is in them, branches left to the layer that joins them."""
    for step in steps:
        if isinstance(step.layer, Serial):
            yield from outputs_in_turn(step.parts)
        else:
            yield step


def keeping(steps: Sequence[Trace]) -> Iterator[Trace]:
    """The layers, wherever they stand, that keep a state of their own."""
    for step in steps:
        if jax.tree.leaves(step.state):
            yield step
        yield from keeping(step.parts)


def drawing(steps: Sequence[Trace]) -> Iterator[Trace]:
    """The layers, wherever they stand, that draw random numbers in training."""
    for step in steps:
        if step.layer.draws:
            yield step
        yield from drawing(step.parts)


def _in_turn(layers: Sequence[Layer], shape: Shape, inside: str, sizes: str, dtype: Any) -> tuple[Trace, ...]:
    steps = []
    for number, layer in enumerate(layers, 1):
        step = _trace(layer, shape, number, f"{inside}{number}", sizes, dtype)
        steps.append(step)
        shape = step.output_shape
        sizes = f"{sizes} → {shape}"
    return tuple(steps)


def _trace(layer: Layer, shape: Shape, number: int, place: str, sizes: str, dtype: Any) -> Trace:
    """The trace of one layer; `sizes` says what the shapes have been on the way to it."""
    if isinstance(layer, Serial):
        parts = _in_turn(layer.layers, shape, f"{place}.", sizes, dtype)
        return Trace(number, layer, shape, parts[-1].output_shape, place, (), parts)
    branches = enumerate(parts_of(layer).values(), 1)
    parts = tuple(_trace(part, shape, inner, f"{place}.{inner}", sizes, dtype) for inner, part in branches)
    try:
        output = layer.output_shape(shape)
        geometry.countable("the output", output)
        own, kept = _own(layer, parameters(layer, shape)), states(layer, shape, dtype)
    except ValueError as error:
        described = geometry.shown(layer) if parts else repr(layer)
        raise NetworkError(
            f"layer {place}, {described}, does not fit its input {shape}: {error}; sizes so far: {sizes}"
        ) from None
    for name, part in zip(parts_of(layer), parts, strict=True):
        if (inside := next(keeping([part]), None)) and not _has(kept, name):
            raise NetworkError(
                f"layer {place}, {geometry.shown(layer)}, has in it layer {inside.place}, {inside.layer!r}, with a state: "
                f"expected it to define init_state(shape, dtype), with the state of its part under {name!r}, and next_state"
            )
    return Trace(number, layer, shape, output, place, own, parts, _own(layer, kept))


def _has(state: State, name: Any) -> bool:
    """Whether a state has a part of this name: a key, or a place in a sequence."""
    return name in (range(len(state)) if isinstance(state, tuple | list) else state)


def _own(layer: Layer, whole: Any) -> Any:
    """Of a layer's parameters, or its state, what is not its parts'."""
    parts = parts_of(layer)
    if isinstance(whole, Mapping):
        return {name: value for name, value in whole.items() if name not in parts}
    return () if parts else whole


def init(key: Array, network: Network, input_shape: Shape, dtype: Any = jnp.float32) -> Params:
    """Draws the parameters of a network.

    Every layer draws its own (`Layer.init`). In ours weights are normal with mean 0, biases 0. fan_in is the number of inputs
    that one output sums up, fan_out that of the outputs that one input reaches, and the variance is

        g² / fan_in                where an activation follows before other weights; g is its gain
        2 / (fan_in + fan_out)     where none does (Glorot's rule)

    The gain keeps the signal: inputs of mean square 1 become activations of mean square 1, E[f(g·z)²] = 1 for a standard normal
    z. So g² = 2 for relu (He's rule), 2 / (1 + slope²) for its leaky form, 1 for selu (LeCun's rule) and for maxout of two
    pieces, 2.16 for gelu, 1.63 for elu, 1.17 for softplus. tanh and sigmoid are below 1 everywhere: g² E[f(z)²] = 1 keeps the
    variance of what goes into them, with g² = 2.54 and 3.41. `jcnn.layers.gain` has the derivation.

    In front of branches it is what the first of them begins with that counts.

    Args:
        key: a JAX random key.
        network: a tuple of layers, in which tuples may stand for layers.
        input_shape: of one example, (*S, C), without the batch.
        dtype: of the parameters: float16, bfloat16, float32 or float64; the last is float32, and a warning, where JAX has no
            64 bits.

    Returns:
        A tuple of what each layer has: of ours a dict, `{"w": …, "b": …}` or empty, of a tuple again a tuple.

    Raises:
        NetworkError: the network does not fit the input.
        TypeError: another dtype, or no random key.

    Source: He et al. 2015, "Delving deep into rectifiers"; Glorot & Bengio 2010, "Understanding the difficulty of training deep
    feedforward neural networks"; Klambauer et al. 2017, "Self-normalizing neural networks".
    """
    key, dtype = arguments.random_key("key", key), arguments.dtype("dtype", dtype)
    shape = trace(network, input_shape)[0].input_shape
    return _program(_init, network)(key, _hashable(network), shape, dtype)


@compiled("network", "shape", "dtype", once=True)
def _init(key: Array, network: Network, shape: Shape, dtype: Any) -> Params:
    return as_layer(network).init(key, shape, None, dtype)


def init_state(network: Network, input_shape: Shape, dtype: Any = jnp.float32) -> tuple[State, ...]:
    """What the layers of a network keep beside their parameters, such as the running statistics of `BatchNorm`, at the start.

    No gradient changes it: `value_and_grad`, `backprop` and `apply_training` give back the state after their forward pass,
    and `apply` computes with it as it is.

    Args:
        network: a tuple of layers, in which tuples may stand for layers.
        input_shape: of one example, (*S, C), without the batch.
        dtype: of the parameters. Running statistics are kept in at least float32.

    Returns:
        A tuple of what each layer keeps, nested as the parameters are: {} for a layer that keeps nothing.

    Raises:
        NetworkError: the network does not fit the input.
        TypeError: another dtype.
    """
    dtype = arguments.dtype("dtype", dtype)
    steps = trace(network, input_shape, dtype)
    if next(keeping(steps), None) is None:
        return as_layer(network).init_state(steps[0].input_shape, dtype)
    return _program(_init_state, network)(_hashable(network), steps[0].input_shape, dtype)


# One program, where each array would be one otherwise.
@partial(jax.jit, static_argnums=(0, 1, 2))
def _init_state(network: Network, shape: Shape, dtype: Any) -> tuple[State, ...]:
    return as_layer(network).init_state(shape, dtype)


def adapt(network: Network, state: tuple[State, ...], x: AnyArray) -> tuple[State, ...]:
    """The state to start with, once the layers with which a network begins have seen some inputs: the filters of `Whiten`.

    Args:
        network: a tuple of layers.
        state: as `init_state` makes it.
        x: some training images, (N, *S, C), as the network will see them, in the dtype of its parameters.

    Returns:
        The state; the same where no layer looks at images.

    Raises:
        NetworkError: the network does not fit x, or the state does not fit the network.
        TypeError: x is traced: what layers take from it is computed beforehand.
    """
    if isinstance(x, Tracer):
        raise TypeError("x is traced by JAX: expected images that are known, before anything is compiled")
    with jax.ensure_compile_time_eval():
        x = arguments.numeric("x", x)
    arguments.not_empty("x", x)
    state = _matching_state(network, trace(network, x.shape[1:], x.dtype), state, x)
    return as_layer(network).adapt(state, np.asarray(x))


def apply(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n *s c"],
    *,
    ops: Ops = DEFAULT,
    state: State = None,
) -> Float[Array, "n classes"]:
    """The forward pass of a network that is asked, and does not learn: every layer in turn.

    Layers with running statistics take those, and nothing is dropped out.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        x: a batch, (N, *S, C), in the dtype of the parameters.
        ops: formulation and gradient of the operations.
        state: as `init_state` makes it, or as training left it; None: no layer keeps one.

    Returns:
        The last layer's output; logits for a classifier.

    Raises:
        NetworkError: the network does not fit x, or the parameters or the state do not fit the network; by layer.
        TypeError: dtypes that differ or are not listed, or no `Ops`.
    """
    call = _matching(network, params, x, ops, state)
    with naming_forward_mode(ops.gradient):
        return _program(_apply, network)(call.params, call.x, call.state, _hashable(network), ops)


@compiled("network", "ops")
def _apply(params: Params, x: Array, state: State, network: Network, ops: Ops) -> Array:
    y, _ = as_layer(network).forward(params, x, Context(ops, state=state))
    return y


def activations(
    network: Network, params: Params, x: Float[AnyArray, "n *s c"], *, ops: Ops = DEFAULT, state: State = None
) -> tuple[Array, ...]:
    """The outputs of the layers in order, as of `outputs_in_turn(trace(…))`; arguments as `apply`."""
    call = _matching(network, params, x, ops, state)
    with naming_forward_mode(ops.gradient):
        return _program(_activations, network)(call.params, call.x, call.state, _hashable(network), ops)


@compiled("network", "ops")
def _activations(params: Params, x: Array, state: State, network: Network, ops: Ops) -> tuple[Array, ...]:
    return tuple(_outputs(as_layer(network), params, x, Context(ops, state=state)))


def apply_training(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n *s c"],
    *,
    ops: Ops = DEFAULT,
    state: State = None,
    key: Array | None = None,
) -> tuple[Float[Array, "n classes"], State]:
    """The forward pass of a network that learns, for a loss of one's own: statistics of the batch, and what drops out is drawn.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        x: a batch, (N, *S, C), in the dtype of the parameters.
        ops: formulation and gradient of the operations.
        state: as `init_state` makes it, or as the step before left it; None: no layer keeps one.
        key: a JAX random key, another one for every step; None: no layer draws.

    Returns:
        (logits, state): the last layer's output, and the state for the next step.

    Raises:
        NetworkError: as `apply`; or there is no key, and a layer draws.
        TypeError: as `apply`.
    """
    call = _matching(network, params, x, ops, state, key, training=True)
    with naming_forward_mode(ops.gradient):
        return _program(_apply_training, network)(call.params, call.x, call.state, call.key, _hashable(network), ops)


@compiled("network", "ops")
def _apply_training(
    params: Params, x: Array, state: State, key: Array | None, network: Network, ops: Ops
) -> tuple[Array, State]:
    layer = as_layer(network)
    logits, saved = layer.forward(params, x, Context(ops, True, key, state))
    return logits, next_state_of(layer, saved, state)


def value_and_grad(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n *s c"],
    labels: Num[AnyArray, "..."],
    *,
    ops: Ops = DEFAULT,
    state: State = None,
    key: Array | None = None,
) -> tuple[Any, Params]:
    """The mean softmax cross-entropy over a batch and its gradient by every parameter, by `jax.grad`.

    Args:
        network: a tuple of layers, the last one's outputs the logits.
        params: as `init` makes them.
        x: a batch, (N, *S, C), in the dtype of the parameters.
        labels: class numbers (N,), or distributions (N, C).
        ops: formulation and gradient of the operations.
        state: as `init_state` makes it, or as the step before left it; None: no layer keeps one.
        key: a JAX random key, another one for every step; None: no layer draws.

    Returns:
        (loss, gradients), the gradients in the structure of the parameters; where a state is given ((loss, state), gradients)
        with the state for the next step.

    Raises:
        ValueError: as `apply_training` and `softmax_cross_entropy`.
        TypeError: as `apply_training` and `softmax_cross_entropy`.
    """
    call = _matching(network, params, x, ops, state, key, training=True)
    labels = check_labels(labels, call.output)
    with naming_forward_mode(ops.gradient):
        return _program(_value_and_grad, network)(call.params, call.x, labels, call.state, call.key, _hashable(network), ops)


@compiled("network", "ops")
def _value_and_grad(
    params: Params, x: Array, labels: Array, state: State, key: Array | None, network: Network, ops: Ops
) -> tuple[Any, Params]:
    layer = as_layer(network)

    def loss(params: Params) -> tuple[Array, State]:
        logits, saved = layer.forward(params, x, Context(ops, True, key, state))
        return softmax_cross_entropy(logits, labels).mean(), next_state_of(layer, saved, state)

    (value, after), gradients = jax.value_and_grad(loss, has_aux=True)(params)
    return value if state is None else (value, after), gradients


def backprop(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n *s c"],
    labels: Num[AnyArray, "..."],
    *,
    ops: Ops = DEFAULT,
    state: State = None,
    key: Array | None = None,
) -> tuple[Any, Params]:
    """The same as `value_and_grad`, by hand: no autodiff anywhere.

    With x₀ the batch, xᵢ = fᵢ(xᵢ₋₁, θᵢ) the layers' outputs and L the mean loss, the chain rule runs backwards:

        dx_last = (softmax(x_last) − labels) / N
        (dxᵢ₋₁, dθᵢ) = backward of fᵢ at (θᵢ, what its forward pass left, dxᵢ)

    Args:
        network: a tuple of layers, the last one's outputs the logits.
        params: as `init` makes them.
        x: a batch, (N, *S, C), in the dtype of the parameters.
        labels: class numbers (N,), or distributions (N, C).
        ops: formulation of the operations, on the way back as on the way forward; `jcnn.Ops("auto", "manual")` is fast. Its
            gradient says nothing of what is computed here, only how this function is differentiated again.
        state: as `init_state` makes it, or as the step before left it; None: no layer keeps one.
        key: a JAX random key, another one for every step; None: no layer draws.

    Returns:
        (loss, gradients), the gradients in the structure of the parameters; where a state is given ((loss, state), gradients)
        with the state for the next step.

    Raises:
        ValueError: as `apply_training` and `softmax_cross_entropy`.
        TypeError: as `apply_training` and `softmax_cross_entropy`.

    Source: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors".
    """
    call = _matching(network, params, x, ops, state, key, training=True)
    labels = check_labels(labels, call.output)
    return _program(_backprop, network)(call.params, call.x, labels, call.state, call.key, _hashable(network), ops)


@compiled("network", "ops")
def _backprop(
    params: Params, x: Array, labels: Array, state: State, key: Array | None, network: Network, ops: Ops
) -> tuple[Any, Params]:
    layer = as_layer(network)
    logits, saved = layer.forward(params, x, Context(ops, True, key, state))
    losses = softmax_cross_entropy(logits, labels)
    dy = softmax_cross_entropy_backward(jnp.full_like(losses, 1 / losses.size), logits, labels)
    _, gradients = layer.backward(params, saved, dy)
    value = losses.mean()
    return value if state is None else (value, next_state_of(layer, saved, state)), gradients


def _program(compiled: Callable[..., Any], network: Network) -> Callable[..., Any]:
    """What is `compiled` for a network, or its plain function where layers that compare equal might not do the same."""
    return compiled if all_ours(as_layer(network)) else getattr(compiled, "__wrapped__")  # noqa: B009


def _hashable(network: Network) -> Network:
    """The network with tuples for lists."""
    return tuple(part if isinstance(part, Layer) else _hashable(part) for part in network)


def _outputs(layer: Layer, params: Any, x: Array, context: Context) -> Iterator[Array]:
    """The outputs of the layers in turn, tuples as what is in them."""
    if not isinstance(layer, Serial):
        yield forward_of(layer, params, x, context)[0]
        return
    for index, (inner, own) in enumerate(zip(layer.layers, params, strict=True)):
        for y in _outputs(inner, own, x, context.inside(index + 1, index)):
            yield (x := y)


class _Call(NamedTuple):
    """The arguments of a pass through a network, checked, and what comes out."""

    params: Params
    x: Array
    output: jax.ShapeDtypeStruct
    state: State
    key: Array | None


def _matching(
    network: Network, params: Any, x: Any, ops: Any, state: Any = None, key: Any = None, *, training: bool = False
) -> _Call:
    """`params`, `x` and `state` as arrays, checked against the network, layer by layer, and what comes out."""
    checked_ops(ops)
    key = None if key is None else arguments.random_key("key", key)
    x = arguments.numeric("x", x)
    if x.ndim < 2:
        raise NetworkError(f"x has shape {x.shape}: expected a batch, (N, *S, C)")
    arguments.not_empty("x", x)
    try:
        steps = trace(network, x.shape[1:], x.dtype)
    except NetworkError as error:
        raise NetworkError(f"{error} (x has shape {x.shape})") from None
    if training and key is None and (step := next(drawing(steps), None)):
        raise NetworkError(
            f"key is None, and layer {step.place}, {step.layer!r}, draws random numbers in training: "
            f"give key=, a JAX random key, another one for every step, such as jax.random.fold_in(jax.random.key(0), step)"
        )
    if all_ours(as_layer(network)) and not any(drawing(steps)):
        key = None  # which nothing of ours looks at
    output = jax.ShapeDtypeStruct((x.shape[0], *steps[-1].output_shape), x.dtype)
    params = _matching_each("params", steps, params, x, "network")
    return _Call(params, x, output, _matching_state(network, steps, state, x), key)


def _matching_state(network: Network, steps: Sequence[Trace], given: Any, x: Array) -> State:
    """The state, of the structure, shapes and dtypes that the layers keep; None where there is none to keep."""
    if given is None:
        if step := next(keeping(steps), None):
            raise NetworkError(
                f"state is None, and layer {step.place}, {step.layer!r}, keeps {_names(step.state)} beside its parameters: "
                f"give state=, as jcnn.init_state(network, {x.shape[1:]}) makes it or training left it"
            )
        return None
    expected, structure = jax.tree_util.tree_flatten_with_path(states(as_layer(network), x.shape[1:], x.dtype))
    if not expected and not jax.tree.leaves(given):
        return given
    found, _ = jax.tree_util.tree_flatten_with_path(given)
    if jax.tree.structure(given) != structure:
        paths = [[jax.tree_util.keystr(path) for path, _ in leaves] for leaves in (found, expected)]
        differing = sorted(set(paths[0]) ^ set(paths[1]))
        what = f"{differing[0]} on one side only" if differing else f"{jax.tree.structure(given)} in place of {structure}"
        raise NetworkError(
            f"state does not fit the network, {what}: expected what jcnn.init_state(network, {x.shape[1:]}) makes, "
            f"one entry for each of {len(steps)} layers"
        )
    arrays = []
    for (path, described), (_, leaf) in zip(expected, found, strict=True):
        name = f"state{jax.tree_util.keystr(path)}"
        array = arguments.ordered(name, leaf)
        if (array.shape, array.dtype) != (described.shape, described.dtype):
            raise NetworkError(
                f"{name} is {array.dtype.name} of shape {array.shape}: expected {described.dtype.name} of {described.shape}, "
                f"as jcnn.init_state(network, {x.shape[1:]}, {x.dtype.name!r}) makes it"
            )
        arrays.append(array)
    return jax.tree.unflatten(structure, arrays)


def _matching_each(where: str, steps: Sequence[Trace], given: Any, x: Array, whose: str) -> tuple[Any, ...]:
    """The parameters of layers in turn."""
    if not isinstance(given, tuple | list) or len(given) != len(steps):
        has = f"has {len(given)} entries" if isinstance(given, tuple | list) else f"is a {type(given).__name__}"
        raise NetworkError(f"{where} {has}: expected {len(steps)}, one pytree per layer of {whose}, as init makes them")
    return tuple(_matching_one(f"{where}[{step.number - 1}]", step, own, x) for step, own in zip(steps, given, strict=True))


def _matching_one(where: str, step: Trace, given: Any, x: Array) -> Any:
    """The parameters of one layer, of the structure, shapes and dtype that it takes."""
    if isinstance(step.layer, Serial):
        return _matching_each(where, step.parts, given, x, f"layer {step.place}")
    names = list(parts_of(step.layer))
    if names and not isinstance(step.parameters, Mapping):
        return _matching_each(where, step.parts, given, x, f"layer {step.place}")
    inner: dict[Any, Any] = {}
    if names:
        missing = [name for name in names if not isinstance(given, Mapping) or name not in given]
        if missing:
            has = f"has {', '.join(map(str, given)) or 'none'}" if isinstance(given, Mapping) else f"is {geometry.shown(given)}"
            takes = f"layer {step.place}, {geometry.shown(step.layer)}, takes {', '.join(map(str, names))}"
            raise NetworkError(f"{where} {has}: {takes}, as init makes them")
        inner = {
            name: _matching_one(f"{where}[{name!r}]", part, given[name], x)
            for name, part in zip(names, step.parts, strict=True)
        }
        given = {name: value for name, value in given.items() if name not in inner}
    own = _matching_own(where, step, given, x)
    return {**own, **inner} if names else own


def _matching_own(where: str, step: Trace, given: Any, x: Array) -> Any:
    """As `_matching_one`, of what a layer learns itself."""

    def whose() -> str:
        takes = f"takes {_names(step.parameters)} for its input {step.input_shape}"
        return f"layer {step.place}, {geometry.shown(step.layer)}, {takes}, x being of shape {x.shape}"

    expected, structure = jax.tree_util.tree_flatten_with_path(step.parameters)
    leaves, found = jax.tree.flatten(given)
    if found != structure and isinstance(given, Mapping):
        # Mappings that JAX does not know are taken as dicts.
        leaves, found = jax.tree.flatten(dict(given))
    if found != structure:
        has = f"has {_names(dict(given))}" if isinstance(given, Mapping) else f"is {geometry.shown(given)}"
        raise NetworkError(f"{where} {has}: {whose()}")
    arrays = []
    for (path, described), leaf in zip(expected, leaves, strict=True):
        name = f"{where}{jax.tree_util.keystr(path)}"
        array = arguments.numeric(name, leaf)
        if array.shape != described.shape:
            raise NetworkError(f"{name} has shape {array.shape}: expected {described.shape}; {whose()}")
        arguments.same_dtype(x=x, **{name: array})
        arrays.append(array)
    return jax.tree.unflatten(structure, arrays)


def _names(params: Any) -> str:
    """The names of parameters in a pytree, such as b, w, or inner/scale."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return ", ".join(jax.tree_util.keystr(path, simple=True, separator="/") or "an array" for path, _ in leaves) or "none"
