"""The network that reads what is drawn: the newest run that fits, or one trained on the spot."""

import threading
from functools import cache
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from rich.console import Console

from jcnn import data
from jcnn.figures.feature_maps import follow
from jcnn.layers import Network
from jcnn.network import Params
from jcnn.percentages import share
from jcnn.presets import preset
from jcnn.training import CheckpointError, Config, Recipe, fit, restore_run

INPUT_SHAPE = (8, 8, 1)
EPOCHS = 12
"""Enough for 98 % of the test digits, and a few seconds on two cores."""

_ONE_AT_A_TIME = threading.Lock()


class Trained(NamedTuple):
    """A network that knows the digits, and where it comes from, in a sentence."""

    network: Network
    params: Params
    class_names: tuple[str, ...]
    origin: str


def trained(runs: Path | None = None) -> Trained:
    """The network, found or trained once in the life of the process; who comes meanwhile waits.

    Args:
        runs: where runs lie; None: runs/.
    """
    with _ONE_AT_A_TIME:
        return _trained(runs or Path("runs"))


@cache
def _trained(runs: Path) -> Trained:
    return newest(runs) or fresh(EPOCHS)


def newest(runs: Path) -> Trained | None:
    """The newest of these runs that reads digits of the embedded kind; None: there is none."""
    for config in sorted(runs.glob("*/config.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            found = restore_run(config.parent, lambda _: None)
        except (CheckpointError, ValueError, OSError):
            continue
        if found.input_shape == INPUT_SHAPE and found.class_names == tuple("0123456789"):
            return Trained(found.network, found.params, found.class_names, f"It is your newest run that fits, {config.parent}.")
    return None


def fresh(epochs: int) -> Trained:
    """Trains the default network on the embedded digits."""
    digits, network = data.load("digits"), preset(Config.network, INPUT_SHAPE, 10)
    result = fit(network, digits, data.load("digits", "test"), recipe=Recipe(epochs=epochs), console=Console(file=StringIO()))
    _, test = result.tested
    origin = (
        f"It was trained when this page started, for {epochs} epochs, and reads {share(test.right, len(test.labels))} of "
        f"{len(test.labels)} digits right that it had not seen."
    )
    return Trained(result.network, result.params, digits.class_names, origin)


def probabilities(reader: Trained, image: UInt8[np.ndarray, "8 8 1"]) -> Float[np.ndarray, " classes"]:
    """How likely each class is."""
    found = follow(reader.network, reader.params, image).probabilities
    if found is None:
        raise ValueError("the network ends in no vector of classes")
    return found


def ranked(names: tuple[str, ...], chances: Float[np.ndarray, " classes"], top: int = 3) -> list[tuple[str, float]]:
    """The likeliest classes, first the likeliest."""
    return [(names[index], float(chances[index])) for index in np.argsort(-chances, kind="stable")[:top]]
