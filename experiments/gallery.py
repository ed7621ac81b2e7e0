"""The gallery: every experiment of the lecture run, and one page that shows their claims, figures, numbers and code.

`make experiments` runs it. The page, results/index.html, needs nothing but itself. Exits with 1 where a claim does not hold.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from rich.console import Console

from jcnn.figures.style import picture, style_sheet

HERE = Path(__file__).parent
RESULTS = Path("results")
LONGEST = 600
"""Seconds an experiment may take."""


class Entry(NamedTuple):
    """One experiment, run.

    Attributes:
        name: of its script.
        code: the script.
        said: what it left beside its figures; None where it did not get so far.
        error: the end of what it wrote where it failed, else "".
        seconds: how long it took.
        folder: where its figures are.
    """

    name: str
    code: str
    said: dict[str, Any] | None
    error: str
    seconds: float
    folder: Path

    @property
    def number(self) -> str:
        """Its place in the lecture."""
        return str(int(self.name.partition("_")[0]))

    @property
    def title(self) -> str:
        """Its title, or the script's name."""
        return self.said["title"] if self.said else self.name

    @property
    def holds(self) -> bool:
        """Whether it ran to its end and every claim holds."""
        return self.said is not None and not self.error and all(check["holds"] for check in self.said["checks"])


def scripts(folder: Path = HERE) -> list[Path]:
    """The experiments, in the order of the lecture."""
    return sorted(folder.glob("[0-9][0-9]_*.py"))


def run(script: Path, folder: Path = RESULTS) -> Entry:
    """Runs one experiment in a process of its own; what an earlier run left does not count."""
    said = folder / f"{script.stem}.json"
    said.unlink(missing_ok=True)
    started = time.perf_counter()
    try:
        done = subprocess.run(  # noqa: S603 (our own scripts)
            [sys.executable, str(script)], capture_output=True, text=True, timeout=LONGEST, check=False
        )
        error = (done.stderr.strip() or done.stdout.strip())[-2000:] if done.returncode else ""
    except subprocess.TimeoutExpired:
        error = f"not done after {LONGEST} s"
    seconds = time.perf_counter() - started
    found = json.loads(said.read_text()) if said.exists() else None
    return Entry(script.stem, script.read_text(), found, error, seconds, folder)


def run_all(chosen: Sequence[Path], tell: Callable[[Entry], None]) -> list[Entry]:
    """Runs experiments side by side, one for each core."""

    def told(script: Path) -> Entry:
        entry = run(script)
        tell(entry)
        return entry

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(told, chosen))


def render(entries: Sequence[Entry]) -> str:
    """The page."""
    checks = [check for entry in entries if entry.said for check in entry.said["checks"]]
    held = sum(check["holds"] for check in checks)
    code = HtmlFormatter(nowrap=True)
    dark = HtmlFormatter(style="github-dark", nowrap=True)
    return Template((HERE / "gallery.html").read_text()).substitute(
        style=style_sheet(),
        code=code.get_style_defs("pre"),
        code_dark=dark.get_style_defs("pre"),
        summary=f"{len(entries)} experiments, {held} of {len(checks)} claims hold.",
        contents="\n".join(_link(entry) for entry in entries),
        sections="\n".join(_section(entry, code) for entry in entries),
    )


def _link(entry: Entry) -> str:
    return f'<li value="{entry.number}"><a href="#{entry.name}">{escape(entry.title)}</a> {_mark(entry.holds)}</li>'


def _mark(holds: bool) -> str:
    sign, word = ("✓", "holds") if holds else ("✗", "does not hold")
    return f'<span class="{"holds" if holds else "fails"}" role="img" aria-label="{word}">{sign}</span>'


def _section(entry: Entry, code: HtmlFormatter) -> str:
    parts = [f'<section id="{entry.name}">', f"<h2><span>{entry.number}</span> {escape(entry.title)}</h2>"]
    if entry.said:
        parts += [f"<p>{escape(paragraph)}</p>" for paragraph in entry.said["claim"].split("\n")]
        parts += _pictures(entry, entry.said)
        parts.append(_table(entry.said["checks"]))
    if entry.error:
        parts.append(f'<p class="fails">This experiment failed.</p>\n<pre>{escape(entry.error)}</pre>')
    source = highlight(entry.code, PythonLexer(), code)
    parts.append(
        f"<details><summary>The code: experiments/{entry.name}.py, {len(entry.code.splitlines())} lines, "
        f"{entry.seconds:.0f} s</summary>\n"
        f'<pre tabindex="0" aria-label="Code">{source}</pre></details>\n</section>'
    )
    return "\n".join(parts)


def _pictures(entry: Entry, said: dict[str, Any]) -> list[str]:
    width, height = said["size"]
    svgs = [(entry.folder / f"{entry.name}{ending}.svg").read_bytes() for ending in ("", "-dark")]
    figures = [f"<figure>{picture(svgs[0], svgs[1], (width, height), said['about'])}</figure>"]
    if said.get("movie_size"):
        width, height = said["movie_size"]
        gifs = [(entry.folder / f"{entry.name}{ending}.gif").read_bytes() for ending in ("", "-dark")]
        moving = f"The same in motion: {entry.title}."
        figures.append(f"<figure>{picture(gifs[0], gifs[1], (width, height), moving, 'gif')}</figure>")
    return figures


def _table(checks: Sequence[dict[str, Any]]) -> str:
    rows = "\n".join(
        f'<tr><td>{_mark(check["holds"])}</td><th scope="row">{escape(check["claim"])}</th>'
        f"<td>{escape(check['found'])}</td></tr>"
        for check in checks
    )
    table = f"<table>\n<thead><tr><th></th><th>claim</th><th>found</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return f'<div class="scroll" role="region" tabindex="0" aria-label="Claims">{table}</div>'


def main() -> None:
    """Runs everything, writes the page."""
    console = Console(highlight=False)
    started = time.perf_counter()

    def tell(entry: Entry) -> None:
        console.print(f"{'[green]✓[/]' if entry.holds else '[red]✗[/]'} {entry.name} ({entry.seconds:.0f} s)")
        if not entry.holds:
            console.print(entry.error, markup=False)

    RESULTS.mkdir(exist_ok=True)
    entries = run_all(scripts(), tell)
    page = RESULTS / "index.html"
    page.write_text(render(entries))
    console.print(
        f"{sum(entry.holds for entry in entries)} of {len(entries)} hold, in {time.perf_counter() - started:.0f} s: {page}"
    )
    sys.exit(not all(entry.holds for entry in entries))


if __name__ == "__main__":
    main()
