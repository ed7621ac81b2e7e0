"""What a training run is asked to do: every choice in one frozen value, checked before anything starts."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from typing_extensions import Doc

from jcnn import presets
from jcnn.data.registry import default_epochs, names_in_words
from jcnn.disk import naming

NAME = "config.json"
ADVICE = "to go on, put the file back as it was; for another recipe, start a run of its own with another --out"

Schedule = Literal["cosine", "constant"]
Dtype = Literal["float32", "bfloat16", "float16", "float64"]


@dataclass(frozen=True)
class Config:
    """The whole recipe of a run; with the code's version it decides the result."""

    data: Annotated[str, Doc(f"The images to learn: {names_in_words()}.")] = "digits"
    image_size: int | None = None
    """Bring every image to this height and width; needed where the images of a set differ in size."""
    network: Annotated[str, Doc(presets.help_text())] = "small"
    epochs: int = 100
    """How often every training image is seen."""
    batch_size: int = 64
    """Images per step."""
    learning_rate: float = 0.05
    """The largest step size, reached after the warm-up."""
    momentum: float = 0.9
    """How much of the last direction is kept, Nesterov's way; 0 is plain SGD."""
    schedule: Schedule = "cosine"
    """How the learning rate goes on after the warm-up: cosine (to zero at the end) or constant."""
    warmup: float = 0.1
    """The part of all steps over which the learning rate first rises in a line, 0 to 1."""
    weight_decay: float = 1e-3
    """Pull of the weights towards zero, added to their gradients; biases are left alone."""
    augment: bool = True
    """Show every image a little shifted, turned and resized, differently each time."""
    seed: int = 0
    """Decides the first weights, the order of the images and the augmentation."""
    dtype: Dtype = "float32"
    """The numbers to compute in."""

    def check(self) -> None:
        """Raises ValueError for a value of another type or out of range, by name."""
        for name, (kinds, expected) in KINDS.items():
            if type(getattr(self, name)) not in kinds:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected {expected}")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"image_size={self.image_size}: expected at least 1")
        ranges = {
            "momentum": (0 <= self.momentum < 1, "a number from 0 to below 1"),
            "warmup": (0 <= self.warmup <= 1, "a number from 0 to 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "a number from 0 on"),
        }
        for name, (inside, expected) in ranges.items():
            if not inside:
                raise ValueError(f"{name}={getattr(self, name)}: expected {expected}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate={self.learning_rate}: expected a positive number")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed={self.seed}: expected an integer from 0 to 2³² − 1")
        for name, allowed in (("schedule", ("cosine", "constant")), ("dtype", ("float32", "bfloat16", "float16", "float64"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(allowed)}")

    def to_json(self) -> dict[str, Any]:
        """The config as plain values."""
        return dataclasses.asdict(self)


KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("data", "network", "schedule", "dtype"), ((str,), "a word")),
    **dict.fromkeys(("epochs", "batch_size", "seed"), ((int,), "an integer")),
    **dict.fromkeys(("learning_rate", "momentum", "warmup", "weight_decay"), ((float, int), "a number")),
    "image_size": ((int, type(None)), "an integer or None"),
    "augment": ((bool,), "True or False"),
}
"""Python's types of the values, as JSON gives them back; True is no integer here."""


def recipe(data: str) -> Config:
    """The default recipe for a data set."""
    return Config(data=data, epochs=default_epochs(data))


def differences(asked: Config, stored: dict[str, Any]) -> str:
    """What two configs disagree on, as text; empty when they agree."""
    return ", ".join(
        f"{name}={value!r} (stored: {stored.get(name)!r})"
        for name, value in asked.to_json().items()
        if stored.get(name) != value
    )


def to_text(config: Config) -> str:
    """The content of a run's `config.json`: the config, and a digest of it."""
    values = config.to_json()
    return json.dumps({**values, "digest": _digest(values)}, indent=1) + "\n"


def stored_config(run: Path) -> Config | None:
    """The config that a run's folder was started with; None where there is none.

    Raises:
        ValueError: the file is not, byte for byte, what was written; or it was written by another version.
        OSError: it cannot be read; names it.
    """
    path = run / NAME
    try:
        with naming(path):
            content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        values = json.loads(content)
        digest = values.pop("digest", None)
        config = Config(**values)
        config.check()
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is no config of this version: {error}; {ADVICE}") from error
    if digest is None:
        raise ValueError(f"{path} has no digest: it was written by an older version, or by hand; {ADVICE}")
    if content != to_text(config).encode():
        raise ValueError(f"{path} is not what was written, its digest does not fit: damaged, or edited by hand; {ADVICE}")
    return config


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
