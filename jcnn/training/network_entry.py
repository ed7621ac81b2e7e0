"""How a run's files hold its network: a preset's name, or the layers as data."""

from typing import Any

from jcnn.layers import Network, Shape
from jcnn.presets import preset


def network_entry(network: Network) -> dict[str, Any]:
    """The layers as data, for `config.json` and the checkpoints."""
    return {"layers": [repr(layer) for layer in network]}


def stored_network(entry: Any, input_shape: Shape, classes: int) -> Network:
    """The network of such an entry, or of a preset's name.

    Raises:
        ValueError: no such preset, or layers that cannot be made from what is stored.
    """
    if isinstance(entry, str):
        return preset(entry, input_shape, classes)
    raise ValueError("its network has no name, and its layers cannot be made from what is stored")
