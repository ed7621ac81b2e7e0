"""What a run fails with, and how its messages name an option: as the command spells it, or as an argument of `jcnn.fit`."""

from collections.abc import Callable

Spelling = Callable[[str], str]


class TrainingError(Exception):
    """A run that cannot go on; the message says where, why and what to try."""


class RunInUseError(TrainingError):
    """A run's folder that another training holds; the message names the folder, the process, its machine, and since when."""


class MetricsError(TrainingError):
    """A metrics file that is not what was written; the message names the file, the line, and the way out."""


class CheckpointError(Exception):
    """A checkpoint that cannot be written, or must not be trusted; the message names the file and why."""


def as_command(option: str) -> str:
    """--learning-rate for learning_rate."""
    return f"--{option.replace('_', '-')}"


def as_argument(option: str) -> str:
    """learning_rate, or resume=True for what is switched on."""
    return "resume=True" if option == "resume" else option
