"""The page of one graded function: what is wrong first, then one case to redo by hand, the numbers last; one HTML file."""

from collections.abc import Sequence
from html import escape

from jcnn.check.report import Block, Finding, Report, Row, Smallest, Worked, left_out_in_short
from jcnn.figures.page import css_class, figure, page, scrolling, section
from jcnn.figures.style import by_defaults
from jcnn.figures.worked import Numbered, about_worked, number_terms, worked_example
from jcnn.printing import visible

MOST_ROWS = 60
MOST_TERMS = 16

STYLE = """
.verdict { margin: 1.2rem 0 0; font-size: 2.25rem; font-weight: 600; line-height: 1.1; color: var(--blue); }
.verdict.bug { color: var(--orange); }
.diagnosis { font-size: 1.125rem; overflow-wrap: anywhere; }
.sum { font: 0.875rem/1.7 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.right { color: var(--blue); } .wrong { color: var(--orange); font-weight: 600; }
.missing { color: var(--blue); text-decoration: underline dashed; text-underline-offset: 0.2em; }
.arrays { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 1rem 2rem; margin: 0.75rem 0; }
.arrays table { width: auto; }
.arrays td { text-align: right; padding: 0.25rem 0.35rem; }
details { border-bottom: 1px solid var(--rule); padding: 0.5rem 0; }
summary { cursor: pointer; }
.rows td { overflow-wrap: anywhere; }
"""


def render_report(report: Report) -> str:
    """The whole page as HTML: no scripts, no addresses; whatever the candidate is called or says is shown as text.

    Args:
        report: what was found.
    """
    with by_defaults():
        sections = [_findings(report), _smallest(report.smallest), _numbers(report)]
    lead = f'<p class="verdict {report.verdict}">{report.verdict}</p>'
    if report.diagnosis:
        lead += f'\n<p class="diagnosis">{_text(report.diagnosis)}</p>'
    return page(visible(report.subject), "Graded by jcnn", sections, lead=lead, style=STYLE)


def _findings(report: Report) -> str:
    found = [finding for finding in report.findings if finding.example]
    return section("One number worked out", "\n".join(map(_finding, found))) if found else ""


def _finding(finding: Finding) -> str:
    if finding.worked is None:
        return f'<p class="sum">{_text(finding.example)}</p>'
    return f"{_sums(finding.worked)}\n{_figure(finding.worked)}"


def _sums(worked: Worked) -> str:
    terms = number_terms(worked)
    left = _text(worked.entry(worked.leaf, worked.index))
    got = _sum(worked, [term for term in terms if term.got], right=False)
    right = _sum(worked, [term for term in terms if term.right], right=True)
    return f'<p class="sum">{left} = {got}<br>\nright is {right}</p>\n<p>{_text(worked.call)}</p>'


def _sum(worked: Worked, terms: Sequence[Numbered], *, right: bool) -> str:
    if not terms:
        return "0"
    more = f" + … ({len(terms)} terms)" if len(terms) > MOST_TERMS else ""
    return " + ".join(_term(worked, term, right=right) for term in terms[:MOST_TERMS]) + more


def _term(worked: Worked, term: Numbered, *, right: bool) -> str:
    coefficient = term.right if right else term.got
    front = {1.0: "", -1.0: "−"}.get(coefficient, f"{coefficient:.4g}·")
    product = "·".join(worked.entry(name, index) for name, index in term.factors)
    off, name = (term.missing, "missing") if right else (term.wrong, "wrong")
    kind = name if off else "right"
    return f'<span class="{kind}">{front}{_text(product)}<sup>{term.number}</sup></span>'


def _figure(worked: Worked) -> str:
    caption = (
        "Squares with the same number are multiplied with each other. Blue: what belongs there; orange: what is taken wrongly; "
        "dashed: what is missing. The thick frame is the number that is wrong, thin ones are windows on the image."
    )
    return figure(lambda theme: worked_example(worked, theme=theme), about_worked(worked), caption)


def _smallest(smallest: Smallest | None) -> str:
    if smallest is None:
        return ""
    called = f"<p>{_text(smallest.called)}</p>\n" if smallest.called else ""
    note = f'<p class="wrong">{_text(smallest.note)}</p>\n' if smallest.note else ""
    content = f"<p>{_text(smallest.case)}</p>\n{called}{_arrays(smallest.given)}\n{note}{_arrays(smallest.outputs)}"
    return section("The smallest failing case", content)


def _arrays(blocks: Sequence[Block]) -> str:
    return '<div class="arrays">\n{}\n</div>'.format("\n".join(map(_array, blocks)))


def _array(block: Block) -> str:
    rows = "\n".join(map(_array_row, block.cells, block.wrong))
    return f"<table>\n<caption>{_text(block.title)}</caption>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _array_row(cells: Sequence[str], wrong: Sequence[bool]) -> str:
    shown = (f"<td{css_class('wrong', given=off)}>{_text(cell)}</td>" for cell, off in zip(cells, wrong, strict=True))
    return f"<tr>{''.join(shown)}</tr>"


def _numbers(report: Report) -> str:
    parts = []
    if report.rows:
        wrong = [row for row in report.rows if row.verdict != "agrees"]
        rows = (wrong or list(report.rows))[:MOST_ROWS]
        names = ("case", "output", "verdict", "max error", "bound", "expected → got")
        head = "".join(f'<th scope="col">{name}</th>' for name in names)
        body = "\n".join(map(_row, rows))
        count = f"{len(wrong)} of {len(report.rows)} compared arrays are off, {len(rows)} are shown"
        table = f'<table class="rows">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'
        parts.append(f"<details><summary>{count}</summary>\n{scrolling(table, 'Numbers')}\n</details>")
    if report.left_out:
        listed = "".join(f"<li>{_text(reason)}</li>" for reason in report.left_out)
        short = _text(left_out_in_short(report.left_out))
        parts.append(f"<details><summary>Left out: {short}</summary>\n<ul>{listed}</ul>\n</details>")
    if report.printed:
        parts.append(f"<p>It printed {_text(report.printed)}</p>")
    return section("Numbers", "\n".join(parts)) if parts else ""


def _row(row: Row) -> str:
    compared = row.error == row.error
    shown = row.remark
    if compared and row.worst:
        index = ", ".join(map(str, row.worst.index))
        shown = f"{row.leaf}[{index}]: {row.worst.expected:.6g} → {row.worst.got:.6g}"
    numbers = [f"{value:.2g}" if compared else "" for value in (row.error, row.bound)]
    cells = "".join(f"<td>{_text(cell)}</td>" for cell in (row.leaf, row.verdict, *numbers, shown))
    return f'<tr><th scope="row">{_text(row.case)}</th>{cells}</tr>'


def _text(text: str) -> str:
    return escape(visible(text))
