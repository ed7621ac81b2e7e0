"""Where images lie: the data folder, and in it what is downloaded, prepared and cached.

- `DATA_DIR/<set>/<version>/`: prepared by TensorFlow Datasets, as array_record.
- `DATA_DIR/downloads/<set>/`: what was downloaded; one folder a set, since sets share file names.
- `DATA_DIR/jcnn/<set>/`: the decoded images (`jcnn.data.cache`).
"""

import os
import re
from pathlib import Path
from urllib.parse import quote


def data_folder(given: Path | None = None) -> Path:
    """The data folder: the one given, else $JCNN_DATA_DIR, else $TFDS_DATA_DIR, else jcnn in the user's cache folder."""
    named = given or os.environ.get("JCNN_DATA_DIR") or os.environ.get("TFDS_DATA_DIR")
    if named:
        folder = Path(named).expanduser()
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(20, "expected a folder for data sets", str(folder))
        return folder
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jcnn"


def originals_folder(given: Path | None, name: str) -> Path | None:
    """The folder with a set's original files: one of the set's own name in the given folder, else the given folder.

    Raises:
        FileNotFoundError: the given folder does not exist.
    """
    if given is None:
        return None
    given = Path(given).expanduser()
    if not given.is_dir():
        raise FileNotFoundError(2, "no such folder (originals)", str(given))
    own = given / re.split("[/:]", name)[0]
    return own if own.is_dir() else given


def cache_folder(folder: Path, name: str, image_size: int | None) -> Path:
    """Where the decoded images of a set lie in a data folder: a place of its own for every name and size."""
    size = f"@{image_size}px" if image_size else ""  # no name has an @ once it is quoted
    return folder / "jcnn" / (quote(name, safe="") + size)
