"""A finished or stopped run, read back for prediction."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax

from jcnn.layers import Network
from jcnn.network import Params, init
from jcnn.random_keys import key
from jcnn.training import checkpoint
from jcnn.training.checkpoint import Checkpoint, CheckpointError
from jcnn.training.config import Config
from jcnn.training.network_entry import stored_network
from jcnn.training.settings import fixed


class Restored(NamedTuple):
    """A trained network and what it was trained on."""

    network: Network
    params: Params
    input_shape: tuple[int, ...]
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
        raise CheckpointError(f"{run} holds no checkpoint: expected the folder of a run, as `jcnn train` leaves it")
    return found


def _restored(found: Checkpoint) -> Restored:
    config, source = Config(**found.manifest["config"]), found.manifest["data"]
    dtype, shape, names = config.dtype, tuple(source["input_shape"]), tuple(source["class_names"])
    own = found._replace(
        arrays={name.removeprefix("params/"): array for name, array in found.arrays.items() if name.startswith("params/")}
    )
    with fixed(dtype):
        try:
            network = stored_network(config.network, shape, len(names))
            template = jax.eval_shape(lambda: init(key(0), network, shape, dtype))
        except (ValueError, TypeError, OverflowError) as error:
            raise CheckpointError(f"{found.path} is refused: no network of this version: {error}") from error
        return Restored(network, checkpoint.restore(own, template), shape, names, dtype, found.path)
