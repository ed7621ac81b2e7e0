"""Options that several subcommands share."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from jcnn import data, presets
from jcnn.data import Dataset
from jcnn.training import Config, recipes
from jcnn.training.config import default_config

DataDir = Annotated[
    Path | None,
    tyro.conf.arg(
        metavar="DIR",
        help="Where data sets lie; by default $JCNN_DATA_DIR, else $TFDS_DATA_DIR, else jcnn in the user's cache folder.",
    ),
]
Originals = Annotated[
    Path | None, tyro.conf.arg(metavar="DIR", help="A folder with a set's original files, downloaded before.")
]


@dataclass(frozen=True)
class Chosen:
    """What is trained on what, and how."""

    config: tyro.conf.OmitArgPrefixes[Config] = field(default_factory=Config)
    recipe: Annotated[str | None, tyro.conf.arg(help=recipes.help_text())] = None
    no_augment: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show all images as they are: --augment none."""
    data_dir: DataDir = None
    originals: Originals = None

    def __post_init__(self) -> None:
        if self.no_augment:
            object.__setattr__(self, "config", replace(self.config, augment=False))

    def defaults(self) -> Config:
        """What is done unless it is told otherwise: the recipe's choices, or the data's."""
        return default_config(self.config.data) if self.recipe is None else recipes.recipe(self.recipe)

    def check(self) -> None:
        """Refuses what cannot be trained, before anything is loaded."""
        self.config.check()
        presets.check(self.config.network)
        data.check(
            self.config.data,
            data_dir=self.data_dir,
            originals=self.originals,
            image_size=self.config.image_size,
            pixels=self.config.pixels,
            broken=self.config.broken,
        )

    def load(self, split: str, tell: Callable[[str], None]) -> Dataset:
        """The images of a split.

        Raises:
            DataError: images that cannot be had, none at all, or labels that are none of the classes.
        """
        return data.load(
            self.config.data,
            split,
            data_dir=self.data_dir,
            originals=self.originals,
            image_size=self.config.image_size,
            pixels=self.config.pixels,
            broken=self.config.broken,
            tell=tell,
        ).checked()
