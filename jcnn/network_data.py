"""Networks as plain data, for JSON, and back: no pickle.

    (Conv(8, 3), Relu())    ↔    {"layers": [{"Conv": {"filters": 8, "window": 3, …}}, {"Relu": {}}]}

A layer is a pair of its class and its fields. A class of jcnn goes by its name, any other by its import path,
`my_layers:Swish`. All fields are written, defaults too, so that a default that changes later changes no stored network. A tuple
is a list of JSON; a list is `{"list": […]}`, a dict `{"dict": {…}}`.

Nothing in the data is executed, and only subclasses of `jcnn.Layer` are made from it, by their own constructors. But finding a
layer imports the module that its path names, from what is installed here, and an import runs that module's code: data from
strangers is to be trusted as far as all modules that Python finds here.
"""

import dataclasses
import inspect
import json
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from jcnn import geometry, layers
from jcnn.import_path import ImportPathError, find_class, import_path
from jcnn.layers import Layer, Network

DEEPEST = 32
"""How deep data may be nested: no network comes near, and Python's own limit stays far."""
LARGEST = 2**63
"""Integers are below it."""


class NetworkDataError(ValueError):
    """A network that cannot be stored as data, or data that is no network; the message names the place and why."""


def to_data(network: Network) -> dict[str, Any]:
    """A network as plain data: dicts by name, lists, numbers, texts and None. Equal networks give equal data.

    Args:
        network: a tuple of layers, which may be nested, and may be of your own classes.

    Raises:
        NetworkDataError: no network; a layer whose class cannot be imported later, such as one that is defined in the running
            program or inside a function; a field that is neither number, text, None, layer, nor tuple, list or dict of them;
            or a layer that its fields do not make again.
    """
    data = _written(network)
    for number, (layer, written) in enumerate(zip(network, data["layers"], strict=True), 1):
        again = _written(from_data({"layers": [written]}))
        if json.dumps(again) != json.dumps({"layers": [written]}):
            raise NetworkDataError(
                f"layer {number}, {geometry.shown(layer)}, is another one when it is made again from its fields: expected "
                f"a class whose constructor keeps what it is given"
            )
    return data


def from_data(data: Any) -> tuple[Any, ...]:
    """The network of such data; tuples, whatever sequences it was made of.

    See the head of this module for what the data is trusted with.

    Raises:
        NetworkDataError: it is no network's data; a class is not found or is no layer; fields that its layer refuses.
    """
    if not isinstance(data, dict) or set(data) != {"layers"} or not isinstance(data["layers"], list) or not data["layers"]:
        raise NetworkDataError(f"no data of a network: {geometry.shown(data)}; expected {{'layers': […]}}")
    network = tuple(_read(value, f"layer {number}", 1) for number, value in enumerate(data["layers"], 1))
    for number, layer in enumerate(network, 1):
        if not _is_network(layer):
            raise NetworkDataError(f"layer {number} is {geometry.shown(layer)}: expected a layer, or a tuple of layers")
    return network


def _is_network(value: Any) -> bool:
    return isinstance(value, Layer) or (isinstance(value, tuple) and value != () and all(map(_is_network, value)))


def _written(network: Any) -> dict[str, Any]:
    if not isinstance(network, tuple | list) or not network:
        raise NetworkDataError(geometry.wrong("network", network, "a tuple of at least one layer"))
    return {"layers": [_write_layers(layer, f"layer {number}", 1) for number, layer in enumerate(network, 1)]}


def _write_layers(value: Any, place: str, depth: int) -> Any:
    """A layer, or layers in turn, where a list means the same as a tuple."""
    _check_depth(place, depth)
    if isinstance(value, tuple | list) and value:
        return [_write_layers(inner, f"{place}.{number}", depth + 1) for number, inner in enumerate(value, 1)]
    if not isinstance(value, Layer):
        raise NetworkDataError(f"{place} is {geometry.shown(value)}: expected a layer description such as Conv(8, 3)")
    return _write(value, place, depth)


def _write(value: Any, place: str, depth: int) -> Any:
    """Any value of a field."""
    _check_depth(place, depth)
    if isinstance(value, Layer):
        return {_class_name(type(value), place): _write_fields(value, place, depth)}
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if type(value) is tuple:
        return [_write(inner, place, depth + 1) for inner in value]
    if type(value) is list:
        return {"list": [_write(inner, place, depth + 1) for inner in value]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": {key: _write(inner, place, depth + 1) for key, inner in value.items()}}
    if _is_plain(value):
        return value
    raise NetworkDataError(
        f"{place} is {geometry.shown(value)}, a {type(value).__name__}, which cannot be stored: expected a finite number of at "
        f"most 64 bits, a text, None, a layer, or a tuple, list or dict of them"
    )


def _write_fields(layer: Layer, place: str, depth: int) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(layer)]
    for name in vars(layer).keys() - names:
        if not isinstance(getattr(type(layer), name, None), cached_property):
            raise NetworkDataError(
                f"{place}, {geometry.shown(layer)}, has an attribute {name!r} that is no field, and would be lost: "
                f"expected {type(layer).__name__} to be a frozen dataclass with all that it needs in its fields"
            )
    return {
        field.name: _write(getattr(layer, field.name), f"{place}, {layer.name}.{field.name},", depth + 1)
        for field in dataclasses.fields(layer)
        if field.init
    }


def _class_name(cls: type[Layer], place: str) -> str:
    if getattr(layers, cls.__name__, None) is cls:
        return cls.__name__
    try:
        return import_path(cls)
    except ImportPathError as error:
        raise NetworkDataError(f"{place} cannot be stored: {error}") from error


def _read(value: Any, place: str, depth: int) -> Any:
    _check_depth(place, depth)
    if _is_plain(value):
        return value
    if isinstance(value, list):
        return tuple(_read(inner, place, depth + 1) for inner in value)
    if not isinstance(value, dict) or len(value) != 1:
        raise NetworkDataError(
            f"{place} is {geometry.shown(value)}: expected a number, a text, null, a list, or {{KIND: VALUE}}"
        )
    ((kind, inside),) = value.items()
    if kind == "list" and isinstance(inside, list):
        return [_read(inner, place, depth + 1) for inner in inside]
    if not isinstance(inside, dict) or not all(isinstance(name, str) for name in (kind, *inside)):
        raise NetworkDataError(f"{place} is {geometry.shown(value)}: expected {{CLASS: {{FIELD: VALUE, …}}}}")
    if kind == "dict":
        return {key: _read(inner, place, depth + 1) for key, inner in inside.items()}
    cls = _layer_class(kind, place)
    fields = {name: _read(inner, f"{place}, {cls.__name__}.{name[:40]},", depth + 1) for name, inner in inside.items()}
    return _made(cls, fields, place)


def _layer_class(name: str, place: str) -> type[Layer]:
    try:
        cls = find_class(name) if ":" in name else getattr(layers, name, None)
    except ImportPathError as error:
        raise NetworkDataError(f"{place}: {error}") from error
    if not isinstance(cls, type) or not issubclass(cls, Layer):
        raise NetworkDataError(
            f"{place}: {geometry.shown(name)} is no layer: expected a class of jcnn.layers, or a subclass of jcnn.Layer"
        )
    return cls


def _made(cls: type[Layer], fields: Mapping[str, Any], place: str) -> Layer:
    """The layer of these fields. What the constructor takes as `*args` is the one field that no argument is named after."""
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    if unknown := [name[:40] for name in fields if name not in known]:
        raise NetworkDataError(
            f"{place}: {cls.__name__} has no field {unknown[0]!r}, only {', '.join(known) or 'none'}: another version of it?"
        )
    try:
        parameters = inspect.signature(cls).parameters
        named = {name: value for name, value in fields.items() if name in parameters}
        unnamed = [value for name, value in fields.items() if name not in parameters]
        spread = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters.values())
        if spread and len(unnamed) == 1 and isinstance(unnamed[0], tuple):
            return cls(*unnamed[0], **named)
        return cls(**fields)
    except Exception as error:  # whatever a constructor makes of values that somebody made up
        reason = " ".join(str(error).split())[:300]
        raise NetworkDataError(f"{place}: {cls.__name__} refuses its fields: {reason or type(error).__name__}") from error


def _is_plain(value: Any) -> bool:
    """Whether JSON keeps it as it is, to the bit."""
    if type(value) is int:
        return -LARGEST <= value < LARGEST
    return value is None or type(value) in (bool, str) or (type(value) is float and math.isfinite(value))


def _check_depth(place: str, depth: int) -> None:
    if depth > DEEPEST:
        raise NetworkDataError(f"{place[:200]} is nested deeper than {DEEPEST} levels")
