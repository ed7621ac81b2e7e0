"""Things that are chosen by name: a name that does not exist is refused, with those that do and the one that was meant."""

import difflib
from collections.abc import Iterable


def check_name(what: str, name: str, known: Iterable[str], also: str = "") -> None:
    """Refuses a name that is not known.

    Args:
        what: what is named, such as "network".
        name: the name given.
        known: the names there are.
        also: what else may be given, in words.

    Raises:
        ValueError: the name is not among them; the message lists them, and says which is the nearest.
    """
    names = list(known)
    if name in names:
        return
    raise ValueError(f"{what} {name!r}: expected one of {', '.join(names)}{also}{meant(name, names)}")


def meant(name: object, known: Iterable[str]) -> str:
    """The end of a sentence that says which name is the nearest; "" where none is near."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1) if isinstance(name, str) else []
    return f"; did you mean {near[0]}?" if near else ""
