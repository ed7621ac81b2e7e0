"""Puts a measured table into the README, between the marks that bear its name."""

import re
from collections.abc import Sequence
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Markdown of a table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *lines])


def write_block(name: str, text: str) -> None:
    """Replaces what stands between `<!-- name -->` and `<!-- /name -->` in the README.

    Raises:
        ValueError: the README has no such marks.
    """
    content = README.read_text()
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(content):
        raise ValueError(f"{README} has no block {name!r}: expected <!-- {name} --> and <!-- /{name} -->")
    README.write_text(pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", content))
