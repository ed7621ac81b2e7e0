"""Weights as a safetensors file: arrays by name behind a header of JSON, nothing that could be executed.

    params.0.w    (3, 3, 1, 32)    params[0]["w"]; filters are (*F, C_in // groups, C_out)
    state.1.mean  (32,)            state[1]["mean"]

The header's metadata has what the arrays alone do not say: the layers as data (`jcnn.network_data`), the shape of one input, the
names of the classes. A file without them, of other origin, is read with a network given.

Source: the format of https://github.com/huggingface/safetensors.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jcnn import geometry, network_data
from jcnn.disk import file_to_write, write_atomically
from jcnn.exchange.arrays import by_name, check_trained
from jcnn.layers import Network, Shape
from jcnn.network_data import NetworkDataError

FORMAT = "jcnn"


class Weights(NamedTuple):
    """A network as a safetensors file has it.

    Attributes:
        network: its layers.
        params: its parameters.
        state: what layers keep beside them; None if nothing.
        input_shape: of one example.
        class_names: in the order of the logits; () where the file has none.
    """

    network: Network
    params: Any
    state: Any
    input_shape: Shape
    class_names: tuple[str, ...]


def save_safetensors(
    path: str | os.PathLike[str],
    network: Network,
    params: Any,
    state: Any = None,
    *,
    input_shape: Sequence[int],
    class_names: Sequence[str] = (),
) -> None:
    """Writes a trained network's arrays, bit for bit, as a safetensors file; it appears whole or not at all.

    Args:
        path: the file; one of that name is replaced.
        network: a tuple of layers; described in the file's metadata, unless a layer of one's own cannot be imported later.
        params: as `init` makes them.
        state: as `init_state` makes it, or as training left it.
        input_shape: of one example, (*S, C).
        class_names: of the classes, in the order of the logits.

    Raises:
        NetworkError: parameters, state and input do not fit the network; by layer.
        ExchangeError: safetensors is not installed.
        OSError: the file cannot be written; names it.
    """
    from safetensors.numpy import save

    path = file_to_write(Path(path))
    shape = geometry.example_shape("input_shape", input_shape)
    check_trained(network, params, state, shape)
    arrays = {name: np.ascontiguousarray(array) for name, array in by_name(params, state).items()}
    metadata = {"format": FORMAT, "input_shape": json.dumps(shape), "class_names": json.dumps(list(class_names))}
    try:
        metadata["network"] = json.dumps(network_data.to_data(network))
    except NetworkDataError:
        pass
    write_atomically(path, save(arrays, metadata))
