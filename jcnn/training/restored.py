"""A finished or stopped run, read back for prediction."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax

from jcnn.layers import Network
from jcnn.network import Params, init
from jcnn.presets import preset
from jcnn.training import checkpoint
from jcnn.training.checkpoint import CheckpointError


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
    found = checkpoint.load_newest(run / "checkpoints", refused)
    if found is None:
        raise CheckpointError(f"{run} holds no checkpoint: expected the folder of a run, as `jcnn train` leaves it")
    config, source = found.manifest["config"], found.manifest["data"]
    shape = tuple(source["input_shape"])
    network = preset(config["network"], shape, len(source["class_names"]))
    template = jax.eval_shape(lambda: init(jax.random.key(0), network, shape, config["dtype"]))
    own = found._replace(
        arrays={name.removeprefix("params/"): array for name, array in found.arrays.items() if name.startswith("params/")}
    )
    params = checkpoint.restore(own, template)
    return Restored(network, params, shape, tuple(source["class_names"]), config["dtype"], found.path)
