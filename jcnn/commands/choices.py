"""Options that are one of a few words, which are listed in their order, and taken in capitals or not."""

from collections.abc import Callable
from typing import Any

import tyro


def one_of(*values: str | int) -> tyro.constructors.PrimitiveConstructorSpec[Any]:
    """An option that is one of these, or is not given.

    Args:
        *values: in the order in which they are listed.
    """
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{{{','.join(map(str, values))}}}",
        instance_from_str=_picking(values),
        is_instance=lambda value: value is None or value in values,
        str_from_instance=lambda value: [str(value)],
    )


def _picking(values: tuple[str | int, ...]) -> Callable[[list[str]], str | int]:
    by_word = {str(value).lower(): value for value in values}

    def pick(words: list[str]) -> str | int:
        (word,) = words
        if word.lower() not in by_word:
            *others, last = map(str, values)
            raise ValueError(f"{word!r} is none of {', '.join(others)} and {last}")
        return by_word[word.lower()]

    return pick
