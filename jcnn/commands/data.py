"""`jcnn data`: list, prepare and show data sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from jcnn import data
from jcnn.commands.options import DataDir, Originals
from jcnn.data.inventory import inventory
from jcnn.data.load import data_folder
from jcnn.data.registry import SOURCES, names_in_words
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
        console.print(plain(f"in {folder}; any other of TensorFlow Datasets: tfds:NAME"), soft_wrap=True)
        return 0


@dataclass(frozen=True)
class Prepare:
    """Download and prepare a data set, or see that it is ready."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(help=f"{names_in_words()}.")]
    data_dir: DataDir = None
    originals: Originals = None
    image_size: int | None = None
    """Bring every image to this height and width; needed where the images of a set differ in size."""

    def run(self, console: Console) -> int:
        """Prepares it and says what there is."""
        for split in ("train", "test"):
            found = data.load(self.name, split, data_dir=self.data_dir, originals=self.originals, image_size=self.image_size)
            described = (
                f"{self.name} {split}: {len(found.labels):,} images of {times(found.input_shape)}, "
                f"{found.classes} classes, SHA-256 {found.fingerprint[:16]}…"
            )
            console.print(plain(described), soft_wrap=True)
        return 0


@dataclass(frozen=True)
class Show:
    """Draw a contact sheet of a data set, a row of images for each class, as PNG."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(help=f"{names_in_words()}.")]
    split: str = "train"
    """train or test."""
    out: Path | None = None
    """The file; by default NAME-SPLIT.png."""
    per_class: int = 12
    """Images of every class."""
    data_dir: DataDir = None
    originals: Originals = None
    image_size: int | None = None
    """Bring every image to this height and width; needed where the images of a set differ in size."""

    def run(self, console: Console) -> int:
        """Draws and names the file."""
        from jcnn.figures.contact_sheet import contact_sheet
        from jcnn.figures.style import by_defaults, save

        if self.per_class < 1:
            raise ValueError(f"per_class={self.per_class}: expected at least 1")
        shown = data.load(self.name, self.split, data_dir=self.data_dir, originals=self.originals, image_size=self.image_size)
        out = self.out or Path(f"{self.name.replace(':', '-').replace('/', '-')}-{self.split}.png")
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
