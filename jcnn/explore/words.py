"""The page's pieces of HTML: pictures with a text for those who do not see them, sums, sentences."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from jcnn.check import Report
from jcnn.explore.arithmetic import Layer, size_sentences, sum_lines
from jcnn.explore.fields import Field
from jcnn.explore.pictures import WIDE
from jcnn.explore.planted import NONE, WORDS
from jcnn.figures.style import data_uri, to_svg
from jcnn.percentages import probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def picture(figure: "Figure", caption: str, name: str = "") -> str:
    """A figure with its caption, which is also what is read aloud; figures keep their sizes towards one another."""
    source, part = data_uri(to_svg(figure)), min(100.0, 100 * figure.get_size_inches()[0] / WIDE)
    shown = escape(caption)
    image = f'<img src="{source}" alt="{shown}" style="width: {part:.4g}%">'
    return f'<figure class="{name}">{image}<figcaption>{shown}</figcaption></figure>'


def side_by_side(*parts: str) -> str:
    """Pieces beside one another where there is room, else one below the other."""
    return f'<div class="beside">{"".join(parts)}</div>'


def section(level: int, title: str, text: str) -> str:
    """A heading, and what the section is about."""
    return f"<h{level}>{escape(title)}</h{level}>{said(text)}"


def controls(*elements: object) -> str:
    """What can be moved, in a grid; marimo's elements write themselves as HTML when they are formatted."""
    return f'<div class="controls">{"".join(f"<div>{element}</div>" for element in elements)}</div>'


def agreement(off: float) -> str:
    """How far the hand-derived gradients are from JAX's."""
    differs = "agrees to the last bit" if off == 0 else f"differs by {off:.1g} at the most"
    return said(f"Computed by hand-derived rules, jcnn.conv_backward; what JAX derives by itself {differs}.", "hint")


def misfit(error: Exception) -> str:
    """An error's own sentence."""
    return f'<p class="misfit" role="alert"><strong>This does not fit.</strong> {escape(str(error))}</p>'


def said(text: str, name: str = "say") -> str:
    """A sentence."""
    return f'<p class="{name}">{escape(text)}</p>'


def size_and_sum(layer: Layer, row: int, column: int) -> str:
    """The output's size with its formula, and the sum at a position."""
    height, width = layer.y.shape
    sizes = "".join(f'<div class="formula">{escape(sentence)}</div>' for sentence in size_sentences(layer))
    lines = "".join(f"<div>{escape(line)}</div>" for line in sum_lines(layer, row, column))
    return (
        f'<p class="say">The window has <strong class="output-size">{height} × {width}</strong> positions, '
        f"(N + P + P − F)/S + 1 along each axis:</p>{sizes}"
        f'<p class="say">At row {row}, column {column} it gives</p><div class="sum">{lines}</div>'
    )


def fields_table(fields: Sequence[Field]) -> str:
    """What the layers see, layer by layer."""
    rows = "".join(
        f"<tr><th>{field.depth}</th><td>{_times(field.map_size)}</td><td>{_times(field.size)}</td><td>{_times(field.jump)}</td></tr>"
        for field in fields
    )
    head = "<tr><th>layer</th><th>map</th><th>one number sees</th><th>step</th></tr>"
    return f'<table class="fields"><thead>{head}</thead><tbody>{rows}</tbody></table>'


def reading(ranks: Sequence[tuple[str, float]]) -> str:
    """What was read, and what else it might be."""
    (first, chance), *others = ranks
    rest = ", ".join(f"{escape(name)} with {probability(value)}" for name, value in others)
    return (
        f'<p class="reading"><strong class="class">{escape(first)}</strong><span>with '
        f'<strong class="chance">{probability(chance)}</strong>; else {rest}</span></p>'
    )


def checked(report: Report, kind: str, planted: str) -> str:
    """The verdict, the diagnosis, the smallest failing case, and whether the mistake was found out."""
    parts = [
        f'<p class="verdict {report.verdict}"><strong>{report.verdict}</strong> {escape(WORDS[report.verdict])}</p>',
    ]
    if report.diagnosis:
        parts.append(f'<blockquote class="diagnosis">{escape(report.diagnosis)}</blockquote>')
    parts.append(said(_found(report, planted)))
    if report.picture:
        parts.append(f'<pre class="case" tabindex="0">{escape(report.picture)}</pre>')
    where = f"jcnn.check.grade(your_function, {kind!r})"
    parts.append(f'<p class="say">The same for a function of yours: <code>{escape(where)}</code></p>')
    return "".join(parts)


def _found(report: Report, planted: str) -> str:
    wrong = sum(row.verdict != "agrees" for row in report.rows)
    counted = f"{wrong} of {len(report.rows)} compared arrays are off."
    if planted == NONE:
        return counted if wrong else f"All {len(report.rows)} compared arrays agree."
    if planted in report.mistakes:
        return f"Planted: {planted}. Found, by its numbers alone: {', '.join(report.mistakes)}. {counted}"
    names = ", ".join(report.mistakes) or "no name for it"
    return f"Planted: {planted}. The checker says: {names}. {counted}"


def _times(sizes: Sequence[int]) -> str:
    return " × ".join(map(str, sizes))
