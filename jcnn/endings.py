"""How the command ends when something goes wrong: a line for people, a number for scripts, and on request the traceback."""

import dis
import signal
from types import TracebackType

from jcnn.training.errors import Interrupted

SIGPIPE = 13
"""By its number, since Windows has no such signal."""

ERROR = 1
"""Something is wrong that the line explains, or was found wrong."""

USAGE = 2
"""The command is not understood: what tyro ends with, too."""

INTERNAL = 70
"""The program itself is wrong: EX_SOFTWARE of sysexits.h, so that a script does not take it for a verdict."""


class UsageError(ValueError):
    """A command line that cannot be meant."""


def ending(error: BaseException) -> tuple[str, int]:
    """The line to print, empty for none, and the exit code."""
    if isinstance(error, Interrupted):
        return str(error), 128 + error.number
    if isinstance(error, KeyboardInterrupt):
        return "stopped", 128 + signal.SIGINT
    if isinstance(error, BrokenPipeError):
        return "", 128 + SIGPIPE  # whoever reads has seen enough
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return f"out of memory: {error}" if str(error) else "out of memory", ERROR
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror, ERROR
    if isinstance(error, UsageError):
        return str(error), USAGE
    if raised_by_us(error):
        return str(error) or type(error).__name__, ERROR
    return (
        f"internal error: {type(error).__name__}: {error} (run again with --debug to see where, and please report it)",
        INTERNAL,
    )


def raised_by_us(error: BaseException) -> bool:
    """Whether a `raise` of jcnn's own brought the error up: then its words are meant for whoever runs the command.

    What comes out of the insides of JAX, NumPy or Python is not, even if it has the same type: nobody foresaw it.
    """
    if isinstance(error, AssertionError):
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and _in_our_code(trace) and _is_raise(trace)


def _in_our_code(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] == "jcnn"


def _is_raise(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]
