"""The rows of docs/recipes.md: what they say of the runs, and that a new one takes the place of the old."""

import itertools

from experiments.benchmarks.recipes import COLUMNS, HEADER, Measured, row, with_row
from jcnn.training.recipes import recipe

RUNS = [Measured(errors / 359, 359 - errors, 359, 30.0 + errors, 40.0, 1234567) for errors in (358, 357, 355)]


def test_a_row_has_the_median_and_the_spread() -> None:
    cells = [cell.strip() for cell in row("digits", recipe("digits"), RUNS, "2 cores").strip("|").split("|")]
    assert len(cells) == len(COLUMNS)
    assert cells[:5] == ["`digits`", "digits", "`small`", "1,234,567", str(recipe("digits").epochs)]
    assert cells[5] == "**99.44 %** (98.89 % … 99.72 %)"
    assert cells[6:] == ["3", "387 s", "40 s", "2 cores", "`jcnn train --recipe digits`"]


def test_no_mistake_is_rounded_away() -> None:
    one = Measured(1 - 1 / 60_000, 1, 60_000, 700.0, 700.0, 1)
    assert "**99.998 %**" in row("digits", recipe("digits"), [one], "")
    assert "12 min" in row("digits", recipe("digits"), [one], "")


def test_whatever_the_order_a_recipe_has_one_row_and_it_is_the_last_that_was_measured() -> None:
    for order in itertools.permutations(["a", "b", "c", "a"]):
        document = ""
        for number, name in enumerate(order):
            document = with_row(document, name, f"| `{name}` | {number} |")
        latest = {name: number for number, name in enumerate(order)}
        rows = document.removeprefix(HEADER).splitlines()
        assert sorted(rows) == [f"| `{name}` | {number} |" for name, number in sorted(latest.items())]


def test_what_stands_below_the_table_stays() -> None:
    document = with_row(HEADER + "| `a` | 1 |\n\nMore words.\n", "b", "| `b` | 2 |")
    assert document == HEADER + "| `a` | 1 |\n| `b` | 2 |\n\nMore words.\n"
