"""Small frozen values that go by a name and a few numbers, in words and as plain data.

    Crop(padding=4)    ↔    crop:4    ↔    {"crop": {"padding": 4}}

In words the numbers stand in the order of the fields, and those left out have their defaults. As data all are written, so that
a default that changes later changes nothing that was stored.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from jcnn import geometry
from jcnn.names import check_name

T = TypeVar("T")

Kinds = Mapping[str, type[T]]
"""Frozen dataclasses whose fields are integers and floats, by their names."""


def from_words(what: str, text: str, kinds: Kinds[T]) -> T:
    """The value of words such as `crop:4`.

    Args:
        what: what is being named, for messages, such as "augment".
        text: a name, and after a colon each what numbers are given.
        kinds: what there is.

    Raises:
        ValueError: no such name, too many numbers, or no number that the value takes; the message says which.
    """
    name, *given = text.split(":")
    check_name(what, name, kinds)
    fields = dataclasses.fields(kinds[name])  # pyright: ignore[reportArgumentType]
    if len(given) > len(fields):
        raise ValueError(f"{what} {text!r}: expected {usage(name, kinds)}")
    numbers = [_number(what, text, field, word) for field, word in zip(fields, given, strict=False)]
    return _made(what, text, kinds[name], dict(zip([field.name for field in fields], numbers, strict=False)))


def in_words(value: T, kinds: Kinds[T]) -> str:
    """The words that `from_words` makes the value from; without numbers where all are the defaults."""
    name = name_of(value, kinds)
    if value == kinds[name]():
        return name
    return ":".join([name, *map(_written, _numbers(value).values())])


def usage(name: str, kinds: Kinds[T]) -> str:
    """How words of this name are written, with the defaults: `crop[:padding=4]`."""
    fields = dataclasses.fields(kinds[name])  # pyright: ignore[reportArgumentType]
    return name + "".join(f"[:{field.name}={field.default:g}" for field in fields) + "]" * len(fields)


def to_data(value: T, kinds: Kinds[T]) -> dict[str, dict[str, Any]]:
    """The value as plain data, every field written."""
    return {name_of(value, kinds): _numbers(value)}


def from_data(what: str, data: Any, kinds: Kinds[T]) -> T:
    """The value of such data.

    Raises:
        ValueError: it is no such data; the message says what was expected.
    """
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError(geometry.wrong(what, data, "{NAME: {FIELD: NUMBER, …}}"))
    ((name, numbers),) = data.items()
    check_name(what, name, kinds)
    known = [field.name for field in dataclasses.fields(kinds[name])]  # pyright: ignore[reportArgumentType]
    if not isinstance(numbers, dict) or sorted(numbers) != sorted(known):
        raise ValueError(geometry.wrong(f"{what} {name}", numbers, f"the fields {', '.join(known) or 'none'}"))
    return _made(what, name, kinds[name], numbers)


def name_of(value: T, kinds: Kinds[T]) -> str:
    """The name that this kind of value has."""
    return next(name for name, kind in kinds.items() if type(value) is kind)


def _numbers(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _written(number: float) -> str:
    """As short as reads back to the same number."""
    short = f"{number:g}"
    return short if isinstance(number, float) and float(short) == number else repr(number)


def _number(what: str, text: str, field: "dataclasses.Field[Any]", word: str) -> Any:
    try:
        return type(field.default)(word)  # the type of the default is that of the field
    except ValueError:
        expected = "an integer" if isinstance(field.default, int) else "a number"
        raise ValueError(f"{what} {text!r}: {field.name} is {word!r}, expected {expected}") from None


def _made(what: str, text: str, kind: type[T], numbers: Mapping[str, Any]) -> T:
    try:
        return kind(**numbers)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} {text!r}: {error}") from error
