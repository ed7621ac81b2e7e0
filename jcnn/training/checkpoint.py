"""Checkpoints: each an `.npz` file, written so that a reader finds it whole or not at all, and never changed.

The arrays lie in the archive by their path in the state (`params/0/w`), beside a manifest in JSON: names, shapes, dtypes, step,
seed, config, data, versions. The file's name ends in the first 16 hexadecimal digits of its SHA-256, so a single changed bit is
noticed. Pickle is never read or written. Dtypes NumPy has no name for, such as bfloat16, are stored as unsigned integers.
"""

import hashlib
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jcnn.archive import (
    DTYPES,
    archive_bytes,
    check_arrays,
    check_fields,
    is_count,
    is_named_texts,
    is_shape,
    is_texts,
    read_archive,
)
from jcnn.data import pixels
from jcnn.disk import write_atomically
from jcnn.training.config import check_stored
from jcnn.training.errors import CheckpointError
from jcnn.training.recipe import Recipe

T = TypeVar("T")
_NAME = re.compile(r"checkpoint-(\d{8,})-([0-9a-f]{16})\.npz")
KEPT = 3
FORMAT = 1


class Checkpoint(NamedTuple):
    """A checkpoint as read: where from, its manifest, its arrays by name."""

    path: Path
    manifest: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def step(self) -> int:
        """Steps done when it was written."""
        return self.manifest["step"]


def versions() -> dict[str, str]:
    """The versions that decide a run's numbers."""
    packages = {name: version(name) for name in ("jcnn", "jax", "jaxlib", "optax", "numpy")}
    return {"python": platform.python_version(), **packages}


def save(
    folder: Path,
    state: Any,
    *,
    step: int,
    seed: int,
    config: dict[str, Any],
    data: dict[str, Any],
    settings: dict[str, str] | None = None,
) -> Path:
    """Writes a checkpoint, then removes all but the newest three.

    The bytes go to a temporary file, are flushed to the disk, and only then get their name; at every moment the folder holds
    the last good checkpoint whole.

    Args:
        folder: where checkpoints lie; made if missing.
        state: a pytree of arrays.
        step: steps done.
        seed: the run's seed.
        config: the run's config, plain values.
        data: what the network was trained on, plain values.
        settings: what is set from outside and may change the numbers.

    Returns:
        The new file.

    Raises:
        CheckpointError: it cannot be written; names the file and, if there is one, the last good checkpoint.
    """
    if why := unstorable(state):
        raise CheckpointError(why)
    named = {name: np.asarray(leaf) for name, leaf in _named_leaves(state)}
    manifest = {
        "format": FORMAT,
        "step": step,
        "seed": seed,
        "config": config,
        "data": data,
        "versions": versions(),
        "settings": settings or {},
    }
    content = archive_bytes(manifest, named)
    path = folder / f"checkpoint-{step:08d}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        good = next(iter(candidates(folder)), None)
        kept = f"; the last good checkpoint is {good}" if good else ""
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}{kept}") from error
    outdated = [other for other in candidates(folder) if other != path][KEPT - 1 :]
    for old in [*outdated, *folder.glob(".checkpoint-*.tmp")]:  # what a killed process left half-written
        with suppress(OSError):  # the new one is safe; what cannot be removed is only in the way
            old.unlink()
    return path


def unstorable(state: Any) -> str:
    """Why no checkpoint can hold a state, as text; empty when one can.

    Args:
        state: a pytree of arrays, or of their shapes and dtypes.
    """
    leaves = list(_named_leaves(state))
    for name, leaf in leaves:
        if leaf.dtype.name not in DTYPES:
            return f"the state's {name} is {leaf.dtype.name}, which no checkpoint can hold: expected one of {', '.join(DTYPES)}"
    # A key with a slash in it, or an empty one.
    twice = [name for name, times in Counter(name for name, _ in leaves).items() if times > 1]
    return f"two arrays of the state are both called {twice[0]} in a checkpoint: expected names that differ" if twice else ""


def candidates(folder: Path) -> list[Path]:
    """The files in a folder that are named as checkpoints, newest step first."""
    matched = ((_NAME.fullmatch(path.name), path) for path in folder.glob("checkpoint-*.npz"))
    found = [(int(match[1]), path) for match, path in matched if match]
    return [path for _, path in sorted(found, reverse=True)]


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint and proves it unchanged, and that it is what its manifest says, before any array of it is read.

    Nothing in the file is believed: what is allocated is bounded by the file's own size.

    Raises:
        CheckpointError: missing, unreadable, truncated, changed, or not a checkpoint of this format.
    """
    matched = _NAME.fullmatch(path.name)
    if not matched:
        raise CheckpointError(f"{path} is refused: expected a name such as checkpoint-00000040-0123456789abcdef.npz")
    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise CheckpointError(f"{path} is refused: it is no file")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            whole = digest[:16] == matched[2]
            manifest, arrays = read_archive(file, path.stat().st_size, _check_manifest) if whole else ({}, {})
    except OSError as error:
        raise CheckpointError(f"{path} is refused: {error.strerror or error}") from error
    except Exception as error:  # whatever the readers of ZIP, NumPy and JSON make of bytes that somebody made up
        reason = shorten(str(error), 200, placeholder="…") or type(error).__name__
        raise CheckpointError(f"{path} is refused: not a checkpoint of jcnn ({reason})") from error
    if not whole:
        raise CheckpointError(f"{path} is refused: its content is not what was written (truncated or changed)")
    if manifest["step"] != int(matched[1]):
        raise CheckpointError(f"{path} is refused: it holds step {manifest['step']}, its name says {int(matched[1])}")
    return Checkpoint(path, manifest, arrays)


def load_newest(folder: Path, refused: Callable[[str], None], use: Callable[[Checkpoint], T]) -> T | None:
    """What `use` makes of the newest checkpoint that is whole and that it accepts; None where there is no file at all.

    Args:
        folder: where checkpoints lie.
        refused: told of every file that is passed over, and why.
        use: takes a checkpoint, and raises CheckpointError for one that does not fit.

    Raises:
        CheckpointError: there are files, and none can be used.
    """
    paths = candidates(folder)
    reasons = []
    for path in paths:
        try:
            return use(load(path))
        except CheckpointError as error:
            reasons.append(str(error))
            refused(reasons[-1])
    if reasons:
        raise CheckpointError(f"no checkpoint in {folder} can be used: all {len(paths)} are refused; {reasons[0]}")
    return None


def restore(checkpoint: Checkpoint, template: Any) -> Any:
    """The state of a checkpoint, in the structure of `template` (a pytree of arrays or of their shapes), on the device.

    Raises:
        CheckpointError: names, shapes or dtypes differ from the template's.
    """
    named = list(_named_leaves(template))
    missing = sorted({name for name, _ in named} ^ set(checkpoint.arrays))
    if missing:
        raise CheckpointError(f"{checkpoint.path} does not fit this network: {', '.join(missing[:4])} on one side only")
    leaves = []
    for name, leaf in named:
        array = checkpoint.arrays[name]
        if array.shape != leaf.shape or array.dtype != leaf.dtype:
            raise CheckpointError(
                f"{checkpoint.path} does not fit this network: {name} is {array.dtype.name}{list(array.shape)}, "
                f"expected {leaf.dtype.name}{list(leaf.shape)}"
            )
        leaves.append(jnp.array(array, copy=True))
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _named_leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        yield jax.tree_util.keystr(path, simple=True, separator="/"), leaf


def _check_manifest(manifest: Any) -> None:
    """Raises ValueError, KeyError or TypeError unless every field of a manifest is there and of its kind."""
    check_fields("the manifest", manifest, FIELDS)
    check_fields("data", manifest["data"], DATA_FIELDS)
    check_arrays(manifest["arrays"])
    check_fields("data", {**LATER_DATA, **manifest["data"]}, LATER_DATA_FIELDS)
    if (described := manifest["data"].get("pixels")) is not None:
        pixels.from_data(described)
    if not is_named_texts(manifest.get("settings", {})):
        raise ValueError("the manifest: settings are no texts by name")
    check_stored(manifest["config"])
    if (seed := manifest["config"].get("seed", Recipe.seed)) != manifest["seed"]:
        raise ValueError(f"seed {manifest['seed']} beside a config of seed {seed}")


FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "format": lambda value: value == FORMAT,
    "step": is_count,
    "seed": is_count,
    "config": lambda value: isinstance(value, dict),
    "data": lambda value: isinstance(value, dict),
    "versions": is_named_texts,
    "arrays": lambda value: isinstance(value, dict),
}
LATER_DATA = {"dtype": "uint8", "pixels": None, "ground": ""}
"""What the first runs did not say of their images."""

LATER_DATA_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "dtype": lambda value: isinstance(value, str),
    "pixels": lambda value: value is None or isinstance(value, dict),
    "ground": lambda value: isinstance(value, str),
}
DATA_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str),
    "input_shape": lambda value: is_shape(value) and len(value) > 0,
    "class_names": is_texts,
    "fingerprint": lambda value: isinstance(value, str),
}
