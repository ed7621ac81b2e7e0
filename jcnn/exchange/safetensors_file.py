"""Weights as a safetensors file: arrays by name behind a header of JSON, nothing that could be executed.

    layout="jcnn"     params.0.w    (3, 3, 1, 32)     params[0]["w"]; filters are (*F, I, O), dense weights (I, O)
                      state.1.mean  (32,)             state[1]["mean"]
    layout="torch"    0.weight      (32, 1, 3, 3)     as in the state dict of `torch_module`

The header's metadata has what the arrays alone do not say: the layers as data (`jcnn.network_data`), the shape of one input,
the names of the classes. What other programs wrote has none of that, and is read with a network given.

Source: the format of https://github.com/huggingface/safetensors.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np

from jcnn import geometry, network_data
from jcnn.archive import is_shape, is_texts
from jcnn.disk import file_to_write, naming, write_atomically
from jcnn.exchange.arrays import Trained, by_name, check_trained, from_names
from jcnn.exchange.errors import ExchangeError
from jcnn.exchange.torch_state import from_state_dict, to_state_dict
from jcnn.layers import Network, Shape
from jcnn.network_data import NetworkDataError

Layout = Literal["jcnn", "torch"]

DTYPES = {
    "BF16": np.dtype(jnp.bfloat16),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
}
"""What arrays of a network are made of, by the names of the format; integers count PyTorch's batches."""


def save_safetensors(
    path: str | os.PathLike[str],
    network: Network,
    params: Any,
    state: Any = None,
    *,
    input_shape: Sequence[int],
    class_names: Sequence[str] = (),
    layout: Layout = "jcnn",
) -> None:
    """Writes a trained network's arrays, bit for bit, as a safetensors file; it appears whole or not at all.

    Args:
        path: the file; one of that name is replaced.
        network: a tuple of layers. Where all of them are of jcnn the file describes it; layers of one's own have to be given
            again when it is read.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        input_shape: of one example, (*S, C).
        class_names: of the classes, in the order of the logits.
        layout: names and axes, `"jcnn"` or `"torch"`, which `load_state_dict` of a module of PyTorch takes.

    Raises:
        NetworkError: parameters, state and input do not fit the network; by layer.
        ExchangeError: a layer has no counterpart in PyTorch, for that layout.
        TypeError: class names that are no texts.
        OSError: the file cannot be written; names it.
    """
    from safetensors.numpy import save

    path = Path(path)
    file_to_write(path)
    shape = geometry.example_shape("input_shape", input_shape)
    geometry.choice("layout", layout, get_args(Layout))
    names = list(class_names) if geometry.is_series(class_names) else None
    if not is_texts(names):
        raise TypeError(geometry.wrong("class_names", class_names, "texts, one for each class"))
    check_trained(network, params, state, shape)
    torch = layout == "torch"
    arrays = to_state_dict(network, params, state, input_shape=shape) if torch else by_name(params, state)
    metadata = {"format": "pt" if torch else "jcnn", "input_shape": json.dumps(shape), "class_names": json.dumps(names)}
    with suppress(NetworkDataError):
        data = network_data.to_data(network)
        if not _import_paths(data):
            metadata["network"] = json.dumps(data)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, save(arrays, metadata))


def load_safetensors(
    path: str | os.PathLike[str],
    network: "Network | None" = None,
    input_shape: Sequence[int] | None = None,
    *,
    names: Mapping[str, str] | None = None,
) -> Trained:
    """Reads a network's arrays from a safetensors file, of jcnn or of PyTorch; nothing in it is executed or imported.

    Args:
        path: the file.
        network: a tuple of layers; None: the one that the file describes.
        input_shape: of one example, (*S, C); None: the one in the file.
        names: of arrays of PyTorch for each module the place of its layer, as in `from_torch`; such a file does not say in
            which order they come.

    Returns:
        Network, parameters and state, in the dtypes of the file.

    Raises:
        NetworkError: the network does not fit the input.
        ExchangeError: it is damaged or no such file, does not describe a network where none is given, or its arrays do not fit
            the network, by name.
        OSError: there is no such file, or it cannot be read; names it.
    """
    arrays, metadata = _read(Path(path))
    layers = _described(metadata, "network", _network, path, "network=") if network is None else network
    given = _described(metadata, "input_shape", _shape, path, "input_shape=") if input_shape is None else input_shape
    shape = geometry.example_shape("input_shape", given)
    class_names = _described(metadata, "class_names", _texts, path, "") if "class_names" in metadata else ()
    if metadata.get("format") == "jcnn" and names is None:
        params, state = from_names(arrays, layers, shape, str(path))
    else:
        params, state = from_state_dict(arrays, layers, shape, names=names, in_order=False, whose=str(path))
    return Trained(tuple(layers), params, state, shape, class_names)


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a file, and its metadata."""
    from safetensors import SafetensorError, deserialize

    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise ExchangeError(f"{path} is no file: expected one in the format safetensors")
    with naming(path):
        content = path.read_bytes()
    try:
        found = deserialize(content)
    except SafetensorError as error:
        raise ExchangeError(f"{path} is refused: truncated, changed, or no file in the format safetensors: {error}") from error
    arrays = {}
    for name, described in found:
        if described["dtype"] not in DTYPES:
            raise ExchangeError(
                f"{path} is refused: {name[:100]} is of {described['dtype']}, expected one of {', '.join(DTYPES)}"
            )
        arrays[name] = np.frombuffer(described["data"], DTYPES[described["dtype"]]).reshape(described["shape"])
    # What the library has found to be a header is one.
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return arrays, header.get("__metadata__") or {}


def _described(metadata: Mapping[str, str], name: str, read: Any, path: Any, give: str) -> Any:
    """An entry of the metadata."""
    if name not in metadata:
        raise ExchangeError(f"{path} has no {name} in its metadata, as jcnn writes it: give {give}")
    try:
        return read(json.loads(metadata[name]))
    except (ValueError, TypeError, RecursionError) as error:
        raise ExchangeError(f"{path} is refused: its {name} is none: {str(error)[:300]}") from error


def _network(data: Any) -> tuple[Any, ...]:
    if paths := _import_paths(data):
        raise ValueError(f"it names {paths[0][:100]}, which would have to be imported: give network=")
    return network_data.from_data(data)


def _shape(data: Any) -> Shape:
    if not is_shape(data):
        raise ValueError(f"{geometry.shown(data)}, expected a list of sizes")
    return tuple(data)


def _texts(data: Any) -> tuple[str, ...]:
    if not is_texts(data):
        raise TypeError(f"{geometry.shown(data)}, expected a list of texts")
    return tuple(data)


def _import_paths(data: Any) -> list[str]:
    """The classes in a network's data that are no layers of jcnn."""
    if isinstance(data, Mapping):
        own = [name for name in data if ":" in name]
        return own + [path for inner in data.values() for path in _import_paths(inner)]
    return [path for inner in data for path in _import_paths(inner)] if isinstance(data, list) else []
