"""What all experiments share: claims that hold or do not, and the way from a script to the terminal and to results/."""

import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import tyro
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from rich.table import Table

from jcnn.compilation import keep_compiled, keep_memory
from jcnn.figures import DARK, LIGHT, Theme, to_png, to_svg

RESULTS = Path("results")


class Check(NamedTuple):
    """One claim beside what was found.

    Attributes:
        claim: what must hold, in a few words.
        found: the number that says so, with its unit.
        holds: whether it does.
    """

    claim: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Topic:
    """One experiment: a script that states a claim, computes it, checks it and draws it.

    Attributes:
        file: the script, `__file__`.
        text: its docstring: a title, then the claim.
        config: a frozen dataclass with what can be chosen.
        run: computes everything; config → result.
        checks: the claims beside what was found; result → checks.
        figure: the picture; (result, theme) → figure.
        about: the picture in words and numbers, for those who do not see it; result → text.
        quick: a small configuration, for which the claims hold too.
        movie: GIF bytes where motion explains; (result, theme) → bytes.
    """

    file: str
    text: str | None
    config: type
    run: Callable[[Any], Any]
    checks: Callable[[Any], Sequence[Check]]
    figure: Callable[[Any, Theme], Figure]
    about: Callable[[Any], str]
    quick: Any
    movie: Callable[[Any, Theme], bytes] | None = None

    @property
    def name(self) -> str:
        """The script's name, such as "04_spatial_dimensions"."""
        return Path(self.file).stem

    @property
    def title(self) -> str:
        """The first line, without its full stop."""
        return (self.text or "").strip().splitlines()[0].removesuffix(".")

    @property
    def claim(self) -> str:
        """What follows the title, a paragraph a line."""
        paragraphs = (self.text or "").strip().split("\n\n")[1:]
        return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)

    def main(self) -> None:
        """Runs, prints the checks, leaves figures and numbers in results/; exits with 1 where a claim does not hold."""
        config = tyro.cli(self.config, description=f"{self.title}\n\n{self.claim}")
        keep_compiled()
        keep_memory()
        result = self.run(config)
        checks = self.checks(result)
        self.save(result, checks, RESULTS)
        console = Console(highlight=False)
        console.print(f"[bold]{self.title}[/]")
        console.print(table(checks))
        if not all(check.holds for check in checks):
            console.print("a claim does not hold")
            sys.exit(1)

    def save(self, result: Any, checks: Sequence[Check], folder: Path) -> None:
        """Leaves NAME.png, .svg, -dark.svg, perhaps .gif, and a .json of everything said, in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        light, dark = self.figure(result, LIGHT), self.figure(result, DARK)
        (folder / f"{self.name}.png").write_bytes(to_png(light))
        (folder / f"{self.name}.svg").write_bytes(to_svg(light))
        (folder / f"{self.name}-dark.svg").write_bytes(to_svg(dark))
        width, height = (round(96 * float(inches)) for inches in light.get_size_inches())
        said = {
            "title": self.title,
            "claim": self.claim,
            "about": self.about(result),
            "size": [width, height],
            "movie_size": self._save_movie(result, folder) if self.movie else None,
            "checks": [check._asdict() for check in checks],
        }
        (folder / f"{self.name}.json").write_text(json.dumps(said, ensure_ascii=False, indent=1))

    def _save_movie(self, result: Any, folder: Path) -> tuple[int, int]:
        """Leaves the animation for light and dark screens; its size in CSS pixels."""
        assert self.movie is not None  # noqa: S101
        for ending, theme in (("-dark", DARK), ("", LIGHT)):
            movie = self.movie(result, theme)
            (folder / f"{self.name}{ending}.gif").write_bytes(movie)
        with Image.open(io.BytesIO(movie)) as frames:
            return frames.width, frames.height


def table(checks: Sequence[Check]) -> Table:
    """The checks, each with a tick or a cross."""
    shown = Table(show_edge=False, pad_edge=False)
    for title in ("", "claim", "found"):
        shown.add_column(title, overflow="fold")
    for check in checks:
        shown.add_row("[green]✓[/]" if check.holds else "[red]✗[/]", check.claim, check.found)
    return shown
