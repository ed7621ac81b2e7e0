"""A trained network as one file: the layers as data, parameters and state bit for bit, and a digest of it all.

The file is an archive that NumPy reads too (`numpy.load` shows the arrays by name), with the SHA-256 of all bytes before it at
its end, as the archive's comment: a single changed bit anywhere is noticed. Pickle is never read or written.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

from jcnn import geometry, network_data, trees
from jcnn.archive import archive_bytes, check_arrays, check_fields, is_named_texts, is_shape, is_texts, read_archive
from jcnn.disk import file_to_write, naming, write_atomically
from jcnn.layers import Network
from jcnn.layers.composite import as_layer, keeps, layers_in
from jcnn.network_data import NetworkDataError
from jcnn.trees import TreeError

FORMAT = 1
DIGITS = hashlib.sha256().digest_size * 2


class SavedNetworkError(ValueError):
    """A file that must not be trusted as a saved network, or a network that cannot be saved; the message names the file."""


class SavedNetwork(NamedTuple):
    """All that such a file holds.

    Attributes:
        network: the layers.
        params: their parameters, in the structure in which they were saved.
        state: what layers keep beside their parameters; None if nothing.
        class_names: of the classes, in the order of the logits; () if they were not given.
        input_shape: of one example; None if it was not given.
        versions: of jcnn, JAX and NumPy, which wrote it.
    """

    network: tuple[Any, ...]
    params: Any
    state: Any
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...] | None
    versions: dict[str, str]


def save(
    path: str | os.PathLike[str],
    network: Network,
    params: Any,
    state: Any = None,
    *,
    class_names: Sequence[str] = (),
    input_shape: Sequence[int] | None = None,
) -> None:
    """Writes a trained network as one file, which appears whole or not at all; a file of that name is replaced.

    Args:
        path: the file, under exactly this name; of a link the file that it links to.
        network: a tuple of layers; your own among them have to be importable, since the file names them by import path.
        params: as `init` makes them: any dicts, tuples, named tuples and lists of arrays.
        state: what layers keep beside their parameters, of the same kinds; None: no layer keeps anything.
        class_names: of the classes, in the order of the logits.
        input_shape: of one example, (*S, C).

    Raises:
        SavedNetworkError: a layer or a parameter that cannot be stored, by its place; params that are not one
            entry per layer; no state where a layer keeps one.
        TypeError: class names that are no texts.
        GeometryError: no input shape.
        OSError: the file cannot be written, or a directory, pipe, socket or device is there; names it.
    """
    path = Path(path)
    file_to_write(path)
    names = list(class_names) if geometry.is_series(class_names) else None
    if not is_texts(names):
        raise TypeError(geometry.wrong("class_names", class_names, "texts, one for each class"))
    shape = None if input_shape is None else geometry.example_shape("input_shape", input_shape)
    try:
        layers = network_data.to_data(network)
        params_data, params_arrays = trees.to_data(params, "params")
        state_data, state_arrays = trees.to_data(state, "state")
    except (NetworkDataError, TreeError) as error:
        raise SavedNetworkError(f"{path} is not written: {error}") from error
    if not isinstance(params, tuple | list) or len(params) != len(network):
        raise SavedNetworkError(
            f"{path} is not written: params={geometry.shown(params)}: expected {len(network)} entries, one for each layer, as "
            f"init makes them"
        )
    if state is None and (keeper := next(filter(keeps, layers_in(as_layer(network))), None)):
        raise SavedNetworkError(
            f"{path} is not written: state is None, and {keeper!r} keeps one beside its parameters, without which the network "
            f"cannot be asked: give the state that training left, such as that of a jcnn.fit"
        )
    manifest = {
        "format": FORMAT,
        "network": layers,
        "params": params_data,
        "state": state_data,
        "class_names": names,
        "input_shape": shape,
        "versions": {name: version(name) for name in ("jcnn", "jax", "numpy")},
    }
    write_atomically(path, _sealed(archive_bytes(manifest, {**params_arrays, **state_arrays})))


def load(path: str | os.PathLike[str]) -> tuple[tuple[Any, ...], Any, Any]:
    """Reads a network that `save` wrote: (network, params, state), the arrays with the bits and dtypes they had.

    Every byte is held against the file's digest first. Nothing in it is executed; but a layer that is not jcnn's own is found
    by importing its module, from what is installed here, which runs that module's code (see `jcnn.network_data`). What is
    stored in float64 comes back so even where JAX has no 64 bits otherwise.

    Args:
        path: the file.

    Returns:
        (network, params, state): state None if there was none. `jcnn.saved.read` also gives class names and input shape.

    Raises:
        OSError: no such file, or it cannot be read; names it.
        SavedNetworkError: it is truncated, changed, of another kind or version, or names a layer that is not found here.
    """
    saved = read(path)
    return saved.network, saved.params, saved.state


def read(path: str | os.PathLike[str]) -> SavedNetwork:
    """All that a file of `save` holds; as `load` otherwise."""
    path = Path(path)
    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise SavedNetworkError(f"{path} is no file: expected one that jcnn.save wrote")
    with naming(path):
        content = path.read_bytes()
    if content[-DIGITS:] != _digest(content[:-DIGITS]):
        raise SavedNetworkError(
            f"{path} is refused: it is not what jcnn.save writes: truncated or changed since, or a file of another kind"
        )
    try:
        manifest, arrays = read_archive(io.BytesIO(content), len(content), _check_manifest)
        names, shape = manifest["class_names"], manifest["input_shape"]
        return SavedNetwork(
            network_data.from_data(manifest["network"]),
            trees.from_data(manifest["params"], arrays),
            trees.from_data(manifest["state"], arrays),
            tuple(names),
            None if shape is None else tuple(shape),
            manifest["versions"],
        )
    except Exception as error:  # whatever the readers of ZIP, NumPy and JSON make of bytes that somebody made up
        reason = shorten(str(error), 700, placeholder="…") or type(error).__name__
        raise SavedNetworkError(f"{path} is refused: {reason}") from error


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _sealed(archive: bytes) -> bytes:
    """An archive with the digest of all that stands before it as its comment, which are its last bytes."""
    buffer = io.BytesIO(archive)
    with zipfile.ZipFile(buffer, "a") as opened:
        opened.comment = bytes(DIGITS)
    content = buffer.getvalue()[:-DIGITS]
    return content + _digest(content)


def _check_manifest(manifest: Any) -> None:
    if isinstance(manifest, dict) and "format" in manifest and manifest["format"] != FORMAT:
        raise ValueError(
            f"it is of format {str(manifest['format'])[:20]}, and this version of jcnn reads format {FORMAT}: it was written "
            f"by another version, {str(manifest.get('versions'))[:200]}"
        )
    check_fields("the manifest", manifest, FIELDS)
    check_arrays(manifest["arrays"])


FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "format": lambda value: type(value) is int,
    "network": lambda value: isinstance(value, dict),
    "params": lambda value: isinstance(value, list | dict),
    "state": lambda value: value is None or isinstance(value, list | dict),
    "class_names": is_texts,
    "input_shape": lambda value: value is None or is_shape(value),
    "versions": is_named_texts,
    "arrays": lambda value: isinstance(value, dict),
}
