"""The arrays of a trained network by name, and back: "params.3.body.0.w" is params[3]["body"][0]["w"]."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jcnn import geometry
from jcnn.exchange.errors import ExchangeError
from jcnn.layers import Network, Shape
from jcnn.network import apply, init, init_state
from jcnn.random_keys import key

FLOATS = ("float16", "bfloat16", "float32", "float64")
NAMED_AT_ONCE = 5


class Trained(NamedTuple):
    """A trained network.

    Attributes:
        network: its layers.
        params: its parameters.
        state: what layers keep beside them; None if nothing.
        input_shape: of one example, (*S, C).
        class_names: in the order of the logits; () where they are not known.
    """

    network: Network
    params: Any
    state: Any
    input_shape: Shape
    class_names: tuple[str, ...] = ()


def check_trained(network: Network, params: Any, state: Any, input_shape: Shape) -> np.dtype:
    """The dtype of a network's parameters, once all is held against the network.

    Raises:
        NetworkError: parameters, state and input do not fit; by layer.
        TypeError: dtypes that differ or are not listed.
    """
    shape = geometry.example_shape("input_shape", input_shape)
    dtype = next((np.dtype(leaf.dtype) for leaf in jax.tree.leaves(params) if hasattr(leaf, "dtype")), np.dtype("float32"))
    with jax.enable_x64(True):
        x = jax.ShapeDtypeStruct((1, *shape), dtype)
        jax.eval_shape(lambda x: apply(network, params, x, state=state), x)
    return dtype


def templates(network: Network, input_shape: Shape, dtype: Any = jnp.float32) -> tuple[Any, Any]:
    """(params, state) of a network as shapes, nested as `init` and `init_state` make them; state None if nothing is kept.

    Raises:
        NetworkError: the network does not fit the input.
        TypeError: another dtype.
    """
    with jax.enable_x64(True):
        params = jax.eval_shape(lambda: init(key(0), network, input_shape, dtype))
        state = jax.eval_shape(lambda: init_state(network, input_shape, dtype))
    return params, state if jax.tree.leaves(state) else None


def by_name(params: Any, state: Any) -> dict[str, Any]:
    """All leaves of both trees by their names."""
    leaves, _ = jax.tree_util.tree_flatten_with_path({"params": params, "state": state})
    return {_name(path): leaf for path, leaf in leaves}


def from_names(arrays: Mapping[str, np.ndarray], network: Network, input_shape: Shape, whose: str) -> tuple[Any, Any]:
    """(params, state) of these arrays, each held against the network.

    Args:
        arrays: by name, as `by_name` gives them.
        network: the layers.
        input_shape: of one example.
        whose: what holds the arrays, for the errors.

    Raises:
        ExchangeError: a name is missing or one too many, or an array has another shape or dtype; all by name.
    """
    expected = by_name(*templates(network, input_shape))
    check_names(arrays, expected, whose, "the network")
    dtype = common_dtype({name: arrays[name] for name in expected if name.startswith("params.")}, whose)
    params, state = templates(network, input_shape, dtype)
    for name, template in by_name(params, state).items():
        check_array(name, arrays[name], template.shape, template.dtype, whose)
    leaves, structure = jax.tree_util.tree_flatten_with_path({"params": params, "state": state})
    both = jax.tree.unflatten(structure, [on_device(arrays[_name(path)]) for path, _ in leaves])
    return both["params"], both["state"]


def check_names(found: Collection[str], expected: Collection[str], whose: str, taker: str) -> None:
    """Raises ExchangeError unless the same names are found as are expected: what is missing, and what is there in its place."""
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    if missing or unexpected:
        what = [f"no {_listed(missing)}"] * bool(missing) + [f"{_listed(unexpected)}, which it does not take"] * bool(
            unexpected
        )
        raise ExchangeError(f"{whose} does not fit {taker}: it has {', and '.join(what)}")


def common_dtype(params: Mapping[str, np.ndarray], whose: str) -> str:
    """The one dtype of all parameters.

    Raises:
        ExchangeError: they have several, or another than networks are computed in.
    """
    dtypes = {array.dtype.name: name for name, array in reversed(list(params.items()))}
    if len(dtypes) > 1:
        listed = ", ".join(f"{name} {dtype}" for dtype, name in dtypes.items())
        raise ExchangeError(f"{whose} has parameters of several dtypes ({listed}): expected one for all")
    for dtype, name in dtypes.items():
        if dtype not in FLOATS:
            raise ExchangeError(f"{name} in {whose} has dtype {dtype}: expected one of {', '.join(FLOATS)}")
    return next(iter(dtypes), "float32")


def check_array(name: str, array: np.ndarray, shape: Shape, dtype: Any, whose: str) -> None:
    """Raises ExchangeError unless an array has this shape and dtype."""
    if array.shape != tuple(shape):
        raise ExchangeError(f"{whose} does not fit the network: {name} has shape {array.shape}, expected {tuple(shape)}")
    if array.dtype != dtype:
        raise ExchangeError(
            f"{whose} does not fit the network: {name} has dtype {array.dtype.name}, expected {np.dtype(dtype).name}"
        )


def on_device(array: np.ndarray) -> jax.Array:
    """The array for JAX, with all its bits, also where it has no 64 bits otherwise."""
    with jax.enable_x64(True):
        return jnp.array(array, copy=True)


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED_AT_ONCE
    shown = ", ".join(name[:100] for name in names[:NAMED_AT_ONCE])
    return f"{shown} and {more} more" if more > 0 else shown
