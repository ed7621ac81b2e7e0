"""What a candidate did with a case: called with care, whatever it does.

Imports nothing of ours when it runs: the process in which a candidate runs alone loads this file too
(`grading/candidate_process.py`).
"""

import inspect
import linecache
import os
import re
import signal
import threading
import time
import traceback
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jcnn.check.cases import Case
    from jcnn.check.operations import Kind

Array = np.ndarray

MOST_NUMBERS = 2**20
"""An output of more numbers is not looked at: no case has so large an answer."""

_LONGEST = 200
_QUOTES = re.compile(r"(?<=^It raises ).*$|^not implemented \(.*$|(?<= is )an? .*: expected an array\.$", re.DOTALL)


class Outcome(NamedTuple):
    """What came of one call.

    Attributes:
        leaves: the outputs as float64 arrays, None for one that is no array; empty where the call failed.
        problem: what is wrong whatever the values, in a sentence; None where nothing is.
        declined: the case was left out, and why.
        dtypes: of the outputs as returned.
        raised: the call ended in an exception, or not at all.
        crashed: it took the process with it, or had to be stopped.
        asked: the candidate was given the case; False where its signature has no place for it.
        lost: it was never run, as the candidate's process had ended.
        seconds: of processor time that the call took.
        spared: what the candidate does not take and was given otherwise, such as an x of more than two axes; "" for nothing.
    """

    leaves: tuple[Array | None, ...] = ()
    problem: str | None = None
    declined: str | None = None
    dtypes: tuple[str, ...] = ()
    raised: bool = False
    crashed: bool = False
    asked: bool = True
    lost: bool = False
    seconds: float = 0.0
    spared: str = ""

    @property
    def quoted(self) -> tuple[str, ...]:
        """What in its sentences is the candidate's own: a message, a line of its file, the name of a type."""
        found = map(_QUOTES.search, filter(None, (self.problem, self.declined)))
        return tuple(quote[0].rstrip(".") for quote in found if quote)


class Misfit(NamedTuple):
    """What stands for an output that cannot be brought into jcnn's form, and why, in a sentence."""

    sentence: str


def call(candidate: Callable[..., Any], kind: "Kind", case: "Case") -> Outcome:
    """Calls the candidate with copies of the case's arguments. Never raises, whatever the candidate does."""
    return ask(signature_of(candidate), case, lambda: perform(candidate, case.args, case.options, kind.leaves))


def ask(signature: inspect.Signature | None, case: "Case", answer: Callable[[], Outcome]) -> Outcome:
    """The candidate's answer, if its signature has a place for the case."""
    reason = _not_taken(signature, case) if signature else None
    if reason:
        return Outcome(declined=reason, asked=False)
    outcome = answer()
    unknown = _UNKNOWN_OPTION.match(outcome.problem or "") if outcome.raised and signature else None
    if signature and unknown and unknown["name"] in case.options and unknown["name"] not in signature.parameters:
        # A decorator without functools.wraps hides which options there are.
        return Outcome(declined=f"takes no {unknown['name']}", asked=False)
    return outcome


def perform(
    candidate: Callable[..., Any],
    args: dict[str, Any],
    options: dict[str, Any],
    outputs: Sequence[str],
    *,
    interrupted: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Calls the candidate, and copies what it returns at once.

    Args:
        candidate: the function.
        args: the positional arguments by name; the candidate gets copies.
        options: the keyword arguments.
        outputs: the names of what it should return.
        interrupted: whether a KeyboardInterrupt comes of Ctrl-C; one of the candidate's own is an exception as any other.

    Raises:
        KeyboardInterrupt: a person pressed Ctrl-C.
    """
    began = time.process_time()
    outcome = _performed(candidate, args, options, outputs, interrupted)
    return outcome._replace(seconds=time.process_time() - began, spared=_spared(candidate))


def _performed(
    candidate: Callable[..., Any],
    args: dict[str, Any],
    options: dict[str, Any],
    outputs: Sequence[str],
    interrupted: Callable[[], bool],
) -> Outcome:
    given = _copied(args)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            output = candidate(*given.values(), **_copied(options))
            leaves, dtypes, problem = _arrays(output, outputs)
            for name, value in args.items():
                if isinstance(value, np.ndarray) and not np.array_equal(value, given[name], equal_nan=True):
                    return Outcome(leaves, f"It changes its argument {name} in place: work on a copy.", dtypes=dtypes)
    except NotImplementedError as error:
        message = message_of(error)
        return Outcome(declined=f"not implemented ({message})" if message else "not implemented")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and interrupted():
            raise
        return Outcome(problem=f"It raises {describe_error(error)}{line_of(error)}", raised=True)
    return Outcome(leaves, problem, dtypes=dtypes)


def _spared(candidate: Callable[..., Any]) -> str:
    """What an adapter has just spared the candidate that it calls."""
    try:
        spared = getattr(candidate, "spared", "")
    except BaseException:  # noqa: BLE001 (its attributes are the candidate's to define)
        return ""
    return cleaned(spared) if isinstance(spared, str) else ""


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in values.items()}


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Tells a person's Ctrl-C from a KeyboardInterrupt that somebody else raises.

    Within it the function that it gives says whether the signal of Ctrl-C came; what the signal does is as before.
    """
    came = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    # Python hands signals to its main thread only; and what is not Python's own to handle is left as it is.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield came.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        came.set()
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def signature_of(candidate: Callable[..., Any]) -> inspect.Signature | None:
    """The candidate's signature; None where it has none that can be read."""
    try:
        return inspect.signature(candidate)
    except BaseException:  # noqa: BLE001 (the signature is the candidate's to define)
        return None


def name_of(candidate: Callable[..., Any]) -> str:
    """The candidate's name, as it may be printed."""
    try:
        return cleaned(str(getattr(candidate, "__name__", type(candidate).__name__)))
    except BaseException:  # noqa: BLE001 (the name is the candidate's to define)
        return "the candidate"


_OPTIONS = ("stride", "padding", "dilation", "groups", "rounding", "output_size", "output_padding")


_UNKNOWN_OPTION = re.compile(r"It raises TypeError: .*got an unexpected keyword argument '(?P<name>\w+)'")


def _not_taken(signature: inspect.Signature, case: "Case") -> str | None:
    """Why the candidate's signature has no place for the case."""
    try:
        signature.bind(*case.args.values(), **case.options)
    except TypeError:
        missing = [name for name in case.options if not _accepts(signature, name)]
        if missing:
            return f"takes no {', '.join(missing)}"
        optional = [name for name in ("b",) if name in case.args]
        if not optional:
            return None
        try:
            signature.bind(*tuple(case.args.values())[:-1], **case.options)
        except TypeError:
            return None
        return "takes no b"
    # In the place of a bias that is not there, an option would get it.
    return "takes no b" if "b" in case.args and _name_of(signature, len(case.args) - 1) in _OPTIONS else None


def _name_of(signature: inspect.Signature, place: int) -> str:
    """The name of the parameter that the positional argument at a place goes to."""
    names = list(signature.parameters)
    return names[place] if place < len(names) else ""


def _accepts(signature: inspect.Signature, name: str) -> bool:
    kinds = inspect.Parameter
    return any(
        parameter.kind == kinds.VAR_KEYWORD or (parameter.name == name and parameter.kind != kinds.POSITIONAL_ONLY)
        for parameter in signature.parameters.values()
    )


def _arrays(output: Any, wanted: Sequence[str]) -> tuple[tuple[Array | None, ...], tuple[str, ...], str | None]:
    """The outputs as arrays, their dtypes, and what is wrong with their number or kind."""
    if len(wanted) == 1:
        parts: tuple[Any, ...] = output if isinstance(output, tuple) and not isinstance(output, Misfit) else (output,)
    elif isinstance(output, tuple | list):
        parts = tuple(output)
    else:
        parts = (output,)
    problem = None
    if len(parts) != len(wanted):
        names = "".join(wanted) if len(wanted) == 1 else f"({', '.join(wanted)})"
        problem = f"It returns {len(parts)} {'output' if len(parts) == 1 else 'outputs'}: expected {len(wanted)}, {names}."
    leaves: list[Array | None] = []
    dtypes = []
    for name, part in zip(wanted, parts, strict=False):
        if isinstance(part, Misfit):
            problem = problem or part.sentence
            dtypes.append("")
            leaves.append(None)
            continue
        array = to_numpy(part)
        dtypes.append("" if array is None else array.dtype.name)
        if array is None:
            problem = problem or f"{name} {_no_array(part)}."
            leaves.append(None)
            continue
        if array.size > MOST_NUMBERS:
            problem = problem or f"{name} has shape {array.shape}: far more numbers than any case asks for."
            leaves.append(None)
            continue
        if array.dtype.name not in {"float64", "float32", "float16", "bfloat16"}:
            why = "fractions are lost" if array.dtype.kind in "iub" else "expected real numbers"
            why = "more digits than are asked for" if array.dtype.kind == "f" else why
            problem = problem or f"{name} has dtype {array.dtype.name}: {why}; return float64, as x has."
        leaves.append(array.astype(np.float64) if array.dtype.kind != "c" else np.real(array).astype(np.float64))
    return tuple(leaves), tuple(dtypes), problem


def _no_array(value: Any) -> str:
    """What an output is that is no array of numbers."""
    if value is None:
        return "is None: expected an array"
    if isinstance(value, Array):
        return f"has dtype {cleaned(value.dtype.name)}: expected numbers; return float64, as x has"
    return f"is a {cleaned(type(value).__name__)}: expected an array"


def to_numpy(value: Any) -> Array | None:
    """`value` as an array of numbers, from NumPy, JAX, PyTorch or nested lists; None where it is none."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "fiubc" or array.dtype.name == "bfloat16" else None


def describe_error(error: BaseException) -> str:
    """An exception in one line, its type and its message, whatever they are."""
    try:
        name = cleaned(type(error).__name__)
    except BaseException:  # noqa: BLE001 (the type is the candidate's to define)
        name = "an exception"
    return f"{name}: {message_of(error) or '(no message)'}"


_OURS = str(Path(__file__).parents[1])
_LIBRARIES = str(Path(os.__file__).parent)
_NO_FILES = ("<frozen ", "<__array_function__", "<attrs ", "<decorator")
_LONGEST_LINE = 60


def line_of(error: BaseException) -> str:
    """The line of the candidate's file in which an exception came up, with a space before it; "" where there is none."""
    try:
        frames = [(frame.f_code.co_filename, number) for frame, number in traceback.walk_tb(error.__traceback__)]
        own = next((file for file, _ in frames if _is_candidates(file)), None)
        number = next((number for file, number in reversed(frames) if file == own), None)
        if own is None or number is None:
            return ""
        code = cleaned(linecache.getline(own, number).strip(), _LONGEST_LINE)
    except BaseException:  # noqa: BLE001 (the exception and the file are the candidate's to define)
        return ""
    return f" (line {number}: `{code}`)" if code and not code.startswith("raise ") else f" (line {number})"


def _is_candidates(file: str) -> bool:
    """Whether a file is neither ours nor that of a library."""
    return not (
        file.startswith((_OURS, _LIBRARIES, *_NO_FILES)) or any(f"{name}-packages" in file for name in ("site", "dist"))
    )


def message_of(error: BaseException) -> str:
    """The first line of an exception's message, which may be empty; says so where it cannot be read."""
    try:
        lines = str(error).strip().splitlines()
    except BaseException:  # noqa: BLE001 (the message is the candidate's to compute)
        return "(its message cannot be read)"
    return cleaned(lines[0]) if lines else ""


def cleaned(text: str, longest: int = _LONGEST) -> str:
    """Text of a candidate as it may be printed: short, and without control characters or halves of characters."""
    kept = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in {"Cc", "Cf", "Cs"} else c for c in text[: longest + 1]
    )
    return kept if len(kept) <= longest else kept[:longest] + "…"
