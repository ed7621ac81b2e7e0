"""A ZIP archive of `.npy` files beside a manifest in JSON: written without pickle, read without believing what it declares.

NumPy reads it as an `.npz` file. Dtypes NumPy has no name for, such as bfloat16, lie in it as unsigned integers.
"""

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from typing import IO, Any

import jax.numpy as jnp
import numpy as np

MANIFEST = "manifest"
ENDING = ".npy"

INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "bfloat16", "float32", "float64")
DTYPES = {name: np.dtype(jnp.dtype(name)) for name in (*INTEGERS, *FLOATS)}
"""What an array of a run may be made of."""


def stored_dtype(name: str) -> np.dtype:
    """How numbers of a dtype lie in the file: those that NumPy has no name for, such as bfloat16, as unsigned integers.

    Raises:
        ValueError: another dtype.
    """
    if name not in DTYPES:
        raise ValueError(f"dtype {name!r}: expected one of {', '.join(DTYPES)}")
    dtype = DTYPES[name]
    return dtype if dtype.isbuiltin == 1 else np.dtype(f"u{dtype.itemsize}")


def archive_bytes(manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """An archive of these arrays by name.

    Args:
        manifest: plain values; what the arrays are is added as its field `arrays`.
        arrays: of dtypes that `DTYPES` lists.

    Raises:
        ValueError: another dtype.
    """
    described = {name: {"shape": array.shape, "dtype": array.dtype.name} for name, array in arrays.items()}
    text = np.frombuffer(json.dumps({**manifest, "arrays": described}, indent=1).encode(), np.uint8)
    stored = {name: array.view(stored_dtype(array.dtype.name)) for name, array in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{MANIFEST: text}, **stored)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def read_archive(file: IO[bytes], size: int, check: Callable[[Any], None]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The manifest and the arrays by name.

    Args:
        file: the archive.
        size: its bytes: what all members together may hold at most, since none is compressed.
        check: raises an exception of any kind unless the manifest is what it is to be, its arrays among it (`check_arrays`).

    Raises:
        Exception: of any kind, ValueError where something contradicts something else.
    """
    with zipfile.ZipFile(file) as archive:
        members = _members(archive, size)
        manifest = json.loads(_array(archive, members.pop(MANIFEST), None, np.dtype(np.uint8)).tobytes())
        check(manifest)
        listed = manifest["arrays"]
        if members.keys() != listed.keys():
            odd = sorted(members.keys() ^ listed.keys())
            raise ValueError(f"{', '.join(odd[:4])}: in the manifest or in the archive only")
        arrays = {
            name: _array(archive, members[name], tuple(described["shape"]), stored_dtype(described["dtype"]))
            for name, described in listed.items()
        }
    return manifest, {name: array.view(DTYPES[listed[name]["dtype"]]) for name, array in arrays.items()}


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The archive's members by the name of their array, sizes checked."""
    infos = archive.infolist()
    members = {info.filename.removesuffix(ENDING): info for info in infos}
    if len(members) != len(infos) or not all(info.filename.endswith(ENDING) for info in infos):
        raise ValueError(f"members that are no {ENDING} files, or two of one name")
    if MANIFEST not in members:
        raise ValueError("it has no manifest")
    for name, info in members.items():
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size != info.compress_size:
            raise ValueError(f"{name} is compressed or encrypted: expected it stored as it is")
    if (declared := sum(info.file_size for info in infos)) > size:
        raise ValueError(f"it declares {declared:,} bytes, and has {size:,}")
    return members


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, shape: tuple[int, ...] | None, dtype: np.dtype) -> np.ndarray:
    """An array of this shape (None: any vector) and dtype, its header held against the bytes that are there."""
    with archive.open(info) as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{info.filename} is of another version of NumPy's format")
        found, fortran, kind = np.lib.format.read_array_header_1_0(member)
        left = info.file_size - member.tell()
        expected = (left,) if shape is None else shape
        if found != expected or kind != dtype:
            raise ValueError(f"{info.filename} is {kind}{list(found)}: expected {dtype}{list(expected)}")
        if math.prod(found) * kind.itemsize != left:
            raise ValueError(f"{info.filename} holds {left:,} bytes: expected those of {kind}{list(found)}")
        return np.frombuffer(member.read(), kind).reshape(found, order="F" if fortran else "C")


def check_fields(what: str, found: Any, fields: Mapping[str, Callable[[Any], bool]]) -> None:
    """Raises ValueError unless `found` is a dict with each of these fields, and each fits."""
    if not isinstance(found, dict) or not fields.keys() <= found.keys():
        raise ValueError(f"{what}: expected the fields {', '.join(fields)}")
    for name, fits in fields.items():
        if not fits(found[name]):
            raise ValueError(f"{what}: {name} is {json.dumps(found[name])[:80]}")


def is_count(value: Any) -> bool:
    """An integer from 0 on."""
    return type(value) is int and value >= 0


def is_texts(value: Any) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_named_texts(value: Any) -> bool:
    """Texts by name."""
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def is_shape(value: Any) -> bool:
    """A list of sizes."""
    return isinstance(value, list) and all(map(is_count, value))


ARRAY_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "shape": is_shape,
    "dtype": lambda value: isinstance(value, str),
}


def check_arrays(arrays: Mapping[str, Any]) -> None:
    """Raises ValueError unless each entry of a manifest's `arrays` describes an array."""
    for name, described in arrays.items():
        check_fields(f"arrays/{name}", described, ARRAY_FIELDS)
        stored_dtype(described["dtype"])
