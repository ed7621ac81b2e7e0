"""Networks to PyTorch and back: its state dicts and checkpoint files, and the network as a module of PyTorch.

    torch.save(jcnn.exchange.to_torch(network, params, input_shape=(28, 28, 1), like=module), "lenet5.pt")
    params, state = jcnn.exchange.from_torch("lenet5.pt", network, (28, 28, 1))

A state dict has arrays by name, and nothing of what is computed with them: how a convolution pads, what a layer divides by, in
which order a map is flattened. Where a module is given in its place its outputs are compared with those of the network, so that
all of that is known to be the same.
"""

import ast
import copy
import io
import math
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jcnn import geometry
from jcnn.disk import file_to_write, naming, write_atomically
from jcnn.exchange import torch_state
from jcnn.exchange.errors import ExchangeError, library
from jcnn.exchange.torch_modules import Module, module_of, sources
from jcnn.layers import Network
from jcnn.network import apply

EXAMPLES = 3
ROOM = 1e-9
"""Of the largest output, in float64: above all rounding, and below what another padding or epsilon changes."""


def to_torch(
    network: Network, params: Any, state: Any = None, *, input_shape: Sequence[int], like: Any = None
) -> dict[str, Any]:
    """A trained network as a state dict of PyTorch: tensors by name, filters (O, I, *F).

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        input_shape: of one example, (*S, C).
        like: a module of PyTorch that computes the same, or its state dict, for its names: its modules with weights are taken
            for the layers in the order in which they were defined. Of a module the outputs with these weights are compared with
            those of the network. None: the names of `torch_module`.

    Returns:
        What `load_state_dict` of the module takes.

    Raises:
        NetworkError: parameters, state and input do not fit the network; by layer.
        ExchangeError: a layer has no counterpart in PyTorch, `like` does not fit the network or computes something else, or
            PyTorch is not installed.
    """
    torch = _torch("to_torch")
    if like is None:
        arrays = torch_state.to_state_dict(network, params, state, input_shape=input_shape)
        return {name: _tensor(torch, array) for name, array in arrays.items()}
    module = like if isinstance(like, torch.nn.Module) else None
    theirs = _arrays(torch, like if module is None else module.state_dict(), "like")
    arrays = torch_state.to_state_dict(
        network, params, state, input_shape=input_shape, like=theirs, paddings_known=module is not None
    )
    found = {name: _tensor(torch, array) for name, array in arrays.items()}
    if module is not None:
        _compare(torch, module, found, network, params, state, input_shape)
    return found


def from_torch(
    source: Any,
    network: Network,
    input_shape: Sequence[int],
    *,
    names: Mapping[str, str] | None = None,
    entry: str | None = None,
) -> tuple[Any, Any]:
    """(params, state) of a network from a module of PyTorch, a state dict, or a file with one.

    A file is read with `weights_only=True`: it may hold tensors, and no code.

    Args:
        source: a module, a state dict (tensors or NumPy arrays by name), or the path of a file that `torch.save` wrote of one.
        network: a tuple of layers that compute what the module does.
        input_shape: of one example, (*S, C), as the network takes it.
        names: for each module with weights the place of its layer, such as {"conv1": "1", "layer1.0.conv1": "4.1.1"}; None: its
            modules are taken for the layers in the order in which they were defined.
        entry: of a file that holds a dict of several things, the one that is the state dict, such as "state_dict".

    Returns:
        (params, state), in the dtype of the tensors; state None where the network keeps none.

    Raises:
        NetworkError: the network does not fit the input.
        ExchangeError: what is there is no state dict, or does not fit the network; a file is damaged or holds code; a module
            computes something else than the network; or PyTorch is not installed.
        OSError: there is no such file, or it cannot be read; names it.
    """
    torch = _torch("from_torch")
    module = source if isinstance(source, torch.nn.Module) else None
    if module is not None:
        whose, given = "the module", module.state_dict()
    elif isinstance(source, str | os.PathLike):
        whose, given = str(source), _read(torch, Path(source))
    else:
        whose, given = "the state dict", source
    params, state = torch_state.from_state_dict(
        _arrays(torch, _entry(given, entry, whose), whose),
        network,
        input_shape,
        names=names,
        paddings_known=module is not None,
        whose=whose,
    )
    if module is not None:
        _compare(torch, module, dict(module.state_dict()), network, params, state, input_shape)
    return params, state


def save_torch(
    path: str | os.PathLike[str], network: Network, params: Any, state: Any = None, *, input_shape: Sequence[int]
) -> Path:
    """Writes a trained network as a checkpoint of PyTorch, and beside it the program of its module.

    `digits.pt` has the tensors alone, `digits.py` a function `network()` that makes the module which takes them. Both appear
    whole or not at all, and need PyTorch alone.

    Args:
        path: the checkpoint; files of these names are replaced.
        network: a tuple of layers.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        input_shape: of one example, (*S, C).

    Returns:
        The path of the program.

    Raises:
        NetworkError: parameters, state and input do not fit the network; by layer.
        ExchangeError: a layer has no counterpart in PyTorch, another file has the program's name, or PyTorch is not installed.
        OSError: a file cannot be written; names it.
    """
    torch = _torch("save_torch")
    path = Path(path)
    program = path.with_suffix(".py")
    if program == path:
        raise ExchangeError(f"{path} would be the program of the module: expected another name for its weights, such as *.pt")
    file_to_write(path)
    _check_own(program)
    content = io.BytesIO()
    torch.save(to_torch(network, params, state, input_shape=input_shape), content)
    write_atomically(program, torch_source(network, input_shape).encode())
    write_atomically(path, content.getvalue())
    return program


def _check_own(program: Path) -> None:
    """Raises ExchangeError where a file of this name is anything else than the program of an exported network."""
    with naming(program):
        if program.exists() and not program.read_bytes().startswith(_SOURCE.partition("{")[0].encode()):
            raise ExchangeError(
                f"{program} is there, and is no program that jcnn exported: expected another name for the weights"
            )


def torch_module(network: Network, params: Any, state: Any = None, *, input_shape: Sequence[int]) -> Any:
    """A trained network as a module of PyTorch, in evaluation, with channels first: (N, C, *S) → logits.

    Padding is exactly that of the network: where PyTorch's layers have no option for it, a module in front of them pads.

    Args:
        network: a tuple of layers.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        input_shape: of one example, (*S, C).

    Returns:
        A `torch.nn.Module`; its `state_dict` is `to_torch` of the network. What the network does not learn, such as the
        scale of a normalisation that has an offset alone, needs no gradient there either.

    Raises:
        NetworkError: parameters, state and input do not fit the network; by layer.
        ExchangeError: a layer has no counterpart in PyTorch, or PyTorch is not installed.
    """
    torch = _torch("torch_module")
    tensors = to_torch(network, params, state, input_shape=input_shape)
    described = module_of(network, geometry.example_shape("input_shape", input_shape))
    module = _made(torch, described)
    module.load_state_dict(tensors, assign=True)
    for prefix, source in sources(described):
        for tensor in source.tensors:
            if tensor.otherwise is not None:
                module.get_parameter(f"{prefix}{tensor.name}").requires_grad_(False)
    return module.eval()


def torch_source(network: Network, input_shape: Sequence[int]) -> str:
    """The program of that module: Python that needs PyTorch alone, with a function `network()` that makes it without weights.

    Raises:
        NetworkError: the network does not fit the input.
        ExchangeError: a layer has no counterpart in PyTorch.
    """
    *sizes, channels = shape = geometry.example_shape("input_shape", input_shape)
    module = module_of(network, shape)
    return _SOURCE.format(
        images=f"(N, {', '.join(map(str, (channels, *sizes)))})",
        parts="".join(f"{text}\n\n\n" for name, text in _part_sources().items() if name in _names(module)),
        module=_written(module, 1),
    )


_SOURCE = '''"""A network that jcnn exported, as a module of PyTorch: {images} → one score for each class.

    module = network()
    module.load_state_dict(torch.load("….pt", weights_only=True))
    module.eval()
"""

import torch
from torch import nn


{parts}def network() -> nn.Module:
    """The layers, without their weights."""
    return {module}
'''


def _written(module: Module, depth: int) -> str:
    """A module as one writes it."""
    inner = ["" if name.isdigit() else f"{name}=" for name in module.parts]
    inner = [f"{name}{_written(part, depth + 1)}" for name, part in zip(inner, module.parts.values(), strict=True)]
    options = [f"{name}={_value(value)}" for name, value in module.options.items()]
    if not inner:
        return f"{module.name}({', '.join([*map(_value, module.arguments), *options])})"
    indent = "    " * (depth + 1)
    return f"{module.name}(\n" + "".join(f"{indent}{line},\n" for line in [*inner, *options]) + f"{'    ' * depth})"


def _value(value: Any) -> str:
    """A value as Python reads it; infinity has no name there."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))}{',' * (len(value) == 1)})"
    return f'float("{value}")' if isinstance(value, float) and not math.isfinite(value) else repr(value)


def _names(module: Module) -> set[str]:
    return {module.name}.union(*map(_names, module.parts.values()))


def _made(torch: Any, module: Module) -> Any:
    """The module itself."""
    from jcnn.exchange import torch_parts

    own = not module.name.startswith("nn.")
    kind = getattr(torch_parts if own else torch.nn, module.name.removeprefix("nn."))
    parts = {name: _made(torch, part) for name, part in module.parts.items()}
    placed = [part for name, part in parts.items() if name.isdigit()]
    named = {name: part for name, part in parts.items() if not name.isdigit()}
    return kind(*placed, *module.arguments, **named, **module.options)


def _part_sources() -> dict[str, str]:
    """The modules that PyTorch does not have, as they are written; they are not imported, which would take PyTorch."""
    text = Path(__file__).with_name("torch_parts.py").read_text("utf-8")
    classes = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    return {node.name: ast.get_source_segment(text, node) or "" for node in classes}


def _read(torch: Any, path: Path) -> Any:
    """What a file of `torch.save` holds."""
    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise ExchangeError(f"{path} is no file: expected one that torch.save wrote")
    with naming(path), path.open("rb"):
        pass  # a file that cannot be read is told by its name
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = shorten(str(error).partition("WeightsUnpickler error:")[2] or str(error), 300, placeholder=" …")
        raise ExchangeError(
            f"{path} is refused: it holds more than tensors, and code in it would be run: {reason}; expected a state dict, as "
            f"torch.save(module.state_dict(), …) writes it"
        ) from error
    except Exception as error:  # whatever PyTorch makes of bytes that are none of its files
        reason = shorten(str(error), 300, placeholder=" …") or type(error).__name__
        raise ExchangeError(f"{path} is refused: truncated, or no file of torch.save: {reason}") from error


def _entry(given: Any, entry: str | None, whose: str) -> Any:
    """The state dict in what is given."""
    if entry is None:
        return given
    if not isinstance(given, Mapping) or entry not in given:
        has = ", ".join(map(str, given)) if isinstance(given, Mapping) else geometry.shown(given)
        raise ExchangeError(f"entry={entry!r}: {whose} has {has[:300]}")
    return given[entry]


def _arrays(torch: Any, given: Any, whose: str) -> dict[str, np.ndarray]:
    """The arrays of a state dict."""
    if not isinstance(given, Mapping):
        raise ExchangeError(f"{whose} is {geometry.shown(given)}: expected a state dict, tensors by name")
    found = {}
    for name, value in given.items():
        if isinstance(value, Mapping) and all(isinstance(inner, torch.Tensor) for inner in value.values()):
            raise ExchangeError(
                f"{whose} holds {', '.join(map(str, given))[:300]}: give entry={name!r}, if that is the state dict"
            )
        if not isinstance(name, str) or not isinstance(value, torch.Tensor | np.ndarray):
            raise ExchangeError(f"{whose} has {geometry.shown(name)}, {geometry.shown(value)}: expected tensors by name")
        found[name] = _array(torch, name, value, whose) if isinstance(value, torch.Tensor) else value
    return found


def _array(torch: Any, name: str, tensor: Any, whose: str) -> np.ndarray:
    try:
        plain = tensor.detach().cpu().contiguous()
        if plain.dtype == torch.bfloat16:
            return plain.view(torch.uint16).numpy().view(jnp.bfloat16)
        return plain.numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:
        kind = f"{tensor.layout}, {tensor.dtype}, on {tensor.device}"
        raise ExchangeError(f"{name} in {whose} is no plain tensor of numbers ({kind}): {shorten(str(error), 200)}") from error


def _tensor(torch: Any, array: np.ndarray) -> Any:
    """The tensor with an array's bits."""
    array = np.array(array, order="C")  # its own, which may be written to
    return (
        torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16) if array.dtype == jnp.bfloat16 else torch.from_numpy(array)
    )


def _compare(
    torch: Any, module: Any, tensors: Mapping[str, Any], network: Network, params: Any, state: Any, input_shape: Sequence[int]
) -> None:
    """Holds the outputs of a module with these tensors against those of the network, both in float64.

    Raises:
        ExchangeError: they differ.
    """
    shape = geometry.example_shape("input_shape", input_shape)
    x = np.random.default_rng(0).normal(size=(EXAMPLES, *shape))
    theirs = copy.deepcopy(module).cpu()
    theirs.load_state_dict(dict(tensors))
    try:
        with torch.no_grad():
            y = theirs.double().eval()(torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1))))
    except Exception as error:  # whatever a module of somebody else's raises
        reason = shorten(str(error), 300, placeholder=" …")
        raise ExchangeError(f"the module does not take {(EXAMPLES, shape[-1], *shape[:-1])}, (N, C, *S): {reason}") from error
    with jax.enable_x64(True):
        ours = np.asarray(apply(network, _wide(params), jnp.asarray(x), state=_wide(state)))
    ours = np.moveaxis(ours, -1, 1)
    if not isinstance(y, torch.Tensor) or tuple(y.shape) != ours.shape:
        given = tuple(y.shape) if isinstance(y, torch.Tensor) else geometry.shown(y)
        raise ExchangeError(f"the module gives {given} for {EXAMPLES} inputs of {shape}: expected {ours.shape}, as the network")
    difference, largest = float(np.abs(y.numpy() - ours).max()), float(np.abs(ours).max())
    if not difference <= ROOM * max(largest, 1.0):
        raise ExchangeError(
            f"the module computes something else than the network: with the same weights their outputs differ by up to "
            f"{difference:.2g}, the largest being {largest:.2g}. Weights do not say how layers pad (same with a stride of 2 is "
            f"not padding=1), the epsilon of a normalisation, the order in which a map is flattened, nor what else is done, a "
            f"softmax at the end for one"
        )


def _wide(tree: Any) -> Any:
    """All numbers in float64."""
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64), tree)


def _torch(what: str) -> Any:
    return library("torch", "torch", what)
