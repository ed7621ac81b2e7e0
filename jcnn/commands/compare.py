"""`jcnn compare`: runs on one page, their curves over each other, and what they differ in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from jcnn.disk import file_to_write, write_atomically
from jcnn.printing import plain
from jcnn.training.stored_runs import StoredRun, read_runs


@dataclass(frozen=True)
class Compare:
    """Compare runs on one page: results, what their recipes differ in, curves over each other. Runs may be unfinished."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs, two or more."""
    out: Path = Path("comparison.html")
    """The page."""

    def run(self, console: Console) -> int:
        """Writes the page, and prints the results and where it is."""
        from jcnn.figures.comparison import MOST, Compared, differing, render_comparison  # they bring Matplotlib

        if not 2 <= len(self.runs) <= MOST:
            raise ValueError(f"runs: {len(self.runs)} given, expected 2 to {MOST} folders")
        file_to_write(self.out)
        stored = read_runs(self.runs)
        choices = [{name: run.choice(name) for name in _names(stored)} for run in stored]
        compared = [
            Compared(name, chosen, run.results(), run.records)
            for name, chosen, run in zip(names(self.runs), choices, stored, strict=True)
        ]
        write_atomically(self.out, render_comparison(compared).encode())
        table = Table(show_edge=False, pad_edge=False)
        titles = ("test accuracy", "test errors", "epochs", "training time")
        for title in ("run", *titles):
            table.add_column(title, overflow="fold")
        for run in compared:
            table.add_row(*map(plain, (run.name, *(run.results[title] for title in titles))))
        console.print(table)
        console.print(plain(f"their recipes differ in {', '.join(differing(choices)) or 'nothing'}"), soft_wrap=True)
        console.print(plain(f"comparison: {self.out}"), soft_wrap=True)
        return 0


def names(folders: Sequence[Path]) -> list[str]:
    """What runs are called: the last parts of their paths, as many as it takes to tell them apart."""
    paths = [folder.resolve() for folder in folders]
    deepest = max(len(path.parts) for path in paths)
    for count in range(1, deepest + 1):
        found = ["/".join(path.parts[-count:]) for path in paths]
        if len(set(found)) == len(found):
            return found
    return [str(path) for path in paths]


def _names(runs: Sequence[StoredRun]) -> list[str]:
    """The choices that any of the runs has."""
    return list(dict.fromkeys(name for run in runs for name in (*run.values, "optimizer")))
