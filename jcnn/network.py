"""Networks: a tuple of layers, the parameters a pytree beside it; initialised, applied, differentiated."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Num

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.geometry import GeometryError
from jcnn.layers import DEFAULT, Layer, Network, Ops, Shape
from jcnn.layers.base import checked_ops
from jcnn.losses import check_labels, softmax_cross_entropy, softmax_cross_entropy_backward
from jcnn.programs import compiled
from jcnn.rules import naming_forward_mode

Params = tuple[dict[str, Array], ...]


class NetworkError(ValueError):
    """A network that does not fit its input; the message names the layer and the sizes so far."""


class Trace(NamedTuple):
    """One layer of a network and the shapes, of one example, on both its sides."""

    number: int
    layer: Layer
    input_shape: Shape
    output_shape: Shape


def trace(network: Network, input_shape: Shape) -> tuple[Trace, ...]:
    """Follows the shape of one example, (*S, C), through the network.

    Raises:
        NetworkError: a layer does not fit, with its number, its description and the sizes so far.
    """
    try:
        shape = geometry.example_shape("input_shape", input_shape)
    except GeometryError as error:
        raise NetworkError(str(error)) from None
    if not isinstance(network, tuple | list) or not network:
        raise NetworkError(geometry.wrong("network", network, "a tuple of at least one layer"))
    steps: list[Trace] = []
    for number, layer in enumerate(network, 1):
        if not isinstance(layer, Layer):
            hint = f"; write {layer.__name__}(…)" if isinstance(layer, type) else ""
            shown = geometry.shown(layer)
            raise NetworkError(f"layer {number} is {shown}: expected a layer description such as Conv(8, 3){hint}")
        try:
            output = layer.output_shape(shape)
            geometry.countable("the output", output)
            for name, sizes in layer.parameter_shapes(shape).items():
                geometry.countable(name, sizes)
        except ValueError as error:
            sizes = " → ".join(str(size) for size in [input_shape, *(step.output_shape for step in steps)])
            raise NetworkError(
                f"layer {number}, {layer!r}, does not fit its input {shape}: {error}; sizes so far: input_shape {sizes}"
            ) from None
        steps.append(Trace(number, layer, shape, output))
        shape = output
    return tuple(steps)


def init(key: Array, network: Network, input_shape: Shape, dtype: Any = jnp.float32) -> Params:
    """Draws the parameters of a network.

    Every layer draws its own (`Layer.draw`): weights are normal with mean 0, biases 0. fan_in is the number of inputs that one
    output sums up, fan_out that of the outputs that one input reaches, and the variance is

        g² / fan_in                where an activation follows before other weights; g is its gain
        2 / (fan_in + fan_out)     where none does (Glorot's rule)

    The gain keeps the signal: inputs of mean square 1 become activations of mean square 1, E[f(g·z)²] = 1 for a standard normal
    z. So g² = 2 for relu (He's rule), 2 / (1 + slope²) for its leaky form, 1 for selu (LeCun's rule) and for maxout of two
    pieces, 2.16 for gelu, 1.63 for elu, 1.17 for softplus. tanh and sigmoid are below 1 everywhere: g² E[f(z)²] = 1 keeps the
    variance of what goes into them, with g² = 2.54 and 3.41. `jcnn.layers.gain` has the derivation.

    Args:
        key: a JAX random key.
        network: a tuple of layers.
        input_shape: of one example, (*S, C), without the batch.
        dtype: of the parameters: float16, bfloat16, float32 or float64; the last is float32, and a warning, where JAX has no
            64 bits.

    Returns:
        One dict per layer, `{"w": …, "b": …}` or empty.

    Raises:
        NetworkError: the network does not fit the input, or a layer draws other parameters than it says it has.
        TypeError: another dtype, no random key, or a layer that does not say how its parameters are to be drawn.

    Source: He et al. 2015, "Delving deep into rectifiers"; Glorot & Bengio 2010, "Understanding the difficulty of training deep
    feedforward neural networks"; Klambauer et al. 2017, "Self-normalizing neural networks".
    """
    key, dtype = arguments.random_key("key", key), arguments.dtype("dtype", dtype)
    return _program(_init, network)(key, trace(network, input_shape), dtype)


@compiled("steps", "dtype")
def _init(key: Array, steps: tuple[Trace, ...], dtype: Any) -> Params:
    params = []
    for step in steps:
        gain = _gain_of_next(steps[step.number :])
        drawn = step.layer.draw(jax.random.fold_in(key, step.number), step.input_shape, gain, dtype)
        shapes, found = step.layer.parameter_shapes(step.input_shape), {name: value.shape for name, value in drawn.items()}
        if shapes != found:
            raise NetworkError(f"layer {step.number}, {step.layer!r}, drew parameters {found}: expected {shapes}, as it says")
        params.append(drawn)
    return tuple(params)


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
        return _program(_apply, network)(params, x, tuple(network), ops)


@compiled("network", "ops")
def _apply(params: Params, x: Array, network: Network, ops: Ops) -> Array:
    for layer, layer_params in zip(network, params, strict=True):
        x = layer.apply(layer_params, x, ops)
    return x


def activations(network: Network, params: Params, x: Float[AnyArray, "n *s c"], *, ops: Ops = DEFAULT) -> tuple[Array, ...]:
    """The output of every layer, in order; arguments as `apply`."""
    params, x, _ = _matching(network, params, x, ops)
    with naming_forward_mode(ops.gradient):
        return _program(_activations, network)(params, x, tuple(network), ops)


@compiled("network", "ops")
def _activations(params: Params, x: Array, network: Network, ops: Ops) -> tuple[Array, ...]:
    outputs = []
    for layer, layer_params in zip(network, params, strict=True):
        x = layer.apply(layer_params, x, ops)
        outputs.append(x)
    return tuple(outputs)


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
        return _program(_value_and_grad, network)(params, x, labels, tuple(network), ops)


@compiled("network", "ops")
def _value_and_grad(params: Params, x: Array, labels: Array, network: Network, ops: Ops) -> tuple[Array, Params]:
    def loss(params: Params) -> Array:
        return softmax_cross_entropy(_apply(params, x, network, ops), labels).mean()

    return jax.value_and_grad(loss)(params)


def backprop(
    network: Network, params: Params, x: Float[AnyArray, "n *s c"], labels: Num[AnyArray, "..."]
) -> tuple[Float[Array, ""], Params]:
    """The same as `value_and_grad`, by hand: no autodiff anywhere.

    With x₀ the batch, xᵢ = fᵢ(xᵢ₋₁, θᵢ) the layers' outputs and L the mean loss, the chain rule runs backwards:

        dx_last = (softmax(x_last) − labels) / N
        (dxᵢ₋₁, dθᵢ) = backward of fᵢ at (dxᵢ, xᵢ₋₁, θᵢ)

    Args:
        network: a tuple of layers, the last one's outputs the logits.
        params: as `init` makes them.
        x: a batch, (N, *S, C), in the dtype of the parameters.
        labels: class numbers (N,), or distributions (N, C).

    Returns:
        (loss, gradients), the gradients in the structure of the parameters.

    Raises:
        ValueError: as `apply` and `softmax_cross_entropy`.
        TypeError: as `apply` and `softmax_cross_entropy`.

    Source: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors".
    """
    params, x, logits = _matching(network, params, x, DEFAULT)
    return _program(_backprop, network)(params, x, check_labels(labels, logits), tuple(network))


@compiled("network")
def _backprop(params: Params, x: Array, labels: Array, network: Network) -> tuple[Array, Params]:
    *hidden, logits = (x, *_activations(params, x, network, DEFAULT))
    losses = softmax_cross_entropy(logits, labels)
    dy = softmax_cross_entropy_backward(jnp.full_like(losses, 1 / losses.size), logits, labels)
    gradients = []
    for layer, layer_params, seen in zip(reversed(network), reversed(params), reversed(hidden), strict=True):
        dy, gradient = layer.backward(layer_params, dy, seen)
        gradients.append(gradient)
    return losses.mean(), tuple(reversed(gradients))


def _program(compiled: Callable[..., Any], network: Network) -> Callable[..., Any]:
    """What is `compiled` for a network, or its plain function where equal layers might not do the same."""
    return compiled if all(map(_known_by_fields, network)) else getattr(compiled, "__wrapped__")  # noqa: B009


def _known_by_fields(layer: Layer) -> bool:
    """Whether a layer has nothing but the fields by which it is hashed and compared."""
    try:
        hash(layer)
    except TypeError:
        return False
    return set(vars(layer)) == {field.name for field in dataclasses.fields(layer)}


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
    if not isinstance(params, tuple | list) or len(params) != len(steps):
        given = f"has {len(params)} entries" if isinstance(params, tuple | list) else f"is a {type(params).__name__}"
        raise NetworkError(f"params {given}: expected {len(steps)}, one dict per layer of network, as init makes them")
    output = jax.ShapeDtypeStruct((x.shape[0], *steps[-1].output_shape), x.dtype)
    return tuple(_parameters(step, layer_params, x) for step, layer_params in zip(steps, params, strict=True)), x, output


def _parameters(step: Trace, given: Any, x: Array) -> dict[str, Array]:
    """The parameters of one layer, of the names, shapes and dtype that it takes."""
    where, shapes = f"params[{step.number - 1}]", step.layer.parameter_shapes(step.input_shape)

    def whose() -> str:
        takes = f"takes {', '.join(shapes) or 'none'} for its input {step.input_shape}"
        return f"layer {step.number}, {step.layer!r}, {takes}, x being of shape {x.shape}"

    if not isinstance(given, Mapping) or set(given) != set(shapes):
        has = f"has {', '.join(map(str, given)) or 'none'}" if isinstance(given, Mapping) else f"is {geometry.shown(given)}"
        raise NetworkError(f"{where} {has}: {whose()}")
    parameters = {}
    for name, shape in shapes.items():
        parameter = arguments.numeric(f"{where}[{name!r}]", given[name])
        if parameter.shape != shape:
            raise NetworkError(f"{where}[{name!r}] has shape {parameter.shape}: expected {shape}; {whose()}")
        arguments.same_dtype(x=x, **{f"{where}[{name!r}]": parameter})
        parameters[name] = parameter
    return parameters


def _gain_of_next(following: Sequence[Trace]) -> float | None:
    """The gain of the first activation before the next layer that learns."""
    for step in following:
        if step.layer.gain is not None:
            return step.layer.gain
        if step.layer.parameter_shapes(step.input_shape):
            break
    return None
