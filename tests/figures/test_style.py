import base64
import itertools
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from jcnn.figures import DARK, LIGHT, learning_curves, to_png, to_svg
from jcnn.figures.style import by_defaults, contrast, data_uri, new_figure, readable_on, save, shorten, statement


def test_contrast_has_the_values_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_colour_of_text_is_legible_on_the_paper(theme):
    for colour in (theme.ink, theme.muted, theme.blue, theme.orange):
        assert contrast(colour, theme.paper) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_text_on_any_grey_is_legible(theme):
    for level in range(0, 256, 15):
        grey = f"#{level:02x}{level:02x}{level:02x}"
        assert contrast(readable_on(grey, theme), grey) >= 3.9


def test_shorten():
    assert shorten("a\n  b", 10) == "a b"
    assert shorten("abcdefgh", 8) == "abcdefgh"
    assert shorten("abcdefghi", 8) == "abcdefg…"


def test_svg_is_the_same_twice_and_names_no_place_or_time():
    first, second = (to_svg(statement("words", LIGHT)) for _ in range(2))
    assert first == second
    assert b">words</text>" in first
    assert b"Matplotlib v" not in first
    assert b"sans-serif" in first


def test_png():
    assert to_png(statement("words", DARK), dpi=20).startswith(b"\x89PNG")


def test_data_uri_contains_the_svg():
    head, code = data_uri(b"<svg/>").split(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(code) == b"<svg/>"


def test_names_in_any_script_are_saved_without_a_warning():
    assert "数字".encode() in to_svg(statement("数字", LIGHT))


def test_nothing_global_is_left_changed():
    before = dict(mpl.rcParams)
    to_svg(new_figure(1.0, DARK))
    assert dict(mpl.rcParams) == before


def test_the_themes_differ_in_every_colour():
    assert not {*itertools.chain(LIGHT)} & {*itertools.chain(DARK)}


def test_a_style_of_the_user_changes_nothing() -> None:
    expected = to_svg(learning_curves([{"split": "test", "epoch": 1, "loss": 1.0, "accuracy": 0.5}]))
    style: dict[Any, Any] = {
        "text.usetex": True,
        "font.size": 30,
        "lines.linewidth": 9,
        "savefig.bbox": "tight",
        "svg.fonttype": "path",
    }
    with mpl.rc_context(style):
        before = dict(mpl.rcParams)
        with by_defaults():
            drawn = to_svg(learning_curves([{"split": "test", "epoch": 1, "loss": 1.0, "accuracy": 0.5}]))
        assert dict(mpl.rcParams) == before
    assert drawn == expected


def test_words_of_others_are_no_formula() -> None:
    assert b"$x_1$ \\x1b" in to_svg(statement("$x_1$ \x1b", LIGHT))


def test_a_figure_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there.png").mkdir()
    with pytest.raises(OSError, match=r".") as told:
        save(statement("words", LIGHT), tmp_path / "there.png")
    assert told.value.filename == str(tmp_path / "there.png")
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]
    save(statement("words", LIGHT), tmp_path / "other.svg")
    assert b"<svg" in (tmp_path / "other.svg").read_bytes()
