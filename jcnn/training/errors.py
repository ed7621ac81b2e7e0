"""What a run ends with in place of a result, and how its messages name an option or a difference."""

from collections.abc import Callable
from itertools import zip_longest
from typing import Any

Spelling = Callable[[str], str]


class TrainingError(Exception):
    """A run that cannot go on; the message says where, why and what to try."""


class RunInUseError(TrainingError):
    """A run's folder that another training holds; the message names the folder, the process, its machine, and since when."""


class MetricsError(TrainingError):
    """A metrics file that is not what was written; the message names the file, the line, and the way out."""


class CheckpointError(Exception):
    """A checkpoint that cannot be written, or must not be trusted; the message names the file and why."""


class Interrupted(Exception):  # noqa: N818 (no error: the run did as it was asked)
    """The run was asked to stop by SIGTERM or Ctrl-C, and has saved its state.

    Attributes:
        number: the signal that asked.
    """

    def __init__(self, number: int, message: str) -> None:
        """Keeps the signal's number beside the message."""
        super().__init__(message)
        self.number = number


def as_command(option: str) -> str:
    """--learning-rate for learning_rate."""
    return f"--{option.replace('_', '-')}"


def as_argument(option: str) -> str:
    """learning_rate, or resume=True for what is switched on."""
    return "resume=True" if option == "resume" else option


SHOWN = 80
"""Characters of a value in a message, at most."""

_NOTHING = object()


def first_difference(here: Any, there: Any, place: str) -> tuple[str, str, str] | None:
    """The first part in which two plain values differ: its place, and both as text; None when they are equal.

    Dicts without a name in common, such as two layers of other kinds, are parts themselves.

    Args:
        here: numbers, texts, and lists and dicts of them.
        there: the other one.
        place: what the whole is called; a part is at place/name or place/number.
    """
    if here == there:
        return None
    parts: dict[Any, tuple[Any, Any]] = {}
    if isinstance(here, dict) and isinstance(there, dict) and here.keys() & there.keys():
        parts = {name: (here.get(name, _NOTHING), there.get(name, _NOTHING)) for name in {**here, **there}}
    elif isinstance(here, list) and isinstance(there, list):
        parts = dict(enumerate(zip_longest(here, there, fillvalue=_NOTHING)))
    for name, (one, other) in parts.items():
        if found := first_difference(one, other, f"{place}/{name}"):
            return found
    return place, _shown(here), _shown(there)


def _shown(value: Any) -> str:
    text = "nothing" if value is _NOTHING else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
