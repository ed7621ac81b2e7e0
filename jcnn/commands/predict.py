"""`jcnn predict`: what images show, by a trained network."""

import csv
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import jax
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from jcnn import printing
from jcnn.data.findings import Findings
from jcnn.data.ground import is_bright
from jcnn.data.pictures import Picture
from jcnn.data.pixels import CHANNELS, Pixels, Polarity
from jcnn.data.reading import Task, read_all
from jcnn.data.tree import pictures_in
from jcnn.disk import write_atomically
from jcnn.endings import ERROR
from jcnn.percentages import probability
from jcnn.printing import plain
from jcnn.training import CheckpointError, make_predict, restore_run
from jcnn.training.evaluation import probabilities
from jcnn.training.restored import Restored
from jcnn.training.run_folders import newest
from jcnn.training.step import fastest_ops

TOGETHER = 32
"""Images that the network sees at once, always: what it says of one does not hang on how many others there are."""


class Said(NamedTuple):
    """What the network says of a file: a probability for every class, and notes on the file."""

    path: Path
    probabilities: np.ndarray
    notes: tuple[str, ...]


class Unread(NamedTuple):
    """A file or folder that cannot be read, and the whole message."""

    path: Path
    why: str


@dataclass(frozen=True)
class Predict:
    """Say what images show, by a trained network: any image files, of any size and colour, read as its training images were.

    Files that cannot be read are named; the others are still done, and the exit code is 1.
    """

    images: tyro.conf.Positional[tuple[Path, ...]]
    """Image files, and folders of them, at any depth; hidden files and those that are no pictures are passed over there."""
    run_folder: Annotated[Path | None, tyro.conf.arg(name="run", metavar="DIR")] = None
    """The run to use; by default the newest one in runs/."""
    top: int = 3
    """How many classes to show for each image: at least 1, at most all there are."""
    polarity: Polarity | None = None
    """as-stored or inverted (255 − v), such as for dark ink on paper where the network learned white on black; by default as
    its training images were read."""
    csv: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write a table of all files, with the probability of every class, in place of the one on the screen; - for the standard
    output."""

    def run(self, console: Console) -> int:
        """Prints the likeliest classes of every image."""
        if self.top < 1:
            raise ValueError(f"top={self.top}: expected at least 1")
        folder = self.run_folder or newest()
        if folder is None:
            raise CheckpointError("there is no run in runs/: train one with `jcnn train`, or name one with --run DIR")
        if not self.images:
            raise ValueError("no images given: expected at least one file or folder")
        warnings = printing.console(stderr=True)

        def warn(text: str) -> None:
            warnings.print(plain(f"warning: {text}"), soft_wrap=True)

        restored = restore_run(folder, warn)
        pixels = self._pixels(folder, restored, warn)
        jax.config.update("jax_enable_x64", restored.dtype == "float64")
        listed = self._listed(printing.print_line)
        findings = Findings()
        seen = _predicted(restored, pixels, [entry for entry in listed if isinstance(entry, Path)], findings)
        outcomes = [next(seen) if isinstance(entry, Path) else entry for entry in listed]
        said = [outcome for outcome in outcomes if isinstance(outcome, Said)]
        unread = [outcome for outcome in outcomes if isinstance(outcome, Unread)]
        if self.csv is not None:
            self._write(self.csv, _as_csv(restored.class_names, outcomes), console)
        elif said:
            console.print(_as_table(restored.class_names, said, self.top))
        if resized := findings.resized(pixels, restored.input_shape[:2]):
            printing.print_line(resized)
        for bad in unread:
            printing.print_error(bad.why)
        return ERROR if unread else 0

    def _pixels(self, folder: Path, restored: Restored, warn: Callable[[str], None]) -> Pixels:
        """How files are read: as the run's were."""
        if len(restored.input_shape) != 3 or restored.input_shape[-1] not in CHANNELS:
            raise ValueError(
                f"{folder} was trained on inputs of shape {restored.input_shape}: expected images, (H, W, C) with 1, 3 or 4 "
                "channels"
            )
        if restored.images_dtype != "uint8":
            warn(
                f"{folder} was trained on images of {restored.images_dtype}, taken as they were; image files are given to it "
                f"as v/255, from 0 to 1: its answers hold only if its training images were scaled so"
            )
        elif restored.pixels is None:
            warn(
                f"{folder} was trained on arrays, and nobody says how files became them; they are taken as they are stored, "
                "transparent ones on white, and brought to size by pad"
            )
        pixels = replace(restored.pixels or Pixels(), channels=restored.input_shape[-1])
        return pixels if self.polarity is None else replace(pixels, polarity=self.polarity)

    def _listed(self, tell: Callable[[str], None]) -> "list[Path | Unread]":
        """The files that are given and those in folders, in order; and in place of folders that yield none, why."""
        listed: list[Path | Unread] = []
        for path in self.images:
            if not os.path.isdir(path):  # noqa: PTH112 (which does not raise for a name that cannot be)
                listed.append(path)
                continue
            try:
                found = pictures_in(path)
            except OSError as error:
                listed.append(Unread(path, f"{path} cannot be looked into: {error.strerror or error}"))
                continue
            listed.extend(found.paths)
            listed.extend(Unread(Path(bad.name), f"{bad.name} {bad.why}") for bad in found.bad)
            if not found.paths and not found.bad:
                listed.append(Unread(path, f"{path} has no pictures in it"))
            for line in found.said:
                tell(f"{path}: {line}")
        return listed

    def _write(self, path: Path, content: str, console: Console) -> None:
        if path == Path("-"):
            console.file.write(content)
        else:
            write_atomically(path, content.encode("utf-8", "backslashreplace"))
            console.print(plain(f"predictions: {path}"), soft_wrap=True)


def _predicted(restored: Restored, pixels: Pixels, files: list[Path], findings: Findings) -> Iterator[Said | Unread]:
    """What the network says of every file, in order, or why it cannot be read."""
    predict = make_predict(restored.network, restored.dtype, fastest_ops(), flip=restored.test_time_flip)
    height, width, _ = restored.input_shape
    reading = zip(files, read_all(files, Task(pixels, (height, width))), strict=True)
    while some := list(islice(reading, TOGETHER)):
        pictures = [(path, read) for path, read in some if isinstance(read, Picture)]
        images = np.zeros((TOGETHER, *restored.input_shape), np.uint8)
        for row, (path, picture) in zip(images, pictures, strict=False):
            row[:] = picture.pixels
            findings.take(str(path), picture)
        shown = iter(probabilities(predict(restored.params, images, restored.state)) if pictures else ())
        for path, read in some:
            if isinstance(read, Picture):
                yield Said(path, next(shown), (*read.notes, *_ground(read, restored, pixels)))
            else:
                yield Unread(path, str(read))


def _ground(picture: Picture, restored: Restored, pixels: Pixels) -> Iterator[str]:
    """Says where a grey picture looks like the negative of what the network knows; it is not changed."""
    here = "bright" if is_bright(picture.pixels) else "dark"
    if pixels.channels == 1 and restored.ground and here != restored.ground:
        other = "inverted" if pixels.polarity == "as-stored" else "as-stored"
        yield f"{here} border, where training images have a {restored.ground} one: --polarity {other} turns it"


def _as_table(class_names: tuple[str, ...], said: list[Said], top: int) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for title in ("image", "class", "probability", "next", "note"):
        table.add_column(title, justify="right" if title == "probability" else "left", overflow="fold")
    for path, shown, notes in said:
        ranked = [(class_names[index], shown[index]) for index in shown.argsort()[::-1][:top]]
        others = ", ".join(f"{name} {probability(float(value))}" for name, value in ranked[1:])
        table.add_row(plain(path), plain(ranked[0][0]), probability(float(ranked[0][1])), plain(others), "; ".join(notes))
    return table


def _as_csv(class_names: tuple[str, ...], outcomes: list[Said | Unread]) -> str:
    """A row a file: the likeliest class, its probability, notes, why it could not be read, and every class's probability."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["image", "class", "probability", "note", "error", *class_names])
    for outcome in outcomes:
        if isinstance(outcome, Unread):
            rows.writerow([outcome.path, "", "", "", outcome.why, *("" for _ in class_names)])
            continue
        best = int(outcome.probabilities.argmax())
        values = [repr(float(value)) for value in outcome.probabilities]
        rows.writerow([outcome.path, class_names[best], values[best], "; ".join(outcome.notes), "", *values])
    return out.getvalue()
