"""A finished or stopped run, read back for prediction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jcnn.data import pixels as description
from jcnn.data.dataset import ARRAYS
from jcnn.data.pixels import Pixels
from jcnn.layers import Network, Shape
from jcnn.network import Params, init, init_state
from jcnn.network_data import from_data
from jcnn.presets import preset
from jcnn.random_keys import key
from jcnn.training import averaging, checkpoint
from jcnn.training.averaging import Averaging
from jcnn.training.checkpoint import Checkpoint
from jcnn.training.config import Config, choice
from jcnn.training.errors import CheckpointError
from jcnn.training.settings import fixed
from jcnn.training.step import Weights


class Restored(NamedTuple):
    """A trained network and what it was trained on.

    Attributes:
        network: its layers.
        params: its parameters.
        state: what its layers keep beside them, such as running statistics.
        input_shape: of one image.
        images_dtype: of the images: "uint8", which it saw as v/255, or that of floats, which it saw as they are.
        pixels: how files became its images; None: it was trained on arrays, of which nobody knows.
        ground: whether its images have a "dark" or "bright" border nearly all; "" where they differ, or nobody knows.
        class_names: in the order of its scores.
        dtype: of the parameters.
        test_time_flip: whether it was evaluated on images and their mirror images.
        path: the checkpoint.
    """

    network: Network
    params: Params
    state: Any
    input_shape: tuple[int, ...]
    images_dtype: str
    pixels: Pixels | None
    ground: str
    class_names: tuple[str, ...]
    dtype: str
    test_time_flip: bool
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
    dtype = choice(config, "master_dtype") or config.get("dtype", Config.dtype)
    entry, average = config.get("network", Config.network), averaging.from_data(choice(config, "average"))
    shape, names = tuple(source["input_shape"]), tuple(source["class_names"])
    images_dtype = source.get("dtype", "uint8")  # the first runs had no others
    # What the first runs stored nothing of were sets by name, read as they are now.
    pixels = description.from_data(source["pixels"]) if source.get("pixels") else None if source["name"] == ARRAYS else Pixels()
    ground = source.get("ground", "")
    with fixed(dtype):
        try:
            network = stored_network(entry, shape, len(names))
            like = jax.eval_shape(lambda: Weights(init(key(0), network, shape, dtype), init_state(network, shape, dtype)))
        except (ValueError, TypeError, OverflowError) as error:
            raise CheckpointError(f"{found.path} is refused: no network of this version: {error}") from error
        weights = _weights(found, like, average)
        return Restored(
            network,
            weights.params,
            weights.network_state,
            shape,
            images_dtype,
            pixels,
            ground,
            names,
            dtype,
            choice(config, "test_time_flip"),
            found.path,
        )


def _weights(found: Checkpoint, like: Weights, average: Averaging | None) -> Weights:
    """What the network was evaluated with: the average, where there is one, else the last weights."""
    if average is None:
        return Weights(*(checkpoint.restore(_part(found, name), part) for name, part in like._asdict().items()))
    kept = checkpoint.restore(_part(found, "average"), jax.eval_shape(average.begin, like))
    return average.result(kept, like)


def _part(found: Checkpoint, name: str) -> Checkpoint:
    """A checkpoint with one part of its state alone."""
    inside = f"{name}/"
    return found._replace(
        arrays={name.removeprefix(inside): array for name, array in found.arrays.items() if name.startswith(inside)}
    )


def stored_network(entry: Any, input_shape: Shape, classes: int) -> Network:
    """The network of a run's config: of a preset's name, or of layers as data.

    Raises:
        ValueError: no such preset, or layers that cannot be made from what is stored.
    """
    return preset(entry, input_shape, classes) if isinstance(entry, str) else from_data(entry)
