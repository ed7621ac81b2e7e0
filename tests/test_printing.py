"""Names of others are shown as they are written, whatever is in them."""

import io
import sys
import unicodedata
from io import StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from jcnn import printing
from jcnn.commands.main import main
from jcnn.printing import plain, visible
from tests.draws import draws

TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B", "S"}
STEERING = ["[/red]x", "[bold]", "\\[red]", "a\\", ":smile:", "\x1b[2J", "\a", "a\rb", "a\nb", "\u202eabc", "\u2028", "\x9b2J"]
STEERING += ["\ud800"]  # half a character: of a file name that is not UTF-8


@given(st.text(st.characters(exclude_categories=())))
@draws(2)
@example("\x1b[31mred\x1b[0m\a\b\x7f\x9b \u061c\u200e\u202a\u202e\u2066\u2069\u2028\u2029")
def test_what_is_visible_steers_nothing_and_can_be_encoded(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert not {letter for letter in shown if unicodedata.bidirectional(letter) in TURNING or ord(letter) < 32}
    assert visible(shown) == shown


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"))))
@draws(2)
def test_ordinary_names_in_any_script_are_left_alone(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("name", STEERING, ids=ascii)
def test_a_name_is_printed_as_it_is_written(name: str) -> None:
    """In a line, in a table, in colours on a terminal: the same letters."""
    for terminal in (False, True):
        file = StringIO()
        console = Console(file=file, force_terminal=terminal, width=100)
        table = Table(show_header=False, box=None)
        table.add_row(plain(name), plain("!"))
        console.print(plain(f"in {name}!"), soft_wrap=True)
        console.print(table)
        line, row = file.getvalue().splitlines()
        assert line == f"in {visible(name)}!"
        assert row.split() == [*visible(name).split(), "!"]


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CLICOLOR_FORCE", "NO_COLOR"])
def test_only_a_terminal_is_a_terminal(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(name, "1")
    for stderr in (False, True):
        console = printing.console(stderr=stderr)
        assert not console.is_terminal
        assert not console.is_interactive
        console.print("[bold red]words[/]")
    assert capsys.readouterr() == ("words\n", "words\n")


@pytest.mark.parametrize("stderr", [False, True])
def test_a_terminal_is_one(stderr: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"sys.{'stderr' if stderr else 'stdout'}.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert printing.console(stderr=stderr).is_terminal
    assert not printing.console(stderr=not stderr).is_terminal


def test_an_encoding_without_our_signs_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, encoding="ascii", write_through=True))
    with pytest.raises(SystemExit) as end:
        main(["summary"])
    assert end.value.code == 0
    assert rb"12\xd712" in said.getvalue() or rb"8\xd78" in said.getvalue()
