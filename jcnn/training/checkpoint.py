"""Checkpoints: each an `.npz` file, written so that a reader finds it whole or not at all, and never changed.

The arrays lie in the archive by their path in the state (`params/0/w`), beside a manifest in JSON: names, shapes, dtypes, step,
seed, config, data, versions. The file's name ends in the first 16 hexadecimal digits of its SHA-256, so a single changed bit is
noticed. Pickle is never read or written. Dtypes NumPy has no name for, such as bfloat16, are stored as unsigned integers.
"""

import hashlib
import io
import json
import os
import platform
import re
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_NAME = re.compile(r"checkpoint-(\d{8})-([0-9a-f]{16})\.npz")
KEPT = 3


class CheckpointError(Exception):
    """A checkpoint that cannot be written, or must not be trusted; the message names the file and why."""


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


def save(folder: Path, state: Any, *, step: int, seed: int, config: dict[str, Any], data: dict[str, Any]) -> Path:
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

    Returns:
        The new file.

    Raises:
        CheckpointError: it cannot be written; names the file and, if there is one, the last good checkpoint.
    """
    named = {name: np.asarray(leaf) for name, leaf in _named_leaves(state)}
    manifest = {
        "format": 1,
        "step": step,
        "seed": seed,
        "config": config,
        "data": data,
        "versions": versions(),
        "arrays": {name: {"shape": array.shape, "dtype": array.dtype.name} for name, array in named.items()},
    }
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(manifest, indent=1).encode(), np.uint8)
    np.savez(buffer, allow_pickle=False, manifest=text, **{name: _storable(array) for name, array in named.items()})
    content = buffer.getvalue()
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
        old.unlink(missing_ok=True)
    return path


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that it appears whole or not at all, and is on the disk when this returns.

    Raises:
        OSError: it cannot be written; nothing of it is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def candidates(folder: Path) -> list[Path]:
    """The files in a folder that are named as checkpoints, newest step first."""
    return sorted((path for path in folder.glob("checkpoint-*.npz") if _NAME.fullmatch(path.name)), reverse=True)


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint and proves it unchanged.

    Raises:
        CheckpointError: missing, unreadable, truncated, changed, or not a checkpoint of this format.
    """
    matched = _NAME.fullmatch(path.name)
    if not matched:
        raise CheckpointError(f"{path} is refused: expected a name such as checkpoint-00000040-0123456789abcdef.npz")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} is refused: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest()[:16] != matched[2]:
        raise CheckpointError(f"{path} is refused: its content is not what was written (truncated or changed)")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            manifest = json.loads(archive["manifest"].tobytes())
            listed = manifest["arrays"]
            arrays = {name: _restored(archive[name], listed[name]["dtype"]) for name in listed}
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is refused: not a checkpoint of jcnn ({error})") from error
    return Checkpoint(path, manifest, arrays)


def load_newest(folder: Path, refused: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None where there is no file at all.

    Args:
        folder: where checkpoints lie.
        refused: told of every file that is passed over, and why.

    Raises:
        CheckpointError: there are files, and none can be trusted.
    """
    paths = candidates(folder)
    for path in paths:
        try:
            return load(path)
        except CheckpointError as error:
            refused(str(error))
    if paths:
        raise CheckpointError(f"no checkpoint in {folder} can be used: all {len(paths)} are refused")
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


def _storable(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}")


def _restored(array: np.ndarray, dtype: str) -> np.ndarray:
    return array if array.dtype.name == dtype else array.view(jnp.dtype(dtype))
