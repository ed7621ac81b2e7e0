"""`jcnn data`: list, prepare and show data sets."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from jcnn import data
from jcnn.commands.options import DataDir, Originals
from jcnn.data import Dataset
from jcnn.data.inventory import inventory
from jcnn.data.load import data_folder
from jcnn.data.pixels import Broken, Pixels
from jcnn.data.registry import FOLDER, SOURCES, names_in_words
from jcnn.printing import plain
from jcnn.summary import times


@dataclass(frozen=True)
class List:
    """What data sets there are, what is prepared where."""

    data_dir: DataDir = None

    def run(self, console: Console) -> int:
        """Prints the table."""
        folder = data_folder(self.data_dir)
        table = Table(show_edge=False, pad_edge=False)
        for title in ("data set", "images", "classes", "splits", "on disk", "state"):
            table.add_column(title, justify="right" if title in ("classes", "on disk") else "left", overflow="fold")
        for entry in inventory(folder):
            table.add_row(
                plain(entry.name),
                times(entry.shape) if entry.shape else "",
                f"{entry.classes:,}" if entry.classes else "",
                plain(", ".join(f"{name} {count:,}" for name, count in entry.splits.items())),
                f"{entry.size / 1e6:,.1f} MB" if entry.size else "",
                plain(entry.state),
            )
        console.print(table)
        for name, row in SOURCES.items():
            console.print(plain(f"{name}: {row.images} ({row.address}, licence: {row.licence})"), soft_wrap=True)
        console.print(
            plain(f"in {folder}; any other of TensorFlow Datasets: tfds:NAME; your own pictures: folder:PATH"), soft_wrap=True
        )
        return 0


@dataclass(frozen=True)
class Asked:
    """A data set by name, and how its images are read."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(help=f"{names_in_words()}.")]
    data_dir: DataDir = None
    originals: Originals = None
    image_size: int | None = None
    """Bring every image to this height and width; needed where the images of a set differ in size."""
    pixels: tyro.conf.OmitArgPrefixes[Pixels] = field(default_factory=Pixels)
    broken: Broken = "refuse"
    """What is done where images cannot be read: refuse (all of them are named), or skip (named and left out)."""

    def load(self, split: str) -> Dataset:
        """One split of it."""
        return data.load(
            self.name,
            split,
            data_dir=self.data_dir,
            originals=self.originals,
            image_size=self.image_size,
            pixels=self.pixels,
            broken=self.broken,
        )


@dataclass(frozen=True)
class Prepare(Asked):
    """Download and prepare a data set, or see that it is ready."""

    def run(self, console: Console) -> int:
        """Prepares it and says what there is."""
        for split in ("train", "test"):
            found = self.load(split)
            described = (
                f"{self.name} {split}: {len(found.labels):,} images of {times(found.input_shape)}, "
                f"{found.classes} classes, SHA-256 {found.fingerprint[:16]}…"
            )
            console.print(plain(described), soft_wrap=True)
        return 0


@dataclass(frozen=True)
class Show(Asked):
    """Draw a contact sheet of a data set, a row of images for each class, as PNG."""

    split: str = "train"
    """train or test."""
    out: Path | None = None
    """The file; by default NAME-SPLIT.png."""
    per_class: int = 12
    """Images of every class."""

    def run(self, console: Console) -> int:
        """Draws and names the file."""
        from jcnn.figures.contact_sheet import contact_sheet
        from jcnn.figures.style import by_defaults, save

        if self.per_class < 1:
            raise ValueError(f"per_class={self.per_class}: expected at least 1")
        shown = self.load(self.split)
        # Of a folder, its own name; of a set, also its config and version.
        name = Path(self.name).name if self.name.startswith(FOLDER) else re.sub("[:/]", "-", self.name)
        out = self.out or Path(f"{name}-{self.split}.png")
        if out.is_dir():
            raise IsADirectoryError(21, "expected a file for the contact sheet", str(out))
        out = out if out.suffix else out.with_name(f"{out.name}.png")
        with by_defaults():
            save(contact_sheet(shown, per_class=self.per_class), out)
        console.print(plain(f"contact sheet: {out}"), soft_wrap=True)
        return 0


@dataclass(frozen=True)
class Data:
    """List, prepare and show data sets."""

    action: tyro.conf.OmitSubcommandPrefixes[
        Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Prepare, tyro.conf.subcommand("prepare")]
        | Annotated[Show, tyro.conf.subcommand("show")]
    ]

    def run(self, console: Console) -> int:
        """Does what was asked."""
        return self.action.run(console)
