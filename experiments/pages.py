"""Writes what was measured as a page of `docs/`."""

from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Markdown of a table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *lines])


def write_page(name: str, title: str, text: str) -> None:
    """Writes `docs/NAME.md`, with a title and below it the text."""
    DOCS.mkdir(exist_ok=True)
    (DOCS / f"{name}.md").write_text(f"# {title}\n\n{text}\n", encoding="utf-8")
