"""Words on the screen: whatever is in a name is shown as it is written, and only a terminal gets what is for terminals."""

import sys
import unicodedata
from typing import TYPE_CHECKING

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


def _steers(letter: str) -> bool:
    return unicodedata.category(letter) in INVISIBLE or letter in DIRECTIONS


def _written_out(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
