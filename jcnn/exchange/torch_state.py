"""A network's arrays as PyTorch's `state_dict` has them, and back: names, the order of axes, the order of flattened features.

All of it in NumPy: PyTorch itself is needed for its files and modules only.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import jax
import numpy as np

from jcnn import geometry
from jcnn.exchange.arrays import FLOATS, check_names, check_trained, common_dtype, on_device, templates
from jcnn.exchange.errors import ExchangeError
from jcnn.exchange.torch_modules import Source, Tensor, module_of, sources
from jcnn.layers import Network

IGNORED = "num_batches_tracked"
"""PyTorch counts the batches of its running statistics, which only a momentum of None looks at."""


def to_state_dict(
    network: Network,
    params: Any,
    state: Any = None,
    *,
    input_shape: Sequence[int],
    like: Mapping[str, np.ndarray] | None = None,
    paddings_known: bool = False,
) -> dict[str, np.ndarray]:
    """The arrays by name, as they lie in PyTorch.

    Args:
        network: the layers.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        input_shape: of one example, (*S, C).
        like: a state dict to take names and the axes of 1 from; None: of the module that `torch_module` makes.
        paddings_known: whether the modules of `like` are known to pad as the layers do.

    Raises:
        NetworkError: parameters, state and input do not fit the network; by layer.
        ExchangeError: a layer has no counterpart in PyTorch, or `like` is of another network; by name.
    """
    shape = geometry.example_shape("input_shape", input_shape)
    check_trained(network, params, state, shape)
    trees = {"params": params, "state": state}
    layers = sources(module_of(network, shape))
    if like is not None:
        layers = _matched(_without_counts(like), layers, None, True, paddings_known, "like")
    found: dict[str, np.ndarray] = {}
    for prefix, source in layers:
        for tensor in source.tensors:
            name = f"{prefix}{tensor.name}"
            array = _array(tensor, source, trees)
            if like is not None:
                _checked(name, like[name], tensor, source, array, "like")
            found[name] = tensor.to_torch(array, source.order)
            if like is not None:
                found[name] = found[name].reshape(like[name].shape)
        if any(tensor.name.startswith("running_") for tensor in source.tensors):
            found[f"{prefix}{IGNORED}"] = np.zeros((), np.int64)
    return found if like is None else {name: found.get(name, array) for name, array in like.items()}


def from_state_dict(
    arrays: Mapping[str, np.ndarray],
    network: Network,
    input_shape: Sequence[int],
    *,
    names: Mapping[str, str] | None = None,
    in_order: bool = True,
    paddings_known: bool = False,
    whose: str = "the state dict",
) -> tuple[Any, Any]:
    """(params, state) of a network from PyTorch's arrays by name.

    Which module of the checkpoint is which layer is said by `names`, or by the names of the module that `torch_module` makes,
    or by the order in which the modules were defined.

    Args:
        arrays: by name, as they lie in PyTorch.
        network: the layers.
        input_shape: of one example, (*S, C).
        names: for each module of the checkpoint, such as "layer1.0.conv1", the place of its layer in the network, such as
            "4.1.1": as in `jcnn.summary` and in every error. None: found by itself.
        in_order: whether the arrays come in the order in which the modules were defined.
        paddings_known: whether the modules are known to pad as the layers do.
        whose: what holds the arrays, for the errors.

    Raises:
        NetworkError: the network does not fit the input.
        ExchangeError: names, shapes or dtypes that do not fit, or a layer that has no counterpart in PyTorch; by name.
    """
    shape = geometry.example_shape("input_shape", input_shape)
    params, state = templates(network, shape)
    arrays = _without_counts(arrays)
    layers = _matched(arrays, sources(module_of(network, shape)), names, in_order, paddings_known, whose)
    found: dict[tuple[Any, ...], np.ndarray] = {}
    for prefix, source in layers:
        for tensor in source.tensors:
            name = f"{prefix}{tensor.name}"
            if tensor.otherwise is not None:
                _check_constant(name, arrays[name], tensor, source, whose)
                continue
            expected = _leaf(tensor, source, {"params": params, "state": state})
            array = _checked(name, arrays[name], tensor, source, expected, whose)
            found[tensor.tree, *source.path, tensor.key] = tensor.from_torch(array, source.order)
    learned = [f"{prefix}{tensor.name}" for prefix, source in layers for tensor in source.tensors if tensor.tree == "params"]
    params, state = templates(network, shape, common_dtype({name: arrays[name] for name in learned}, whose))
    return _filled(params, ("params",), found), None if state is None else _filled(state, ("state",), found)


def prefixes(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of arrays by the module that has them, in the order in which they come: {"conv1": ["weight", "bias"]}."""
    found: dict[str, list[str]] = {}
    for name in names:
        module, _, own = name.rpartition(".")
        found.setdefault(module, []).append(own)
    return found


def _without_counts(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name.rpartition(".")[2] != IGNORED}


def _leaf(tensor: Tensor, source: Source, trees: Mapping[str, Any]) -> Any:
    """The array in ours."""
    return reduce(lambda tree, key: tree[key], (*source.path, tensor.key), trees[tensor.tree])


def _array(tensor: Tensor, source: Source, trees: Mapping[str, Any]) -> np.ndarray:
    """The array in ours, or what stands for it where the layer learns none."""
    if tensor.otherwise is None:
        return np.asarray(_leaf(tensor, source, trees))
    others = [leaf.dtype for leaf in jax.tree.leaves(trees["params"])]
    return np.full(source.input_shape[-1:], tensor.otherwise, np.dtype(others[0]) if others else np.float32)


def _check_constant(name: str, array: np.ndarray, tensor: Tensor, source: Source, whose: str) -> None:
    """Raises ExchangeError unless an array that the layer does not learn is what the layer takes it for."""
    if array.shape != source.input_shape[-1:] or not (array == tensor.otherwise).all():
        raise ExchangeError(
            f"{name} in {whose} is {geometry.shown(array)}, and {_said(source)} learns none: expected {tensor.key}=True in it, "
            f"or {source.input_shape[-1]} times {tensor.otherwise}"
        )


def _matched(
    arrays: Mapping[str, np.ndarray],
    layers: list[tuple[str, Source]],
    names: Mapping[str, str] | None,
    in_order: bool,
    paddings_known: bool,
    whose: str,
) -> list[tuple[str, Source]]:
    """For every layer with arrays, the name before that of each in the checkpoint."""
    ours = [f"{prefix}{tensor.name}" for prefix, source in layers for tensor in source.tensors]
    if names is None and set(ours) == set(arrays):
        return layers
    found = prefixes(arrays)
    own = [source for _, source in layers]
    pairs = _in_order(found, own, in_order, whose) if names is None else _named(found, own, names, whose)
    for module, source in pairs:
        check_names(found[module], [tensor.name for tensor in source.tensors], f"{module} in {whose}", _said(source))
        if source.padded is not None and not paddings_known:
            raise ExchangeError(
                f"{_said(source)} pads {source.padded} (before, behind) along its axes, which no padding= of PyTorch's layers "
                f"does, and {whose} does not say what {module} does: give the module itself, whose outputs are then compared, "
                f"or the padding that it has, such as padding={tuple((hi, hi) for _, hi in source.padded)}"
            )
    return [(f"{module}." if module else "", source) for module, source in pairs]


def _in_order(found: Mapping[str, list[str]], layers: Sequence[Source], in_order: bool, whose: str) -> list[tuple[str, Source]]:
    if not in_order:
        raise ExchangeError(
            f"{whose} does not say in which order its modules {_listed(found)} come: expected names=, which says for each the "
            f"place of its layer, such as {{{next(iter(found), 'conv1')!r}: '1'}}"
        )
    if len(found) != len(layers):
        raise ExchangeError(
            f"{whose} has arrays of {len(found)} modules, {_listed(found)}, and the network has {len(layers)} layers with "
            f"arrays, {', '.join(map(_said, layers[:8]))}{', …' * (len(layers) > 8)}: expected as many"
        )
    return list(zip(found, layers, strict=True))


def _named(
    found: Mapping[str, list[str]], layers: Sequence[Source], names: Mapping[str, str], whose: str
) -> list[tuple[str, Source]]:
    by_place = {source.place: source for source in layers}
    check_names(found, names, whose, "names=")
    check_names(list(map(str, names.values())), by_place, "names=", f"the layers with arrays, at {', '.join(by_place)}")
    if len(set(names.values())) < len(names):
        raise ExchangeError(f"names={geometry.shown(dict(names))}: expected every place once")
    return [(module, by_place[str(place)]) for module, place in names.items()]


def _checked(
    name: str, array: np.ndarray, tensor: Tensor, source: Source, expected: jax.ShapeDtypeStruct | np.ndarray, whose: str
) -> np.ndarray:
    """The array of a checkpoint, with the shape that the layer's has there; axes of 1 may be missing."""
    shape = tensor.to_torch(np.broadcast_to(np.float32(0), expected.shape), None).shape
    if tensor.ones and array.shape == shape[: len(shape) - tensor.ones]:
        array = array.reshape(shape)
    if array.shape != shape:
        raise ExchangeError(f"{name} in {whose} has shape {array.shape}: expected {shape}, for {_said(source)}")
    if array.dtype.name not in FLOATS:
        raise ExchangeError(f"{name} in {whose} has dtype {array.dtype.name}: expected one of {', '.join(FLOATS)}")
    return array


def _filled(template: Any, path: tuple[Any, ...], found: Mapping[tuple[Any, ...], np.ndarray]) -> Any:
    """The tree of the template, with these arrays, in its dtypes."""
    if isinstance(template, tuple | list):
        return tuple(_filled(inner, (*path, index), found) for index, inner in enumerate(template))
    if isinstance(template, Mapping):
        return {key: _filled(inner, (*path, key), found) for key, inner in template.items()}
    return on_device(found[path].astype(template.dtype))


def _said(source: Source) -> str:
    return f"layer {source.place}, {geometry.shown(source.layer)}"


def _listed(found: Iterable[str]) -> str:
    names = [name[:60] for name in found]
    return ", ".join(names[:8]) + ", …" * (len(names) > 8)
