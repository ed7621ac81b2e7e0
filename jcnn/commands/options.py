"""Options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import tyro

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
