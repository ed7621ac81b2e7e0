"""`jcnn predict`: what images show, by a trained network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import tyro
from rich.console import Console
from rich.table import Table

from jcnn import printing
from jcnn.data.pictures import PictureError, read_picture
from jcnn.endings import ERROR
from jcnn.percentages import probability
from jcnn.printing import plain
from jcnn.training import CheckpointError, make_predict, restore_run
from jcnn.training.evaluation import probabilities
from jcnn.training.run_folders import newest
from jcnn.training.step import fastest_ops


@dataclass(frozen=True)
class Predict:
    """Say what images show, by a trained network: any image files, of any size and colour.

    Files that cannot be read are named; the others are still done, and the exit code is 1.
    """

    images: tyro.conf.Positional[tuple[Path, ...]]
    """Image files."""
    run_folder: Annotated[Path | None, tyro.conf.arg(name="run", metavar="DIR")] = None
    """The run to use; by default the newest one in runs/."""
    top: int = 3
    """How many classes to show for each image: at least 1, at most all there are."""

    def run(self, console: Console) -> int:
        """Prints the likeliest classes of every image."""
        if self.top < 1:
            raise ValueError(f"top={self.top}: expected at least 1")
        folder = self.run_folder or newest()
        if folder is None:
            raise CheckpointError("there is no run in runs/: train one with `jcnn train`, or name one with --run DIR")
        if not self.images:
            raise ValueError("no images given: expected at least one file")
        warnings = printing.console(stderr=True)

        def warn(text: str) -> None:
            warnings.print(plain(f"warning: {text}"), soft_wrap=True)

        restored = restore_run(folder, warn)
        if len(restored.input_shape) != 3:
            raise ValueError(f"{folder} was trained on inputs of shape {restored.input_shape}: expected images, (H, W, C)")
        if restored.images_dtype != "uint8":
            warn(
                f"{folder} was trained on images of {restored.images_dtype}, taken as they were; image files are given to it "
                f"as v/255, from 0 to 1: its answers hold only if its training images were scaled so"
            )
        jax.config.update("jax_enable_x64", restored.dtype == "float64")
        table = Table(show_edge=False, pad_edge=False)
        for title in ("image", "class", "probability", "next", "note"):
            table.add_column(title, justify="right" if title == "probability" else "left", overflow="fold")
        predict = make_predict(restored.network, restored.dtype, fastest_ops())
        unread: list[PictureError] = []
        for path in self.images:
            try:
                picture = read_picture(path, restored.input_shape)
            except PictureError as error:
                unread.append(error)
                continue
            shown = probabilities(predict(restored.params, picture.pixels[None]))[0]
            ranked = [(restored.class_names[index], shown[index]) for index in shown.argsort()[::-1][: self.top]]
            others = ", ".join(f"{name} {probability(value)}" for name, value in ranked[1:])
            table.add_row(plain(path), plain(ranked[0][0]), probability(ranked[0][1]), plain(others), "; ".join(picture.notes))
        if table.row_count:
            console.print(table)
        for error in unread:
            printing.print_error(str(error))
        return ERROR if unread else 0
