"""How a run's files hold its network: a preset's name, or the layers as data."""

from typing import Any

from jcnn.layers import Network, Shape
from jcnn.network_data import from_data, to_data
from jcnn.presets import preset


def network_entry(network: Network) -> dict[str, Any]:
    """The layers as data, for `config.json` and the checkpoints.

    Raises:
        NetworkDataError: a layer that cannot be stored, or could not be found again.
    """
    return to_data(network)


def stored_network(entry: Any, input_shape: Shape, classes: int) -> Network:
    """The network of such an entry, or of a preset's name.

    Raises:
        ValueError: no such preset, or layers that cannot be made from what is stored.
    """
    return preset(entry, input_shape, classes) if isinstance(entry, str) else from_data(entry)
