"""What a candidate's process is asked, and what is made of its answers: they are read as a stranger's.

Every length, shape and text is checked before anything is made of it. `candidate_process.py` has the form of a message.
"""

import inspect
import json
import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from jcnn.check.cases import Case
from jcnn.check.grading.candidate_process import pack
from jcnn.check.operations import Kind
from jcnn.check.outcome import MOST_NUMBERS, Outcome, cleaned

_LONGEST_HEADER = 2**16
_DEEPEST = 32  # axes of an array
_LONGEST_SENTENCE = 400
_NO_ANSWER = "sends what is no answer"

Answer = tuple[dict[str, Any], list[np.ndarray | None]]
"""The text of a message, and its arrays."""


class EndError(Exception):
    """The candidate's process has ended or is of no use any more; the message says what the candidate does."""


class UnfitError(EndError):
    """There is no such candidate, or it cannot be called; the message says what there is."""

    def __init__(self, message: str, other_way: str = "") -> None:
        """`other_way`: how else it is to be called, in a sentence."""
        super().__init__(message)
        self.other_way = other_way


class Introduction(NamedTuple):
    """What a candidate's process says of it.

    Attributes:
        signatures: of the candidate, whose name is "", and of its parts; None for one that has none that can be read.
        forward: the name of its forward pass, "" where there is none.
        not_judged: outputs that the candidate has no place for.
        other_way: how else it is to be called by its names, in a sentence; "" where they show nothing.
    """

    signatures: dict[str, inspect.Signature | None]
    forward: str = ""
    not_judged: tuple[str, ...] = ()
    other_way: str = ""


PARTS = ("", "forward", "right cache", "other layout")
"""The candidate; its forward pass; the candidate with a right cache in place of its forward's; and in another layout."""


def request_of(number: int, case: Case, kind: Kind, part: str = "") -> bytes:
    """The message that gives a candidate, or a part of it, the arguments of a case."""
    given = (case.args, case.options)
    args, options = ({name: _described(value) for name, value in values.items()} for values in given)
    arrays = [value for values in given for value in values.values() if isinstance(value, np.ndarray)]
    asked = {"case": number, "part": part, "args": args, "options": options, "outputs": kind.leaves}
    return pack(asked, arrays)


def trial_of(case: Case, kind: Kind, right: Sequence[np.ndarray], wrong: Collection[str]) -> bytes:
    """The message that gives a case to try variants on: with the outputs that are due, and those that are wrong somewhere."""
    due = {f"right {leaf}": value for leaf, value in zip(kind.leaves, right, strict=True)}
    given = {**case.args, **due}
    args, options = ({name: _described(value) for name, value in values.items()} for values in (given, case.options))
    arrays = [value for values in (given, case.options) for value in values.values() if isinstance(value, np.ndarray)]
    return pack({"try": sorted(wrong), "args": args, "options": options, "outputs": kind.leaves}, arrays)


def _described(value: Any) -> dict[str, Any]:
    """An argument: its value, or the form in which the numbers of an array follow."""
    return {"shape": value.shape, "dtype": value.dtype.str} if isinstance(value, np.ndarray) else {"value": value}


def parse(inbox: bytearray, most: int) -> Answer | None:
    """Takes the first message out of what has come; None while it is not all there.

    Raises:
        EndError: it is no message.
    """
    if len(inbox) < 4:
        return None
    length = int.from_bytes(inbox[:4], "big")
    if length > _LONGEST_HEADER:
        raise EndError(_NO_ANSWER)
    if len(inbox) < 4 + length:
        return None
    try:
        header = json.loads(inbox[4 : 4 + length])
    except (ValueError, RecursionError):
        raise EndError(_NO_ANSWER) from None
    if not isinstance(header, dict):
        raise EndError(_NO_ANSWER)
    shapes = header.get("shapes", [])
    if not isinstance(shapes, list) or len(shapes) > most or not all(map(_is_shape, shapes)):
        raise EndError(_NO_ANSWER)
    sizes = [0 if shape is None else 8 * math.prod(shape) for shape in shapes]
    end = 4 + length + sum(sizes)
    if len(inbox) < end:
        return None
    leaves: list[np.ndarray | None] = []
    place = 4 + length
    for shape, size in zip(shapes, sizes, strict=True):
        numbers = np.frombuffer(bytes(inbox[place : place + size]), np.float64)
        leaves.append(None if shape is None else numbers.reshape(shape))
        place += size
    del inbox[:end]
    return header, leaves


def _is_shape(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, list) or len(value) > _DEEPEST or any(type(n) is not int or n < 0 for n in value):
        return False
    return math.prod(max(n, 1) for n in value) <= MOST_NUMBERS


def outcome_of(header: dict[str, Any], leaves: list[np.ndarray | None], number: int, kind: Kind) -> Outcome:
    """What the answer says, where it says what an answer may say."""
    if header.get("case") != number or type(header.get("raised")) is not bool:
        raise EndError(_NO_ANSWER)
    dtypes = header.get("dtypes")
    if not isinstance(dtypes, list) or len(dtypes) != len(leaves) or not all(isinstance(entry, str) for entry in dtypes):
        raise EndError(_NO_ANSWER)
    problem, declined = header.get("problem"), header.get("declined")
    if not all(text is None or (isinstance(text, str) and text) for text in (problem, declined)):
        raise EndError(_NO_ANSWER)
    spared = header.get("spared", "")
    if not isinstance(spared, str):
        raise EndError(_NO_ANSWER)
    complete = len(leaves) == len(kind.leaves) and all(leaf is not None for leaf in leaves)
    if (header["raised"] or not complete) and not problem and not declined:
        raise EndError(_NO_ANSWER)
    return Outcome(
        tuple(leaves),
        problem and cleaned(problem, _LONGEST_SENTENCE),
        declined and cleaned(declined, _LONGEST_SENTENCE),
        tuple(cleaned(entry, 16) for entry in dtypes),
        header["raised"],
        spared=cleaned(spared, _LONGEST_SENTENCE),
    )


def introduction_of(header: dict[str, Any], leaves: Collection[str]) -> Introduction:
    """What the candidate's process says of it.

    Raises:
        UnfitError: there is no such function, or it takes something else.
        EndError: the candidate could not be imported.
    """
    failed, parts, other_way = header.get("failed"), header.get("parts"), header.get("other_way", "")
    if not isinstance(other_way, str):
        raise EndError(_NO_ANSWER)
    other_way = cleaned(other_way, _LONGEST_SENTENCE)
    if isinstance(failed, str):
        failed = cleaned(failed, _LONGEST_SENTENCE)
        raise UnfitError(failed, other_way) if header.get("unfit") is True else EndError(failed)
    forward, not_judged = header.get("forward"), header.get("not_judged")
    if not isinstance(parts, dict) or "" not in parts or not set(parts) <= set(PARTS) or not isinstance(forward, str):
        raise EndError(_NO_ANSWER)
    if not isinstance(not_judged, list) or not all(isinstance(leaf, str) and leaf in leaves for leaf in not_judged):
        raise EndError(_NO_ANSWER)
    signatures = {name: _signature(part) for name, part in parts.items()}
    return Introduction(signatures, cleaned(forward), tuple(not_judged), other_way)


def _signature(parameters: Any) -> inspect.Signature | None:
    if parameters is None:
        return None
    parameter = inspect.Parameter
    kinds = (
        *(parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL),
        *(parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD),
    )
    try:
        return inspect.Signature(
            [parameter(name, kinds[kind], default=None if optional else parameter.empty) for name, kind, optional in parameters]
        )
    except (IndexError, TypeError, ValueError):
        raise EndError(_NO_ANSWER) from None
