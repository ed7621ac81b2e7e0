"""Pages of figures and tables: a single HTML file that needs nothing else, no scripts, no addresses."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from string import Template
from typing import Any

from matplotlib.figure import Figure

from jcnn.figures.style import DARK, LIGHT, Theme, picture, place_as, style_sheet, to_svg

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<main>
<header>
<p class="kicker">$kicker</p>
<h1>$title</h1>
$lead
</header>
$sections
</main>
$footer
</body>
</html>
""")


def page(
    title: str,
    kicker: str,
    sections: Sequence[str],
    *,
    numbers: Mapping[str, str] | None = None,
    lead: str = "",
    style: str = "",
    footer: str = "",
) -> str:
    """The whole page.

    Args:
        title: its heading.
        kicker: the line above.
        sections: HTML, as `section` makes it; those that are "" are left out.
        numbers: the main results by name, the first one large.
        lead: HTML below the heading and the numbers.
        style: rules beside those of the style sheet.
        footer: a line below.
    """
    return PAGE.substitute(
        title=escape(title),
        kicker=escape(kicker),
        style=f"{style_sheet()}{style}".rstrip(),
        lead="\n".join(filter(None, [_numbers(numbers or {}), lead])),
        sections="\n".join(filter(None, sections)),
        footer=f"<footer>{escape(footer)}</footer>" if footer else "",
    )


def section(heading: str, content: str) -> str:
    """A heading and the HTML below it."""
    return f"<section>\n<h2>{escape(heading)}</h2>\n{content}\n</section>"


def figure(draw: Callable[[Theme], Figure | None], alt: str, caption: str) -> str:
    """A figure, drawn once for light and once for dark screens; "" where there is nothing to draw."""
    light, dark = draw(LIGHT), draw(DARK)
    if light is None or dark is None:
        return ""
    width, height = (round(96 * float(inches)) for inches in light.get_size_inches())
    drawn = to_svg(light)
    place_as(dark, light)
    shown = picture(drawn, to_svg(dark), (width, height), alt)
    return f"<figure>\n{shown}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"


def pairs(values: Mapping[str, Any]) -> str:
    """A table of names and values."""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(str(name))}</th><td>{escape(str(value))}</td></tr>' for name, value in values.items()
    )
    return f'<table class="pairs-table">\n<tbody>\n{rows}\n</tbody>\n</table>'


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], label: str, *, numbers: Sequence[int] = (), kind: str = "layers"
) -> str:
    """A table that scrolls sideways where it is too wide.

    Args:
        heads: of the columns.
        rows: of texts; the first names the row.
        label: what it holds, for those who do not see it.
        numbers: the columns that are flush right.
        kind: its class in the style sheet: "layers", whose cells are one line each, or "compared", whose long ones are broken.
    """

    def side(column: int) -> str:
        return css_class("number", given=column in numbers)

    head = "".join(f'<th scope="col"{side(column)}>{escape(name)}</th>' for column, name in enumerate(heads))
    body = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td{side(column)}>{escape(cell)}</td>" for column, cell in enumerate(cells, 1))
        + "</tr>"
        for name, *cells in rows
    )
    return scrolling(f'<table class="{kind}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>', label)


def scrolling(content: str, label: str) -> str:
    """A wide table that scrolls sideways, also by the keyboard."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">\n{content}\n</div>'


def css_class(name: str, *, given: bool) -> str:
    """The attribute, where it is given."""
    return f' class="{name}"' if given else ""


def _numbers(numbers: Mapping[str, str]) -> str:
    cells = [
        f"<div{css_class('headline', given=not place)}><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for place, (name, value) in enumerate(numbers.items())
    ]
    return '<dl class="numbers">\n{}\n</dl>'.format("\n".join(cells)) if cells else ""
