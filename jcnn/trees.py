"""Pytrees of arrays as plain data and arrays by name, and back.

    ({"w": a}, [], None)    ↔    [{"dict": [["w", {"array": "params/0/w"}]]}, {"list": []}, None]

Keys of any text, empty ones and those with slashes, come back as they are: the names of the arrays are for readers, and the
data says what belongs where. A named tuple goes by the import path of its class.
"""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jcnn import geometry
from jcnn.archive import stored_dtype
from jcnn.import_path import ImportPathError, find_class, import_path

DEEPEST = 64
"""How deep a tree may be nested."""


class TreeError(ValueError):
    """A tree that cannot be stored, or data that is no tree; the message names the place and why."""


def to_data(tree: Any, name: str) -> tuple[Any, dict[str, np.ndarray]]:
    """A tree as plain data, and its arrays by name.

    Args:
        tree: dicts (of texts and integers), tuples, named tuples, lists and None, around arrays.
        name: the tree's own, with which the names of its arrays begin.

    Raises:
        TreeError: something else in it.
    """
    arrays: dict[str, np.ndarray] = {}
    return _write(tree, name, name, arrays, 0), arrays


def from_data(data: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The tree of such data, its arrays on the device, in the dtypes in which they were stored.

    Raises:
        TreeError: it is no data of a tree.
    """

    def read(value: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise TreeError(f"a tree nested deeper than {DEEPEST} levels")
        if value is None:
            return None
        if isinstance(value, list):
            return tuple(read(inner, depth + 1) for inner in value)
        if not isinstance(value, dict) or len(value) != 1:
            raise TreeError(f"{geometry.shown(value)}: expected null, a list, or {{KIND: VALUE}}")
        ((kind, inside),) = value.items()
        if kind == "array" and isinstance(inside, str) and inside in arrays:
            return jnp.array(arrays[inside], copy=True)
        if not isinstance(inside, list):
            raise TreeError(f"{geometry.shown(value)}: expected an array that is there, or a list")
        if kind == "list":
            return [read(inner, depth + 1) for inner in inside]
        if kind == "dict":
            pairs = [_pair(pair) for pair in inside]
            return {key: read(inner, depth + 1) for key, inner in pairs}
        return _named_tuple(kind, [read(inner, depth + 1) for inner in inside])

    with jax.enable_x64(True):  # or float64 would come back as float32
        return read(data, 0)


def _write(tree: Any, place: str, name: str, arrays: dict[str, np.ndarray], depth: int) -> Any:
    def inner(key: Any, part: Any) -> Any:
        word = re.sub(r"[^\w.-]", "_", str(key), flags=re.ASCII)[:40]
        return _write(part, f"{place}[{key!r}]", f"{name}/{word}", arrays, depth + 1)

    if depth > DEEPEST:
        raise TreeError(f"{place[:200]} is nested deeper than {DEEPEST} levels")
    if tree is None:
        return None
    if isinstance(tree, jax.Array | np.ndarray | np.generic):
        own = name if name not in arrays else f"{name}~{len(arrays)}"
        arrays[own] = _plain_array(tree, place)
        return {"array": own}
    if type(tree) is tuple:
        return [inner(number, part) for number, part in enumerate(tree)]
    if type(tree) is list:
        return {"list": [inner(number, part) for number, part in enumerate(tree)]}
    if type(tree) is dict and all(type(key) in (str, int) for key in tree):
        return {"dict": [[key, inner(key, part)] for key, part in tree.items()]}
    if _is_named_tuple(type(tree)):
        try:
            path = import_path(type(tree))
        except ImportPathError as error:
            raise TreeError(f"{place} cannot be stored: {error}") from error
        return {path: [inner(field, part) for field, part in zip(_field_names(type(tree)), tree, strict=True)]}
    raise TreeError(
        f"{place} is {geometry.shown(tree)}, a {type(tree).__name__}, which cannot be stored: expected an array, None, or a "
        f"dict (of texts or integers), tuple, named tuple or list of them; wrap a number in jnp.asarray"
    )


def _plain_array(array: Any, place: str) -> np.ndarray:
    """An array as NumPy has it, in the order of bytes of this machine."""
    try:
        stored_dtype(array.dtype.name)
    except ValueError as error:
        raise TreeError(f"{place} has {error}") from error
    values = np.asarray(array)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _pair(pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, list) or len(pair) != 2 or type(pair[0]) not in (str, int):
        raise TreeError(f"{geometry.shown(pair)}: expected a pair of a text or an integer, and a tree")
    return pair[0], pair[1]


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and cls.__bases__ == (tuple,) and hasattr(cls, "_fields")


def _field_names(cls: Any) -> tuple[str, ...]:
    return cls._fields


def _named_tuple(path: str, parts: list[Any]) -> Any:
    try:
        cls = find_class(path)
    except ImportPathError as error:
        raise TreeError(str(error)) from error
    if not _is_named_tuple(cls):
        raise TreeError(f"{path} is no named tuple")
    fields = _field_names(cls)
    if len(fields) != len(parts):
        raise TreeError(f"{path} has the fields {', '.join(fields)}: expected {len(parts)}; another version of it?")
    return cls(*parts)
