"""Networks: a tuple of layers, the parameters a pytree beside it; initialised, applied, differentiated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Num

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.geometry import GeometryError
from jcnn.layers import DEFAULT, Context, Layer, Network, NetworkError, Ops, Shape
from jcnn.layers.base import checked_ops
from jcnn.layers.composite import Serial, all_ours, as_layer, checked, forward_of, parameters, parts_of
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
    """

    number: int
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    place: str
    parameters: Any
    parts: tuple["Trace", ...] = ()


def trace(network: Network, input_shape: Shape) -> tuple[Trace, ...]:
    """Follows the shape of one example, (*S, C), through the network.

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
    return _in_turn(layers, shape, "", f"input_shape {input_shape}")


def outputs_in_turn(steps: Sequence[Trace]) -> Iterator[Trace]:
    """The layers whose outputs follow one another: tuples as what is in them, branches left to the layer that joins them."""
    for step in steps:
        if isinstance(step.layer, Serial):
            yield from outputs_in_turn(step.parts)
        else:
            yield step


def _in_turn(layers: Sequence[Layer], shape: Shape, inside: str, sizes: str) -> tuple[Trace, ...]:
    steps = []
    for number, layer in enumerate(layers, 1):
        step = _trace(layer, shape, number, f"{inside}{number}", sizes)
        steps.append(step)
        shape = step.output_shape
        sizes = f"{sizes} → {shape}"
    return tuple(steps)


def _trace(layer: Layer, shape: Shape, number: int, place: str, sizes: str) -> Trace:
    """The trace of one layer; `sizes` says what the shapes have been on the way to it."""
    if isinstance(layer, Serial):
        parts = _in_turn(layer.layers, shape, f"{place}.", sizes)
        return Trace(number, layer, shape, parts[-1].output_shape, place, (), parts)
    branches = enumerate(parts_of(layer).values(), 1)
    parts = tuple(_trace(part, shape, inner, f"{place}.{inner}", sizes) for inner, part in branches)
    try:
        output = layer.output_shape(shape)
        geometry.countable("the output", output)
        own = _own(layer, parameters(layer, shape))
    except ValueError as error:
        described = geometry.shown(layer) if parts else repr(layer)
        raise NetworkError(
            f"layer {place}, {described}, does not fit its input {shape}: {error}; sizes so far: {sizes}"
        ) from None
    return Trace(number, layer, shape, output, place, own, parts)


def _own(layer: Layer, whole: Any) -> Any:
    """Of a layer's parameters those that are not its parts'."""
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


@compiled("network", "shape", "dtype")
def _init(key: Array, network: Network, shape: Shape, dtype: Any) -> Params:
    return as_layer(network).init(key, shape, None, dtype)


def apply(network: Network, params: Params, x: Float[AnyArray, "n *s c"], *, ops: Ops = DEFAULT) -> Float[Array, "n classes"]:
    """The forward pass: every layer in turn.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        x: a batch, (N, *S, C), in the dtype of the parameters.
        ops: formulation and gradient of the operations.

    Returns:
        The last layer's output; logits for a classifier.

    Raises:
        NetworkError: the network does not fit x, or the parameters do not fit the network; by layer.
        TypeError: dtypes that differ or are not listed, or no `Ops`.
    """
    params, x, _ = _matching(network, params, x, ops)
    with naming_forward_mode(ops.gradient):
        return _program(_apply, network)(params, x, _hashable(network), ops)


@compiled("network", "ops")
def _apply(params: Params, x: Array, network: Network, ops: Ops) -> Array:
    y, _ = as_layer(network).forward(params, x, Context(ops))
    return y


def activations(network: Network, params: Params, x: Float[AnyArray, "n *s c"], *, ops: Ops = DEFAULT) -> tuple[Array, ...]:
    """The outputs of the layers in order, as of `outputs_in_turn(trace(…))`; arguments as `apply`."""
    params, x, _ = _matching(network, params, x, ops)
    with naming_forward_mode(ops.gradient):
        return _program(_activations, network)(params, x, _hashable(network), ops)


@compiled("network", "ops")
def _activations(params: Params, x: Array, network: Network, ops: Ops) -> tuple[Array, ...]:
    return tuple(_outputs(as_layer(network), params, x, Context(ops)))


def value_and_grad(
    network: Network, params: Params, x: Float[AnyArray, "n *s c"], labels: Num[AnyArray, "..."], *, ops: Ops = DEFAULT
) -> tuple[Float[Array, ""], Params]:
    """The mean softmax cross-entropy over a batch and its gradient by every parameter, by `jax.grad`.

    Args:
        network: a tuple of layers, the last one's outputs the logits.
        params: as `init` makes them.
        x: a batch, (N, *S, C), in the dtype of the parameters.
        labels: class numbers (N,), or distributions (N, C).
        ops: formulation and gradient of the operations.

    Returns:
        (loss, gradients), the gradients in the structure of the parameters.

    Raises:
        ValueError: as `apply` and `softmax_cross_entropy`.
        TypeError: as `apply` and `softmax_cross_entropy`.
    """
    params, x, logits = _matching(network, params, x, ops)
    labels = check_labels(labels, logits)
    with naming_forward_mode(ops.gradient):
        return _program(_value_and_grad, network)(params, x, labels, _hashable(network), ops)


@compiled("network", "ops")
def _value_and_grad(params: Params, x: Array, labels: Array, network: Network, ops: Ops) -> tuple[Array, Params]:
    def loss(params: Params) -> Array:
        logits, _ = as_layer(network).forward(params, x, Context(ops, training=True))
        return softmax_cross_entropy(logits, labels).mean()

    return jax.value_and_grad(loss)(params)


def backprop(
    network: Network, params: Params, x: Float[AnyArray, "n *s c"], labels: Num[AnyArray, "..."], *, ops: Ops = DEFAULT
) -> tuple[Float[Array, ""], Params]:
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

    Returns:
        (loss, gradients), the gradients in the structure of the parameters.

    Raises:
        ValueError: as `apply` and `softmax_cross_entropy`.
        TypeError: as `apply` and `softmax_cross_entropy`.

    Source: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors".
    """
    params, x, logits = _matching(network, params, x, ops)
    return _program(_backprop, network)(params, x, check_labels(labels, logits), _hashable(network), ops)


@compiled("network", "ops")
def _backprop(params: Params, x: Array, labels: Array, network: Network, ops: Ops) -> tuple[Array, Params]:
    layer = as_layer(network)
    logits, saved = layer.forward(params, x, Context(ops, training=True))
    losses = softmax_cross_entropy(logits, labels)
    dy = softmax_cross_entropy_backward(jnp.full_like(losses, 1 / losses.size), logits, labels)
    _, gradients = layer.backward(params, saved, dy)
    return losses.mean(), gradients


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


def _matching(network: Network, params: Any, x: Any, ops: Any) -> tuple[Params, Array, jax.ShapeDtypeStruct]:
    """`params` and `x` as arrays, checked against the network, layer by layer, and what comes out."""
    checked_ops(ops)
    x = arguments.numeric("x", x)
    if x.ndim < 2:
        raise NetworkError(f"x has shape {x.shape}: expected a batch, (N, *S, C)")
    arguments.not_empty("x", x)
    try:
        steps = trace(network, x.shape[1:])
    except NetworkError as error:
        raise NetworkError(f"{error} (x has shape {x.shape})") from None
    output = jax.ShapeDtypeStruct((x.shape[0], *steps[-1].output_shape), x.dtype)
    return _matching_each("params", steps, params, x, "network"), x, output


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
