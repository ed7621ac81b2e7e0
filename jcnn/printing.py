"""Words on the screen: whatever is in a name is shown as it is written, and only a terminal gets what is for terminals."""

import json
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories that steer a terminal, break a line or cannot be encoded: controls, surrogates, separators."""

DIRECTIONS = {*"\u061c\u200e\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}
"""Characters that turn the direction of what follows.

Source: Unicode Standard Annex 9, "Unicode Bidirectional Algorithm", section 2."""


def visible(text: str) -> str:
    r"""The text with every character that would steer the terminal, or the page, written out, such as `\x1b` for an escape."""
    return "".join(_written_out(letter) if _steers(letter) else letter for letter in text)


def plain(text: object) -> "Text":
    """Words of others for rich: no markup, no emoji codes, control characters made visible."""
    from rich.text import Text

    return Text(visible(str(text)))


def console(*, stderr: bool = False) -> "Console":
    """A console on the standard output, or the standard error.

    It is a terminal only where the stream is one, whatever FORCE_COLOR, TTY_COMPATIBLE and the like ask for: what goes to a
    file has neither colours nor moving bars.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    return Console(stderr=stderr, force_terminal=terminal, force_interactive=terminal, highlight=False, emoji=False)


def print_line(text: str) -> None:
    """Words on the standard error, as they are."""
    console(stderr=True).print(plain(text), soft_wrap=True)


def print_error(message: str) -> None:
    """One line on the standard error, whatever is in the message."""
    sys.stderr.write(f"jcnn: {visible(' '.join(message.split()))}\n")


def print_result(console: "Console", result: Any, *, as_json: bool) -> None:
    """A report or a matrix of reports: as a table, or as one JSON document."""
    if as_json:
        # As it is: Rich would put pictures in place of words between colons.
        console.file.write(_encodable(result.to_json(), console.encoding) + "\n")
        return
    # Through a pipe there is no width to keep to.
    shown = result if console.is_terminal else str(result)
    console.print(shown, soft_wrap=not console.is_terminal, markup=False, highlight=False, emoji=False)


def _encodable(document: str, encoding: str) -> str:
    """The same JSON in characters that the encoding has."""
    try:
        document.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(json.loads(document), indent=2)
    return document


def _steers(letter: str) -> bool:
    return unicodedata.category(letter) in INVISIBLE or letter in DIRECTIONS


def _written_out(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
