"""Kinds of bad input, each made from the valid value that it takes the place of."""

import array
import decimal
import enum
import fractions
import io
import math
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.experimental.sparse import BCOO

import jcnn


class Broken:
    """Whose description cannot be had."""

    def __repr__(self) -> str:
        raise RuntimeError("no description")


class Talkative:
    """Whose description never ends."""

    def __repr__(self) -> str:
        return "word " * 10**6


class Count(enum.IntEnum):
    TWO = 2


def nested(depth: int) -> tuple[Any, ...]:
    """A tuple in a tuple in a tuple …"""
    value: tuple[Any, ...] = ()
    for _ in range(depth):
        value = (value,)
    return value


def deleted() -> jax.Array:
    """An array whose memory was given back."""
    value = jnp.ones((2, 6, 6, 4))
    value.delete()
    return value


def of_shape(valid: Any) -> tuple[int, ...]:
    """The shape of the array that is replaced; of some image where it was none."""
    return valid.shape if isinstance(valid, np.ndarray) else (2, 6, 6, 4)


def like(dtype: Any, fill: Any = 1) -> Callable[[Any], Any]:
    return lambda valid: np.full(of_shape(valid), fill, dtype)


def plain(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


PLAIN: dict[str, Any] = {
    "none": None,
    "str": "abc",
    "empty-str": "",
    "same": "same",
    "bytes": b"",
    "two-bytes": b"ab",
    "zero": 0,
    "one": 1,
    "two": 2,
    "minus-one": -1,
    "half": 1.5,
    "whole-float": 2.0,
    "nan": math.nan,
    "infinity": math.inf,
    "complex": 1j,
    "2^31-1": 2**31 - 1,
    "2^31": 2**31,
    "10^7": 10**7,
    "2^63": 2**63,
    "10^30": 10**30,
    "10^5000": 10**5000,
    "true": True,
    "list": [],
    "list-of-ints": [1, 1],
    "pair": (1, 1),
    "tuple": (),
    "one-tuple": (1,),
    "four-tuple": (1, 2, 3, 4),
    "pair-of-huge": (10**7, 10**7),
    "pair-of-2^31": (1, 2**31),
    "pairs": ((1, 1), (1, 1)),
    "pairs-of-2^31": ((0, 2**31), (0, 0)),
    "pairs-of-3·10^9": ((2**31 - 1, 2**31 - 1), (0, 0)),
    "pair-of-floats": (1.5, 1.5),
    "pair-of-strs": ("a", "b"),
    "pair-of-nones": (None, None),
    "ragged": ((1,), (1, 2)),
    "list-of-lists": [[1.0, 2.0], [3.0, 4.0]],
    "dict": {},
    "dict-of-ints": {"a": 1},
    "set": {1, 2},
    "frozenset": frozenset((1, 2)),
    "object": object(),
    "broken": Broken(),
    "talkative": Talkative(),
    "lambda": lambda: 1,
    "type": int,
    "layer-type": jcnn.Relu,
    "layer": jcnn.Relu(),
    "layers": (jcnn.Relu(),),
    "ellipsis": ...,
    "slice": slice(1),
    "module": math,
    "exception": ValueError("x"),
    "decimal": decimal.Decimal(2),
    "fraction": fractions.Fraction(1, 2),
    "path": pathlib.Path("x"),
    "file": io.StringIO("x"),
    "int-enum": Count.TWO,
    "range": range(2),
    "wide-tuple": (1,) * 10**6,
    "deep-tuple": nested(10**4),
    "long-str": "x" * 10**7,
    "array-array": array.array("d", [1.0, 2.0]),
    "memoryview": memoryview(b"ab"),
    "np-int": np.int64(2),
    "np-float": np.float32(2),
    "np-bool": np.bool_(True),
    "np-str": np.str_("abc"),
    "np-dtype": np.dtype("float32"),
    "np-random": np.random.default_rng(0),
    "shape-dtype": jax.ShapeDtypeStruct((2, 6, 6, 4), np.float32),
}

MADE: dict[str, Callable[[Any], Any]] = {
    "generator": lambda _: (n for n in (1, 1)),
    "iterator": lambda _: iter((1, 1)),
    "jnp-int": lambda _: jnp.int32(2),
    "jnp-float": lambda _: jnp.float32(2),
    "jnp-bool": lambda _: jnp.bool_(True),
    "jnp-vector": lambda _: jnp.ones(2, jnp.int32),
    "key": lambda _: jax.random.key(0),
    "keys": lambda _: jax.random.split(jax.random.key(0), 2),
    "raw-key": lambda _: jax.random.PRNGKey(0),
    "deleted": lambda _: deleted(),
    "sparse": lambda _: BCOO.fromdense(jnp.eye(3)),
    "array-of-str": like("U3", "abc"),
    "array-of-bytes": like("S3", b"abc"),
    "array-of-object": like(object, None),
    "array-of-ints-as-object": like(object, 1),
    "array-of-complex": like(np.complex64),
    "array-of-bool": like(bool),
    "array-of-uint8": like(np.uint8),
    "array-of-int8": like(np.int8),
    "array-of-int16": like(np.int16),
    "array-of-uint32": like(np.uint32),
    "array-of-int32": like(np.int32),
    "array-of-int64": like(np.int64),
    "array-of-2^32+7": like(np.int64, 2**32 + 7),
    "array-of-2^63": like(np.uint64, 2**63),
    "array-of-datetime": like("datetime64[s]", 0),
    "array-of-timedelta": like("timedelta64[s]", 0),
    "array-of-records": like([("a", np.float32)], 0),
    "array-of-longdouble": like(np.longdouble),
    "array-of-float16": like(np.float16),
    "array-of-bfloat16": like(ml_dtypes.bfloat16),
    "array-of-float64": like(np.float64),
    "array-of-1e300": like(np.float64, 1e300),
    "array-of-float8": like(ml_dtypes.float8_e4m3fn),
    "array-of-int4": like(ml_dtypes.int4),
    "big-endian": like(">f4"),
    "array-of-nan": like(np.float32, np.nan),
    "array-of-infinity": like(np.float32, np.inf),
    "masked": lambda valid: np.ma.masked_less(np.ones(of_shape(valid), np.float32), 2),
    "matrix": lambda valid: np.asmatrix(np.ones(of_shape(valid)[-2:], np.float32)),
    "read-only": lambda valid: np.broadcast_to(np.float32(1), of_shape(valid)),
    "reversed": lambda valid: np.ones(of_shape(valid), np.float32)[::-1],
    "empty-array": lambda _: np.ones(0, np.float32),
    "rank-0": lambda _: np.ones((), np.float32),
    "rank-1": lambda _: np.ones(4, np.float32),
    "rank-2": lambda _: np.ones((2, 4), np.float32),
    "rank-7": lambda _: np.ones((1,) * 7, np.float32),
    "rank-32": lambda _: np.ones((1,) * 32, np.float32),
    "no-batch": lambda valid: np.ones((0, *of_shape(valid)[1:]), np.float32),
    "one-more-axis": lambda valid: np.ones((1, *of_shape(valid)), np.float32),
    "one-axis-fewer": lambda valid: np.ones(of_shape(valid)[1:], np.float32),
    "one-channel-more": lambda valid: np.ones((*of_shape(valid)[:-1], (*of_shape(valid), 0)[-2] + 1), np.float32),
    "one-channel": lambda valid: np.ones((*of_shape(valid)[:-1], 1), np.float32),
    "nested-lists": lambda valid: np.ones(of_shape(valid), np.float32).tolist(),
    "ragged-lists": lambda _: [[1.0], [1.0, 2.0]],
    "list-of-arrays": lambda valid: [np.ones(of_shape(valid), np.float32)],
}

VALUES: dict[str, Callable[[Any], Any]] = {**{kind: plain(value) for kind, value in PLAIN.items()}, **MADE}

TRACED: dict[str, Callable[[Any], Any]] = {
    "traced": lambda valid: valid if isinstance(valid, np.ndarray) else np.float32(2),
    "traced-int": lambda _: np.int32(2),
    "traced-vector": lambda _: np.ones(2, np.int32),
    "traced-key": lambda _: jax.random.key(0),
}
"""What is handed to the call by `jax.make_jaxpr`, hence without its values."""

DTYPES = ("float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint64", "bool", "complex64", "object", "U3")


def made(kind: str, valid: Any) -> Any:
    """The value of a kind: of those above, or ones of any shape and dtype, as in float32[2,3]."""
    if kind in VALUES:
        return VALUES[kind](valid)
    if kind in TRACED:
        return TRACED[kind](valid)
    dtype, _, shape = kind.rstrip("]").partition("[")
    return np.ones(tuple(map(int, filter(None, shape.split(",")))), dtype)


NOT_FINITE = {"nan", "infinity", "array-of-nan", "array-of-infinity", "masked", "array-of-1e300", "array-of-float16"}
"""Kinds of which a result may be NaN or infinite."""
