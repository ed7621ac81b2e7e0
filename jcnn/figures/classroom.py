"""A class on a page: scores, the commonest mistakes, and behind every name what is wrong; one HTML file, complete in itself."""

from collections.abc import Sequence
from html import escape
from string import Template

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jcnn.check.classroom.grade_all import ClassReport
from jcnn.check.classroom.submission import Graded, Result
from jcnn.figures.style import (
    DARK,
    LIGHT,
    SMALL,
    Theme,
    by_defaults,
    new_figure,
    picture,
    plain,
    shorten,
    statement,
    style_sheet,
    to_svg,
)
from jcnn.percentages import percent
from jcnn.printing import visible

SHOWN = 10
_WIDE = 7.2
_LONGEST = 46

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
$style
details { border-bottom: 1px solid var(--rule); padding: 0.5rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; font-size: 0.8125rem; line-height: 1.4; }
td, details p { overflow-wrap: anywhere; }
.bug { color: var(--orange); }
</style>
</head>
<body>
<main>
<header>
<p class="kicker">$kinds, graded by jcnn</p>
<h1>$title</h1>
$numbers
</header>
$sections
</main>
</body>
</html>
""")


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
    figure = new_figure(0.8 + 0.34 * len(shown), theme, _WIDE)
    axes = figure.add_subplot()
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
    return figure


def render_class(report: ClassReport, title: str) -> str:
    """The whole page as HTML: no scripts, no addresses; whatever submissions are called or say is shown as text.

    Args:
        report: what was found.
        title: such as the folder's name.
    """
    with by_defaults():
        sections = [_mistakes(report), _scores(report), _details(report)]
    return PAGE.substitute(
        title=escape(visible(title)),
        kinds=escape(", ".join(report.kinds)),
        style=style_sheet(),
        numbers=_numbers(report),
        sections="\n".join(sections),
    )


def _numbers(report: ClassReport) -> str:
    right = sum(result.verdict != "bug" for result in report.results)
    numbers = {
        "right": f"{right} of {len(report.results)}",
        "median score": f"{report.median:g}",
        "lowest score": f"{min(result.points for result in report.results):g}",
    }
    cells = [
        f"<div{_class('headline', name == 'right')}><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in numbers.items()
    ]
    return '<dl class="numbers">\n{}\n</dl>'.format("\n".join(cells))


def _mistakes(report: ClassReport) -> str:
    found = report.mistakes()
    counts = [(name, len(names)) for name, names in found]
    light, dark = (class_mistakes(counts, theme=theme) for theme in (LIGHT, DARK))
    width, height = (round(96 * float(inches)) for inches in light.get_size_inches())
    said = "; ".join(f"{visible(name)}: {count}" for name, count in counts[:SHOWN]) or "none"
    figure = picture(to_svg(light), to_svg(dark), (width, height), f"How many submissions make each mistake: {said}")
    rows = "\n".join(
        f"<tr><td>{len(names)}</td><td>{_text(name)}</td><td>{', '.join(map(_text, names))}</td></tr>" for name, names in found
    )
    table = _table(("how many", "mistake", "who"), rows) if found else ""
    return f"<section>\n<h2>Commonest mistakes</h2>\n<figure>\n{figure}\n</figure>\n{table}\n</section>"


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
    return f"<section>\n<h2>Scores</h2>\n<p>{note}</p>\n{table}\n</section>"


def _details(report: ClassReport) -> str:
    shown = "\n".join(_student(number, result) for number, result in enumerate(report.results))
    return f"<section>\n<h2>One by one</h2>\n{shown}\n</section>"


def _student(number: int, result: Result) -> str:
    flag = _class("bug", result.verdict == "bug")
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
    label = escape(" ".join(heads))
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _class(name: str, given: bool) -> str:
    return f' class="{name}"' if given else ""


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share, 0)


def _text(text: str) -> str:
    return escape(visible(text))
