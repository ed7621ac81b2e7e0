"""How messages name an option: as the command spells it, or as an argument of `jcnn.fit`."""

from collections.abc import Callable

Spelling = Callable[[str], str]


def as_command(option: str) -> str:
    """--learning-rate for learning_rate."""
    return f"--{option.replace('_', '-')}"


def as_argument(option: str) -> str:
    """learning_rate, or resume=True for what is switched on."""
    return "resume=True" if option == "resume" else option
