"""Which pixels a network's answer hangs on: the gradient of a class score by the image, and Grad-CAM.

Both explain the score of a class before the softmax, as their papers do: its probability also rises where another class falls.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from jcnn import arguments, geometry
from jcnn.arguments import AnyArray
from jcnn.layers import DEFAULT, Layer, Network, NetworkError, Ops
from jcnn.losses import check_labels
from jcnn.network import Params, Trace, apply, outputs_in_turn, trace

__all__ = ["grad_cam", "grad_cam_layer", "input_gradient", "saliency"]

Classes = int | Int[AnyArray, " n"] | None
"""A class for all images, one for each, or None: the one that scores highest."""


def input_gradient(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n *s c"],
    classes: Classes = None,
    *,
    ops: Ops = DEFAULT,
    state: Any = None,
) -> Float[Array, "n *s c"]:
    """∂S_c/∂x: how the score S_c of an image's class c, before the softmax, changes with each of its numbers.

    Args:
        network: a tuple of layers, whose output is one score per class.
        params: as `init` makes them.
        x: images as the network takes them, (N, *S, C).
        classes: the class c, one for all or one for each image, (N,); None: the one that scores highest.
        ops: formulation and gradient of the operations.
        state: what layers keep beside their parameters, as running statistics; None: nothing.

    Returns:
        (N, *S, C), as x.

    Raises:
        ValueError: as `apply`; or a class that is none of the network's.
        TypeError: as `apply`.
    """
    x = arguments.numeric("x", x)
    chosen = _chosen(network, params, x, classes, ops, state)

    def total(x: Array) -> Array:
        return _of_class(apply(network, params, x, ops=ops, **_state(state)), chosen).sum()

    # Of images that do not know of one another the gradient of the sum holds that of each.
    return jax.grad(total)(x)


def saliency(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n *s c"],
    classes: Classes = None,
    *,
    ops: Ops = DEFAULT,
    state: Any = None,
) -> Float[Array, "n *s"]:
    """max_k |∂S_c/∂x_k| over the channels k of every pixel: how strongly the class score hangs on it.

    Arguments and errors as `input_gradient`.

    Source: Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks", section 3.1.
    """
    return jnp.abs(input_gradient(network, params, x, classes, ops=ops, state=state)).max(axis=-1)


def grad_cam(
    network: Network,
    params: Params,
    x: Float[AnyArray, "n *s c"],
    classes: Classes = None,
    *,
    layer: str | int | None = None,
    ops: Ops = DEFAULT,
    state: Any = None,
) -> Float[Array, "n *m"]:
    """Where the maps A of a layer speak for a class: L = relu(Σ_k α_k A_k), with α_k = mean over all positions of ∂S_c/∂A_k.

    S_c is the score of the class before the softmax, k counts the channels of A.

    Args:
        network: a tuple of layers, whose output is one score per class.
        params: as `init` makes them.
        x: images as the network takes them, (N, *S, C).
        classes: the class c, one for all or one for each image, (N,); None: the one that scores highest.
        layer: the layer whose output A is, by its place in the network, 3 or "3.1", as `summary` numbers them; None: that of
            `grad_cam_layer`.
        ops: formulation and gradient of the operations.
        state: what layers keep beside their parameters, as running statistics; None: nothing.

    Returns:
        (N, *M), M being the spatial size of A: every position stands for the part of the image that is above it.

    Raises:
        NetworkError: the layer does not exist, has no maps, or is inside a branch, beside which others see the image too.
        ValueError: as `apply`; or a class that is none of the network's.
        TypeError: as `apply`.

    Source: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based localization", equations
    1 and 2.
    """
    x = arguments.numeric("x", x)
    chosen = _chosen(network, params, x, classes, ops, state)
    steps = list(outputs_in_turn(trace(network, x.shape[1:])))
    place = grad_cam_layer(network, x.shape[1:]) if layer is None else _with_maps(steps, layer)
    end = 1 + [step.place for step in steps].index(place)
    layers, own = tuple(_each(network, network)), tuple(_each(network, params))
    kept = None if state is None else tuple(_each(network, state))
    maps = apply(layers[:end], own[:end], x, ops=ops, **_state(kept and kept[:end]))

    def total(maps: Array) -> Array:
        rest = apply(layers[end:], own[end:], maps, ops=ops, **_state(kept and kept[end:]))
        return _of_class(rest, chosen).sum()

    positions = tuple(range(1, maps.ndim - 1))
    weights = jax.grad(total)(maps).mean(axis=positions, keepdims=True)
    return jax.nn.relu((weights * maps).sum(axis=-1))


def grad_cam_layer(network: Network, input_shape: Sequence[int]) -> str:
    """The place of the layer that `grad_cam` takes by itself.

    That is the last with maps of more than one position that does not only pool those of another, which would be coarser.

    Raises:
        NetworkError: there is none, or the network does not fit the input.
    """
    steps = outputs_in_turn(trace(network, tuple(input_shape)))
    found = [step.place for step in steps if _has_maps(step) and not _only_pools(step)]
    if not found:
        raise NetworkError(f"no layer of the network has maps of more than one position for an input {tuple(input_shape)}")
    return found[-1]


def _state(state: Any) -> dict[str, Any]:
    """The argument for `apply`, of networks that have a state."""
    return {} if state is None else {"state": state}


def _chosen(network: Network, params: Params, x: Array, classes: Any, ops: Ops, state: Any) -> Array:
    """One class for each image: those that are asked for, or those that score highest."""
    output = trace(network, x.shape[1:])[-1].output_shape
    if len(output) != 1:
        raise NetworkError(f"network ends in {output} for one image: expected (classes,), one score per class")
    if classes is None:
        return apply(network, params, x, ops=ops, **_state(state)).argmax(axis=-1)
    if not hasattr(classes, "shape") and not geometry.is_series(classes):
        classes = jnp.full(len(x), geometry.integer("classes", classes, 0))
    try:
        return check_labels(jnp.asarray(classes), jax.ShapeDtypeStruct((len(x), *output), x.dtype))
    except ValueError as error:
        raise ValueError(str(error).replace("labels", "classes", 1)) from None


def _of_class(scores: Array, classes: Array) -> Array:
    return jnp.take_along_axis(scores, classes[:, None], axis=-1)[:, 0]


def _each(network: Network, tree: Any) -> Iterator[Any]:
    """What belongs to each layer in turn, tuples as what is in them: of the network itself the layers, or their parameters."""
    for part, own in zip(network, tree, strict=True):
        if isinstance(part, Layer):
            yield own
        else:
            yield from _each(part, own)


def _with_maps(steps: Sequence[Trace], layer: Any) -> str:
    """The place of the layer that is asked for, if it has maps."""
    places = {step.place: step for step in steps}
    step = places.get(str(layer))
    if step is None or not _has_maps(step):
        why = "" if step is None else f", whose output is {step.output_shape} for one image"
        expected = ", ".join(place for place, other in places.items() if _has_maps(other)) or "none of this network's"
        raise NetworkError(f"layer={layer!r}{why}: expected the place of a layer with maps: {expected}")
    return step.place


def _has_maps(step: Trace) -> bool:
    return len(step.output_shape) > 1 and math.prod(step.output_shape[:-1]) > 1


def _only_pools(step: Trace) -> bool:
    walk = step.layer.walk
    return walk is not None and walk.window not in (None, 1) and not jax.tree.leaves(step.parameters) and not step.parts
