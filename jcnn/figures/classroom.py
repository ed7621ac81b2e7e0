"""A class on a page: scores, the commonest mistakes, and behind every name what is wrong; one HTML file, complete in itself."""

from collections.abc import Sequence
from html import escape

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jcnn.check.classroom.grade_all import ClassReport
from jcnn.check.classroom.submission import Graded, Result
from jcnn.figures.page import css_class, figure, page, scrolling, section
from jcnn.figures.style import LIGHT, SMALL, Theme, by_defaults, new_figure, plain, shorten, statement
from jcnn.percentages import percent
from jcnn.printing import visible

SHOWN = 10
_WIDE = 7.2
_LONGEST = 46

STYLE = """
details { border-bottom: 1px solid var(--rule); padding: 0.5rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; font-size: 0.8125rem; line-height: 1.4; }
td, details p { overflow-wrap: anywhere; }
.bug { color: var(--orange); }
"""


def class_mistakes(mistakes: Sequence[tuple[str, int]], *, theme: Theme = LIGHT) -> Figure:
    """The commonest mistakes, a bar for how many submissions make each.

    Args:
        mistakes: names and numbers, the commonest first.
        theme: the colours.

    Returns:
        The figure; without mistakes, one that says so.
    """
    shown = list(mistakes[:SHOWN])
    if not shown:
        return statement("No mistakes: every submission is right.", theme)
    chart = new_figure(0.8 + 0.34 * len(shown), theme, _WIDE)
    axes = chart.add_subplot()
    places = range(len(shown))
    bars = axes.barh(places, [count for _, count in shown], color=theme.orange, height=0.62)
    axes.bar_label(bars, padding=3, color=theme.ink, fontsize=SMALL)
    plain(axes, theme)
    axes.set_yticks(places, [shorten(name, _LONGEST) for name, _ in shown], parse_math=False)
    axes.tick_params(axis="y", length=0, labelcolor=theme.ink)
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_xlabel("submissions")
    return chart


def render_class(report: ClassReport, title: str) -> str:
    """The whole page as HTML: no scripts, no addresses; whatever submissions are called or say is shown as text.

    Args:
        report: what was found.
        title: such as the folder's name.
    """
    with by_defaults():
        sections = [_mistakes(report), _scores(report), _details(report)]
    kinds = ", ".join(report.kinds)
    return page(visible(title), f"{kinds}, graded by jcnn", sections, numbers=_numbers(report), style=STYLE)


def _numbers(report: ClassReport) -> dict[str, str]:
    right = sum(result.verdict != "bug" for result in report.results)
    return {
        "right": f"{right} of {len(report.results)}",
        "median score": f"{report.median:g}",
        "lowest score": f"{min(result.points for result in report.results):g}",
    }


def _mistakes(report: ClassReport) -> str:
    found = report.mistakes()
    counts = [(name, len(names)) for name, names in found]
    said = "; ".join(f"{visible(name)}: {count}" for name, count in counts[:SHOWN]) or "none"
    alt = f"How many submissions make each mistake: {said}"
    shown = figure(lambda theme: class_mistakes(counts, theme=theme), alt, "How many submissions make each mistake.")
    rows = "\n".join(
        f"<tr><td>{len(names)}</td><td>{_text(name)}</td><td>{', '.join(map(_text, names))}</td></tr>" for name, names in found
    )
    table = _table(("how many", "mistake", "who"), rows) if found else ""
    return section("Commonest mistakes", f"{shown}\n{table}")


def _scores(report: ClassReport) -> str:
    heads = [column.partition(".")[2] if len(report.kinds) == 1 else column for column in report.columns]
    rows = "\n".join(
        f'<tr><td><a href="#s{number}">{_text(result.submission)}</a></td><td>{result.points:g}</td>'
        + "".join(f"<td>{_share(share)}</td>" for graded in result.functions for share in graded.parts.values())
        + "</tr>"
        for number, result in enumerate(report.results)
    )
    table = _table(("submission", "score", *heads), rows)
    note = "Score from 0 to 100; beside it, part by part, how much of what was due is right."
    return section("Scores", f"<p>{note}</p>\n{table}")


def _details(report: ClassReport) -> str:
    shown = "\n".join(_student(number, result) for number, result in enumerate(report.results))
    return section("One by one", shown)


def _student(number: int, result: Result) -> str:
    flag = css_class("bug", given=result.verdict == "bug")
    head = f"<summary><b>{result.points:g}</b> {_text(result.submission)} <span{flag}>{result.verdict}</span></summary>"
    file = f"<p>{_text(result.file)}</p>" if result.file != result.submission else ""
    body = "\n".join(_function(graded, named=len(result.functions) > 1) for graded in result.functions)
    return f'<details id="s{number}">\n{head}\n{file}{body}\n</details>'


def _function(graded: Graded, *, named: bool) -> str:
    parts = [f"<h3>{_text(graded.kind)}: {graded.points:g}</h3>"] if named else []
    parts.append(f"<p>{_text(graded.diagnosis)}</p>" if graded.diagnosis else "<p>Right in every case.</p>")
    parts += [f"<p>For example {_text(example)}</p>" for example in graded.examples]
    if graded.picture:
        parts.append(f"<pre>{escape(graded.picture)}</pre>")
    if graded.left_out:
        reasons = _text("; ".join(graded.left_out))
        parts.append(f"<details><summary>Cases it does not take</summary><p>{reasons}</p></details>")
    if graded.mistakes:
        parts.append(f"<p>Counted as: {_text('; '.join(graded.mistakes))}</p>")
    if graded.printed:
        parts.append(f"<p>It printed {_text(graded.printed)}</p>")
    return "\n".join(parts)


def _table(heads: Sequence[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return scrolling(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>", " ".join(heads))


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share, 0)


def _text(text: str) -> str:
    return escape(visible(text))
