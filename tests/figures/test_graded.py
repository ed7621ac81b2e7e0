"""The page of a graded function, and the figure of one number worked out."""

import re

import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from jcnn.check import Report, Row
from jcnn.check.report import Block, Finding, Operand, Smallest, Symptom, Term, Worked
from jcnn.figures.graded import render_report
from jcnn.figures.style import LIGHT
from jcnn.figures.worked import about_worked, number_terms, to_blame, worked_example
from tests.figures.test_report import Page

DX = Operand("dx", "image", (1, 4, 5, 1))
DY = Operand("dy", "output", (1, 3, 3, 1))
W = Operand("w", "filter", (2, 3, 1, 1))


def term(j: int, b: int, coefficient: float = 1.0) -> Term:
    return Term(coefficient, (("dy", (0, 0, j, 0)), ("w", (0, b, 0, 0))))


MISSING = Worked("dx", (0, 0, 1, 0), (term(1, 0),), (term(0, 1), term(1, 0)), (DX, DY, W), (2, 3), (1, 1), (0, 0), "4×5 pixels")
FOREIGN = MISSING._replace(got=(term(0, 1), term(1, 0), term(2, 2)))
WEIGHED = MISSING._replace(got=(term(0, 1, 0.5), term(1, 0)))
ROWS = (Row("<case>", "bug", "dx", 1.0, 1.0, 3.0, 2.0), Row("other", "agrees", "dw", 0.0, 0.0, 0.0, 2.0))
SMALLEST = Smallest(
    "<case>",
    "stride=2",
    (Block("x", (("1", "2"),), ((False, False),)),),
    "",
    (Block("expected dx", (("3", "4"),), ((False, False),)), Block("got dx", (("3", "5"),), ((False, True),))),
)
REPORT = Report(
    "<script> as conv_backward",
    "bug",
    "Terms <b>are</b> missing & more.",
    None,
    ROWS,
    left_out=("takes no groups (12 cases)",),
    printed="1 line: </main>",
    findings=(Finding("dx", "dx", "rule", "dx[0] = 1", "about", MISSING),),
    symptoms=(Symptom("dx", "everywhere", "wrong"),),
    smallest=SMALLEST,
)


def test_products_are_numbered_the_right_ones_first() -> None:
    found = [(one.number, one.wrong, one.missing) for one in number_terms(FOREIGN)]
    assert found == [(1, False, False), (2, False, False), (3, True, False)]
    assert [(one.wrong, one.missing) for one in number_terms(MISSING)] == [(False, True), (False, False)]
    assert [(one.wrong, one.missing) for one in number_terms(WEIGHED)] == [(True, False), (False, False)]
    assert "2 products belong there, 1 of them are missing, 0 are taken wrongly" in about_worked(MISSING)


def test_only_the_factors_that_the_other_side_lacks_are_to_blame() -> None:
    exchanged = number_terms(MISSING._replace(got=(term(1, 1),), right=(term(1, 0),)))
    assert [to_blame(one, exchanged) for one in exchanged] == [{("w", (0, 0, 0, 0))}, {("w", (0, 1, 0, 0))}]
    crossed = number_terms(MISSING._replace(got=(term(0, 0), term(1, 1)), right=(term(0, 1), term(1, 0))))
    assert all(to_blame(one, crossed) == set(one.factors) for one in crossed)


def squares(worked: Worked) -> list[dict[tuple[int, int], str]]:
    """Of every panel the coloured squares: (row, column) → "blue", "orange" or "none"."""
    names = {to_rgb(LIGHT.blue): "blue", to_rgb(LIGHT.orange): "orange", to_rgb(LIGHT.zero): "none"}
    return [
        {
            (round(patch.get_y() + 0.46), round(patch.get_x() + 0.46)): names[to_rgb(patch.get_facecolor())]
            for patch in axes.patches
            if isinstance(patch, Rectangle) and patch.get_fill()
        }
        for axes in worked_example(worked).axes
    ]


@pytest.mark.parametrize(
    ("worked", "dy", "w"),
    [
        pytest.param(MISSING, {(0, 0): "none", (0, 1): "blue"}, {(0, 1): "none", (0, 0): "blue"}, id="missing"),
        pytest.param(
            FOREIGN,
            {(0, 0): "blue", (0, 1): "blue", (0, 2): "orange"},
            {(0, 1): "blue", (0, 0): "blue", (0, 2): "orange"},
            id="foreign",
        ),
        pytest.param(WEIGHED, {(0, 0): "orange", (0, 1): "blue"}, {(0, 1): "orange", (0, 0): "blue"}, id="weighed"),
    ],
)
def test_right_terms_are_blue_and_wrong_ones_orange(
    worked: Worked, dy: dict[tuple[int, int], str], w: dict[tuple[int, int], str]
) -> None:
    assert squares(worked) == [{}, dy, w]


def test_the_windows_lie_on_the_image() -> None:
    image = worked_example(MISSING._replace(stride=(2, 2), padding=(1, 1))).axes[0]
    windows = [patch for patch in image.patches if isinstance(patch, Rectangle) and patch.get_width() == 3]
    assert sorted((patch.get_y() + 0.5, patch.get_x() + 0.5) for patch in windows) == [(-1, -1), (-1, 1)]
    assert all(patch.get_height() == 2 for patch in windows)


@pytest.mark.parametrize(
    "arrays",
    [
        pytest.param((DX, Operand("b", "bias", (2,))), id="bias"),
        pytest.param(
            (Operand("y", "output", (3, 2)), Operand("x", "image", (3, 4)), Operand("w", "filter", (4, 2))), id="flat"
        ),
        pytest.param((Operand("y", "output", (2, 2, 2, 2)), Operand("x", "image", (2, 3, 3, 3))), id="channels"),
    ],
)
def test_every_kind_of_array_is_drawn(arrays: tuple[Operand, ...]) -> None:
    leaf, *others = arrays
    factors = tuple((array.name, tuple(size - 1 for size in array.shape)) for array in others)
    window = (2, 2) if len(leaf.shape) == 4 else None
    worked = Worked(leaf.name, (0,) * len(leaf.shape), (Term(1.0, factors),), (), arrays, window, (1, 1), (0, 0), "")
    assert [set(panel.values()) for panel in squares(worked) if panel] == [{"orange"}] * len(others)


def test_the_diagnosis_comes_first_and_the_numbers_last_and_folded() -> None:
    html = render_report(REPORT)
    page = Page(html)
    assert page.texts("h2") == ["One number worked out", "The smallest failing case", "Numbers"]
    assert html.index("Terms &lt;b&gt;are") < html.index("<h2>")
    assert html.index("<details>") > html.index(">Numbers<")
    assert "open" not in page.all("details")[0]


def test_whatever_is_said_is_text_and_the_page_needs_nothing_else() -> None:
    html = render_report(REPORT)
    page = Page(html)
    assert page.texts("h1") == ["<script> as conv_backward"]
    assert not page.all("script")
    assert page.all("main") == [{}]
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.all("img"))
    assert not re.search(r"https?://", html)


def test_wrong_numbers_and_terms_are_marked() -> None:
    html = render_report(REPORT)
    assert re.findall(r'<td class="wrong">(.*?)</td>', html) == ["5"]
    assert re.findall(r'<span class="missing">(.*?)<sup>1', html) == ["dy[0, 0, 0, 0]·w[0, 1, 0, 0]"]
    foreign = REPORT.findings[0]._replace(worked=FOREIGN)
    wrong = re.findall(r'<span class="wrong">(.*?)<sup>3', render_report(Report("f", "bug", "d", None, findings=(foreign,))))
    assert wrong == ["dy[0, 0, 2, 0]·w[0, 2, 0, 0]"]


def test_a_report_without_anything_is_a_page_too() -> None:
    page = Page(render_report(Report("f as relu", "agrees", None, None)))
    assert page.texts("h2") == []
    assert "agrees" in page.texts("p")
    assert not page.all("img")
