"""Data sets made ready through TensorFlow Datasets: found prepared, or downloaded, checked and prepared as array_record.

Whatever goes wrong comes out as a `DataError` that says what to do. A set is prepared in a folder aside and moved to its place
when it is whole, by one process at a time.
"""

import base64
import difflib
import errno
import importlib
import importlib.util
import io
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from textwrap import shorten
from urllib.parse import urlsplit

from jcnn.data.builders import Published, published_builder
from jcnn.data.dataset import DataError
from jcnn.data.exclusive import exclusive
from jcnn.data.features import image_and_label
from jcnn.data.reachability import unreachable

# Without this, TensorFlow tells of every processor feature it was not compiled for.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
from tensorflow_datasets.core.registered import DatasetNotFoundError

Builder = tfds.core.DatasetBuilder
READABLE = ("array_record",)


def prepared(name: str, folder: Path, originals: Path | None, tell: Callable[[str], None]) -> Builder:
    """A set's builder, the set prepared in the folder before or now.

    Args:
        name: of a row of the registry, or any name TensorFlow Datasets knows: name, name/config, name:version.
        folder: the data folder.
        originals: a folder with files downloaded before; None: download.
        tell: told if another process prepares the set.

    Raises:
        DataError: no such set; it cannot be had, or not read; or it needs TensorFlow.
    """
    with as_data_error(f"{name} cannot be prepared in {folder}", "nothing half-made was kept"), redirect_stdout(io.StringIO()):
        builder = _builder(name, folder)
        if not builder.data_path.exists():
            # One lock for all configs, versions and sizes of a set: they share its downloads and the folder aside.
            with exclusive(folder / "jcnn" / f"{builder.name}.preparing.lock", f"prepares {builder.name}", tell):
                if not builder.data_path.exists():
                    _prepare(name, folder, originals)
            builder = _builder(name, folder)
        _require_readable(builder)
        return builder


def require_known(name: str, folder: Path) -> None:
    """Refuses a set that TensorFlow Datasets does not know and that is not prepared in the folder.

    Raises:
        DataError: no such set; the message says which name is near.
    """
    with as_data_error(f"{name} cannot be prepared in {folder}", "nothing was begun"), redirect_stdout(io.StringIO()):
        _builder(name, folder)


def _builder(name: str, folder: Path) -> Builder:
    if (published := published_builder(name)) is not None:
        return published(data_dir=folder)
    if importlib.util.find_spec("tensorflow"):
        # The GPU's memory is for the network.
        importlib.import_module("tensorflow").config.set_visible_devices([], "GPU")
    try:
        return tfds.builder(name, data_dir=folder)
    except DatasetNotFoundError:
        close = difflib.get_close_matches(name, tfds.list_builders(with_community_datasets=False), n=3)
        meant = f"did you mean {', '.join(close)}?" if close else "its sets: https://www.tensorflow.org/datasets/catalog"
        raise DataError(f"TensorFlow Datasets {tfds.__version__} knows no data set {name!r}; {meant}") from None


def _require_readable(builder: Builder) -> None:
    if not (builder.data_path / "dataset_info.json").exists():
        raise DataError(
            f"{builder.data_path} is no prepared set, its dataset_info.json is missing: "
            "it is damaged: move that folder away, and run again to have it prepared anew"
        )
    found = builder.info.file_format
    written = found.value if found else "an unknown format"
    if written not in READABLE:
        raise DataError(
            f"{builder.data_path} was prepared as {written}, which only TensorFlow reads: "
            "give another --data-dir (or JCNN_DATA_DIR) to have the set prepared anew there, or move that folder away"
        )


def _require_reachable(builder: Builder, place: Path, downloads: Path, originals: Path | None) -> None:
    """TensorFlow Datasets would try for minutes; this notices in seconds that there is no way to a file that is missing.

    Of our own builders every file is needed. Others list the addresses of all their configs, so that one host may answer and
    the rest not be asked; and those whose files a person has to download are left to say so themselves.
    """
    if isinstance(builder, Published):
        if builder.has_originals():
            return
    elif builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        return
    infos = builder.url_infos or {}
    names = {url: info.filename or url.rsplit("/", 1)[-1] for url, info in infos.items()}
    given = {url for url, name in names.items() if originals and name and (originals / name).exists()}
    if given and not isinstance(builder, Published):
        return
    missing = [url for url in names if url not in given and not _kept(downloads, infos[url].checksum)]
    failing = unreachable(missing)
    hosts = {urlsplit(url).netloc for url in missing}
    if failing and (isinstance(builder, Published) or failing.keys() == hosts):
        why = ", ".join(f"{host} {reason}" for host, reason in failing.items())
        looked = f"prepared in {place}, downloaded in {downloads}"
        if originals:
            looked += f", original in {originals}"
        raise DataError(
            f"{builder.name} is not there and cannot be downloaded: {why}. Missing: {', '.join(missing)}. "
            f"Looked for it: {looked}. Ways out: connect and run again; or give the folder of files that you downloaded "
            "elsewhere with --originals DIR; or give a folder in which it is prepared with --data-dir DIR (or JCNN_DATA_DIR)"
        )


def _kept(downloads: Path, checksum: str) -> bool:
    """Whether a file was downloaded before; the download manager has its checksum in the file's name, and a note beside it."""
    key = base64.urlsafe_b64encode(bytes.fromhex(checksum)).decode().rstrip("=")
    return any(note.with_suffix("").exists() for note in downloads.rglob(f"*{key}*.INFO"))


def _prepare(name: str, folder: Path, originals: Path | None) -> None:
    """Prepares in a folder aside, then moves it to its place; the caller holds the set's lock."""
    aside = folder / "jcnn" / "preparing" / re.split("[/:]", name)[0]
    shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed
    aside.mkdir(parents=True)
    try:
        builder = _builder(name, aside)
        image_and_label(builder)
        if isinstance(builder, Published):
            builder.originals = originals
        place = folder / builder.data_path.relative_to(aside)
        downloads = folder / "downloads" / builder.name
        for unfinished in downloads.rglob("*.tmp.*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        _require_reachable(builder, place, downloads, originals)
        switch = tfds.enable_progress_bar if sys.stderr.isatty() else tfds.disable_progress_bar
        switch()
        builder.download_and_prepare(
            download_dir=downloads,
            download_config=tfds.download.DownloadConfig(manual_dir=originals, extract_dir=downloads / "extracted"),
            file_format="array_record",
        )
        for path in aside.rglob(".config"):
            shutil.copytree(path, folder / path.relative_to(aside), dirs_exist_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        builder.data_path.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def as_data_error(what: str, otherwise: str) -> Iterator[None]:
    """Turns what TensorFlow Datasets and the disk raise into a `DataError`: what failed, why, and a way out."""
    try:
        yield
    except DataError:
        raise
    except NonMatchingChecksumError as error:
        which = str(error).splitlines()[0].rstrip(":")
        raise DataError(
            f"{which}: the file is damaged, cut short, or another set's of the same name; remove it and get it again"
        ) from error
    except MemoryError as error:
        raise DataError(f"{what}: {str(error) or 'out of memory'}; give a smaller --image-size, or more memory") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            advice = "make room, or give another folder with --data-dir"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = "give a folder that can be written with --data-dir (or JCNN_DATA_DIR)"
        else:
            advice = otherwise
        raise DataError(f"{what}: {error}; {advice}") from error
    except Exception as error:
        if _needs_tensorflow(error):
            raise DataError(f'{what} without TensorFlow: pip install "jcnn[tensorflow]"') from error
        if "No space left" in str(error):
            otherwise = "make room, or give another folder with --data-dir"
        raise DataError(f"{what}: {shorten(str(error), 1000) or type(error).__name__}; {otherwise}") from error


def _needs_tensorflow(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ImportError) and "tensorflow'" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
