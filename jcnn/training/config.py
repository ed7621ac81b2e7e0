"""What a training run is asked to do, in words and on the disk."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import tyro
from typing_extensions import Doc

from jcnn import geometry, presets
from jcnn.data import augmentations
from jcnn.data.augmentations import Augment
from jcnn.data.pixels import CHOICES, DEFAULTS, Broken, Pixels
from jcnn.data.registry import default_epochs, names_in_words
from jcnn.disk import naming
from jcnn.training import averaging
from jcnn.training.averaging import Averaging
from jcnn.training.errors import Spelling, as_command, first_difference
from jcnn.training.recipe import Optimizer, Recipe, check_kinds

NAME = "config.json"


@dataclass(frozen=True)
class _Subject(Pixels):
    """What is trained on what, in words."""

    data: Annotated[str, Doc(f"The images to learn: {names_in_words()}.")] = "digits"
    image_size: int | None = None
    """Bring every image to this height and width; needed where the images of a set differ in size."""
    broken: Broken = "refuse"
    """What is done where images cannot be read: refuse (all of them are named), or skip (named and left out)."""
    network: Annotated[str, Doc(presets.help_text())] = "small"

    @property
    def pixels(self) -> Pixels:
        """How files become images, alone."""
        return Pixels(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Pixels)})

    def subject(self) -> dict[str, Any]:
        """What is trained on what, as plain values; without the recipe."""
        named = {"data": self.data, "image_size": self.image_size, "network": self.network, "broken": self.broken}
        return {**named, **self.pixels.options()}


@dataclass(frozen=True)
class Config(Recipe, _Subject):
    """The whole recipe of a run; with the code's version it decides the result."""

    augment: Annotated[
        Augment,
        tyro.constructors.PrimitiveConstructorSpec(
            nargs="*",
            metavar="WORDS",
            instance_from_str=augmentations.from_words,
            is_instance=lambda value: isinstance(value, bool | tuple),
            str_from_instance=lambda value: [augmentations.in_words(value)],
        ),
        Doc(
            "What is done to the images, differently each time, such as flip,crop:4,cutout:8; none for nothing. There are "
            f"{augmentations.usage()}."
        ),
    ] = True
    optimizer: Optimizer = "sgd"
    """How gradients become updates: sgd; adam or adamw, whose β₁ is the momentum and β₂ 0.999; or muon, at rates of adamw."""
    average: Annotated[
        Averaging | None,
        tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar="WORDS",
            instance_from_str=lambda words: averaging.from_words(words[0]),
            is_instance=lambda value: value is None or isinstance(value, Averaging),
            str_from_instance=lambda value: [averaging.in_words(value)],
        ),
        Doc(
            "What is evaluated and saved in place of the last weights: an average of them over the steps. There are "
            f"{averaging.usage()}."
        ),
    ] = None

    def check(self) -> None:
        """Raises ValueError for a value of another type or out of range, by name."""
        check_kinds(self, KINDS)
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"image_size={self.image_size}: expected at least 1")
        self.pixels.check()
        geometry.choice("broken", self.broken, get_args(Broken))
        super().check()

    def to_json(self) -> dict[str, Any]:
        """The config as plain values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return as_stored({**values, **self.subject()})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Config":
        """The config of plain values, not checked.

        Raises:
            ValueError: augmentations, or an average, that there are not.
            TypeError: a choice that there is not.
        """
        return cls(**{name: READ[name](value) if name in READ else value for name, value in values.items()})


KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("data", "network", "broken", *CHOICES), ((str,), "a word")),
    "image_size": ((int, type(None)), "an integer or None"),
}
"""Python's types of the values, as JSON gives them back; True is no integer here."""

LATER = {
    "optimizer": "sgd",
    "label_smoothing": 0.0,
    "average": None,
    "master_dtype": None,
    "test_time_flip": False,
    "broken": "refuse",
    **DEFAULTS,
}
"""Choices that the first runs did not have: stored only where they are not what those runs did."""


def default_config(data: str) -> Config:
    """What `jcnn train` does with a data set unless it is told otherwise."""
    return Config(data=data, epochs=default_epochs(data))


def as_stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """All choices by name, as a run's files hold them: plain values."""
    plain = {name: WRITTEN[name](value) if name in WRITTEN else value for name, value in values.items()}
    return {name: value for name, value in plain.items() if name not in LATER or value != LATER[name]}


WRITTEN: dict[str, Callable[[Any], Any]] = {"augment": augmentations.to_data, "average": averaging.to_data}
"""How values that are not plain are written."""

READ: dict[str, Callable[[Any], Any]] = {"augment": augmentations.from_data, "average": averaging.from_data}
"""How they are read."""


def in_words(values: Mapping[str, Any]) -> dict[str, str]:
    """Those of the choices that a run's files hold as data which have words, in these."""
    return {name: READ_AS_WORDS[name](READ[name](values[name])) for name in READ if values.get(name) is not None}


READ_AS_WORDS: dict[str, Callable[[Any], str]] = {"augment": augmentations.in_words, "average": averaging.in_words}


def choice(values: Mapping[str, Any], name: str) -> Any:
    """One of the choices that a run's files hold, also where they leave it out; None where there is none."""
    return values.get(name, LATER.get(name))


def differences(asked: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
    """What two runs' choices disagree on, as text; empty when they agree. Of a choice in many parts, the first that differs."""
    found = [first_difference(choice(asked, name), choice(stored, name), name) for name in {**asked, **stored}]
    return ", ".join(f"{place}={here} (stored: {there})" for place, here, there in filter(None, found))


def to_text(values: Mapping[str, Any]) -> str:
    """The content of a run's `config.json`: all choices by name, and a digest of them."""
    return json.dumps({**values, "digest": _digest(values)}, indent=1) + "\n"


def check_stored(values: Any) -> None:
    """Raises ValueError or TypeError unless these are the choices of a run, as its files hold them.

    A network that has no name is data in place of a word, and so is an optimiser.
    """
    words = {name: value for name, value in _choices(values).items() if not _is_data(name, value)}
    Config.from_json(words).check()


def stored_values(run: Path, spelling: Spelling) -> dict[str, Any] | None:
    """The choices that a run's folder was started with, by name; None where there are none.

    Args:
        run: the folder.
        spelling: how messages name an option.

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
    out = spelling("out")
    advice = f"to go on, put the file back as it was; for another recipe, start a run of its own with another {out}"
    try:
        values = _choices(json.loads(content))
        digest = values.pop("digest", None)
        check_stored(values)
        _check_complete(values)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is no config of this version: {error}; {advice}") from error
    if digest is None:
        raise ValueError(f"{path} has no digest: it was written by an older version, or by hand; {advice}")
    if content != to_text(as_stored(values)).encode():
        raise ValueError(f"{path} is not what was written, its digest does not fit: damaged, or edited by hand; {advice}")
    return values


def _choices(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise TypeError(f"it holds {geometry.shown(values)}, expected choices by name")
    return values


def stored_config(run: Path) -> Config | None:
    """The config that `jcnn train` started a run's folder with; None where there is none.

    Raises:
        ValueError: as `stored_values`; or the run is one of `jcnn.fit`, with a network or optimiser that has no name.
        OSError: it cannot be read; names it.
    """
    values = stored_values(run, as_command)
    if values is None:
        return None
    if own := [name for name, value in values.items() if _is_data(name, value)]:
        raise ValueError(
            f"{run / NAME} is of a run of jcnn.fit, whose {own[0]} has no name: go on with it by jcnn.fit(…, resume=True)"
        )
    return Config.from_json(values)


def _check_complete(values: Mapping[str, Any]) -> None:
    missing = {field.name for field in dataclasses.fields(Config)} - LATER.keys() - values.keys()
    if missing:
        raise ValueError(f"it has no {', '.join(sorted(missing))}")


def _is_data(name: str, value: Any) -> bool:
    return name in ("network", "optimizer") and isinstance(value, dict) and value != {}


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
