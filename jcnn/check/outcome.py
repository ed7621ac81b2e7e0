"""What a candidate did with a case: called with care, whatever it does."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.kinds import Kind

Array = np.ndarray


class Outcome(NamedTuple):
    """What came of one call.

    Attributes:
        leaves: the outputs as float64 arrays, None for one that is no array; empty where the call failed.
        problem: what is wrong whatever the values, in a sentence; None where nothing is.
        declined: the candidate does not take this case, and why.
        dtypes: of the outputs as returned.
        raised: the call ended in an exception.
    """

    leaves: tuple[Array | None, ...] = ()
    problem: str | None = None
    declined: str | None = None
    dtypes: tuple[str, ...] = ()
    raised: bool = False


def call(candidate: Callable[..., Any], kind: Kind, case: Case) -> Outcome:
    """Calls the candidate with copies of the case's arguments. Never raises, whatever the candidate does."""
    if reason := _not_taken(candidate, case):
        return Outcome(declined=reason)
    args = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in case.args.items()}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            output = candidate(*args.values(), **case.options)
            leaves, dtypes, problem = _arrays(output, kind)
    except NotImplementedError as error:
        return Outcome(declined=f"not implemented ({_told(error)})")
    except (Exception, SystemExit) as error:  # noqa: BLE001 (a candidate may raise anything)
        return Outcome(problem=f"It raises {type(error).__name__}: {_told(error)}", raised=True)
    for name, value in case.args.items():
        if isinstance(value, np.ndarray) and not np.array_equal(value, args[name], equal_nan=True):
            return Outcome(leaves, f"It changes its argument {name} in place: work on a copy.", dtypes=dtypes)
    return Outcome(leaves, problem, dtypes=dtypes)


def _not_taken(candidate: Callable[..., Any], case: Case) -> str | None:
    """Why the candidate's signature has no place for the case."""
    try:
        signature = inspect.signature(candidate)
    except (TypeError, ValueError):
        return None
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
    return None


def _accepts(signature: inspect.Signature, name: str) -> bool:
    kinds = inspect.Parameter
    return any(
        parameter.kind == kinds.VAR_KEYWORD or (parameter.name == name and parameter.kind != kinds.POSITIONAL_ONLY)
        for parameter in signature.parameters.values()
    )


def _arrays(output: Any, kind: Kind) -> tuple[tuple[Array | None, ...], tuple[str, ...], str | None]:
    """The outputs as arrays, their dtypes, and what is wrong with their number or kind."""
    wanted = kind.leaves
    if len(wanted) == 1:
        parts: tuple[Any, ...] = output if isinstance(output, tuple) else (output,)
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
        array = to_numpy(part)
        dtypes.append("" if array is None else array.dtype.name)
        if array is None:
            what = "None" if part is None else f"a {type(part).__name__}"
            problem = problem or f"{name} is {what}: expected an array."
            leaves.append(None)
            continue
        if array.dtype.name not in {"float64", "float32", "float16", "bfloat16"}:
            why = "fractions are lost" if array.dtype.kind in "iub" else "expected real numbers"
            problem = problem or f"{name} has dtype {array.dtype.name}: {why}; return float64, as x has."
        leaves.append(array.astype(np.float64) if array.dtype.kind != "c" else np.real(array).astype(np.float64))
    return tuple(leaves), tuple(dtypes), problem


def to_numpy(value: Any) -> Array | None:
    """`value` as an array of numbers, from NumPy, JAX, PyTorch or nested lists; None where it is none."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "fiubc" or array.dtype.name == "bfloat16" else None


def _told(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else "(no message)"
