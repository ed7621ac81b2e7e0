"""What goes wrong on the way out and in, and libraries that only this way needs."""

import importlib
from types import ModuleType


class ExchangeError(ValueError):
    """A network that cannot be written in another format, or a file that cannot be taken; the message says where and why."""


def library(name: str, extra: str, what: str) -> ModuleType:
    """A library that jcnn itself does without, imported.

    Args:
        name: its module.
        extra: the extra of jcnn that installs it.
        what: what needs it, for the message.

    Raises:
        ExchangeError: it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ExchangeError(f'{what} needs {name} ({error}): pip install "jcnn[{extra}]"') from error
