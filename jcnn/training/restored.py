"""A finished or stopped run, read back for prediction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jcnn.data import pixels as description
from jcnn.data.dataset import ARRAYS
from jcnn.data.pixels import Pixels
from jcnn.layers import Network, Shape
from jcnn.network import Params, init
from jcnn.network_data import from_data
from jcnn.presets import preset
from jcnn.random_keys import key
from jcnn.training import checkpoint
from jcnn.training.checkpoint import Checkpoint
from jcnn.training.config import Config
from jcnn.training.errors import CheckpointError
from jcnn.training.settings import fixed


class Restored(NamedTuple):
    """A trained network and what it was trained on.

    Attributes:
        network: its layers.
        params: its parameters.
        input_shape: of one image.
        images_dtype: of the images: "uint8", which it saw as v/255, or that of floats, which it saw as they are.
        pixels: how files became its images; None: it was trained on arrays, of which nobody knows.
        ground: whether its images have a "dark" or "bright" border nearly all; "" where they differ, or nobody knows.
        class_names: in the order of its scores.
        dtype: of the parameters.
        path: the checkpoint.
    """

    network: Network
    params: Params
    input_shape: tuple[int, ...]
    images_dtype: str
    pixels: Pixels | None
    ground: str
    class_names: tuple[str, ...]
    dtype: str
    path: Path


def restore_run(run: Path, refused: Callable[[str], None]) -> Restored:
    """The network of a run's newest good checkpoint.

    Args:
        run: the run's folder.
        refused: told of every checkpoint that is passed over, and why.

    Raises:
        CheckpointError: no folder, no checkpoint, or none that can be trusted.
    """
    found = checkpoint.load_newest(run / "checkpoints", refused, _restored)
    if found is None:
        raise CheckpointError(
            f"{run} holds no checkpoint: expected the folder of a run, as `jcnn train`, or `jcnn.fit` with out, leaves it"
        )
    return found


def _restored(found: Checkpoint) -> Restored:
    config, source = found.manifest["config"], found.manifest["data"]
    dtype, entry = config.get("dtype", Config.dtype), config.get("network", Config.network)
    shape, names = tuple(source["input_shape"]), tuple(source["class_names"])
    images_dtype = source.get("dtype", "uint8")  # the first runs had no others
    # What the first runs stored nothing of were sets by name, read as they are now.
    pixels = description.from_data(source["pixels"]) if source.get("pixels") else None if source["name"] == ARRAYS else Pixels()
    ground = source.get("ground", "")
    own = found._replace(
        arrays={name.removeprefix("params/"): array for name, array in found.arrays.items() if name.startswith("params/")}
    )
    with fixed(dtype):
        try:
            network = stored_network(entry, shape, len(names))
            template = jax.eval_shape(lambda: init(key(0), network, shape, dtype))
        except (ValueError, TypeError, OverflowError) as error:
            raise CheckpointError(f"{found.path} is refused: no network of this version: {error}") from error
        params = checkpoint.restore(own, template)
        return Restored(network, params, shape, images_dtype, pixels, ground, names, dtype, found.path)


def stored_network(entry: Any, input_shape: Shape, classes: int) -> Network:
    """The network of a run's config: of a preset's name, or of layers as data.

    Raises:
        ValueError: no such preset, or layers that cannot be made from what is stored.
    """
    return preset(entry, input_shape, classes) if isinstance(entry, str) else from_data(entry)
