"""Checks at the public boundary: what every operation asks of its arrays, and the errors it raises."""

import math
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jcnn.geometry import LIMIT, shown, wrong
from jcnn.precision import sum_dtype

AnyArray = Array | np.ndarray
"""What every operation takes."""

FLOATS = ("float16", "bfloat16", "float32", "float64")
EXACT = ("int32", "int64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


class PrecisionWarning(UserWarning):
    """Numbers of 64 bits were taken in 32, as JAX has it unless `jax_enable_x64` is set."""


_WARNED: set[str] = set()
"""Of which arguments that was said: once each is enough."""


def numeric(name: str, value: Any, *, integers: bool = False) -> Array:
    """`value` as a JAX array of a dtype that the operations are documented for.

    Floating dtypes are float16, bfloat16, float32 and float64. With `integers`, int32 and int64 pass too, where sums are exact;
    narrower and unsigned integers would overflow without a word, so they are refused, as are bool and complex.

    NumPy arrays of 64 bits become 32 where JAX has no others (`jax_enable_x64` is not set). A `PrecisionWarning` says so, once
    for each argument's name; what is finite in 64 bits and does not fit into 32 is an error.

    Raises:
        TypeError: no array, or another dtype.
        ValueError: a number that does not fit into 32 bits.
    """
    return _array(name, value, FLOATS + EXACT if integers else FLOATS, "; convert it, e.g. {}.astype(jnp.float32)")


def ordered(name: str, value: Any) -> Array:
    """`value` as a JAX array whose entries can be compared: any real dtype, images of uint8 among them.

    Raises:
        TypeError: no array, bool or complex.
        ValueError: as `numeric`.
    """
    return _array(name, value, FLOATS + INTEGERS)


def indices(name: str, value: Any) -> Array:
    """`value` as `ordered`, of which integers of 64 bits are taken in 32 without a word, as long as they fit.

    They count something, classes for one, and nobody adds them up.

    Raises:
        TypeError: as `ordered`.
        ValueError: as `numeric`.
    """
    return _array(name, value, FLOATS + INTEGERS, quiet=INTEGERS)


def _array(name: str, value: Any, dtypes: Sequence[str], fix: str = "", quiet: Sequence[str] = ()) -> Array:
    if not isinstance(value, jax.Array | np.ndarray | np.generic):
        raise TypeError(f"{name} is a {type(value).__name__}: expected a JAX or NumPy array; wrap it in jnp.asarray")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be lost: expected a plain one, e.g. {name}.filled(0)")
    if value.dtype.name not in dtypes:
        listed = ", ".join(dtypes) if len(dtypes) < 8 else f"integers of 8 to 64 bits or one of {', '.join(FLOATS)}"
        raise TypeError(
            f"{name} has dtype {value.dtype.name}: expected {'one of ' if len(dtypes) < 8 else ''}{listed}{fix.format(name)}"
        )
    if isinstance(value, jax.Array):
        if _gone(value):
            raise ValueError(f"{name} was deleted or donated: expected an array that still holds its numbers")
        return value
    if value.size > LIMIT:
        raise ValueError(f"{name} has shape {value.shape}, {value.size:,} elements: expected at most {LIMIT:,} at once")
    # JAX takes no array of the other byte order, and knows no subclass.
    value = np.asarray(value, value.dtype.newbyteorder("="))
    kept = jax.dtypes.canonicalize_dtype(value.dtype)
    if kept != value.dtype:
        value = _narrowed(name, value, kept, quiet)
    return jnp.asarray(value)


def _narrowed(name: str, value: np.ndarray, dtype: np.dtype, quiet: Sequence[str]) -> np.ndarray:
    """`value` in a dtype of fewer bits, where it fits."""
    with np.errstate(over="ignore"):
        narrow = value.astype(dtype)
    lost = np.isfinite(value) & ~np.isfinite(narrow) if dtype.kind == "f" else narrow != value
    fix = "set jax_enable_x64, or convert it yourself"
    if lost.any():
        where = entry(name, np.argwhere(lost)[0])
        raise ValueError(f"{where} = {value[lost][0]} does not fit into {dtype.name}, which is all that JAX has now: {fix}")
    if value.dtype.name not in quiet:
        warn_of_precision(name, value.dtype.name, dtype.name)
    return narrow


def warn_of_precision(name: str, given: str, taken: str) -> None:
    """Says, once for each name, that an argument is taken in fewer bits than it was given in."""
    if name in _WARNED:
        return
    _WARNED.add(name)
    warnings.warn(
        f"{name} is {given} and taken as {taken}: set jax_enable_x64 to compute in 64 bits, or convert it yourself "
        f"(said once for {name})",
        PrecisionWarning,
        stacklevel=_outside(),
    )


def _outside() -> int:
    """The level, for `warnings.warn` in whoever asks, of the first caller who is no module of ours."""
    ours, level, frame = str(Path(__file__).parent), 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(ours):
        level, frame = level + 1, frame.f_back
    return level


def entry(name: str, index: Sequence[int]) -> str:
    """An entry of an array, as one writes it: labels[0, 2]."""
    return f"{name}[{', '.join(str(int(i)) for i in index)}]" if len(index) else name


def dtype(name: str, value: Any) -> np.dtype:
    """`value` as the dtype of the operations that it names, in as many bits as JAX has.

    Raises:
        TypeError: another dtype, or none.
    """
    try:
        asked = None if value is None else jnp.dtype(value)
    except Exception:  # noqa: BLE001 (whatever NumPy has to say about it)
        asked = None
    if asked is None or asked.name not in FLOATS:
        given = shown(value) if asked is None else asked.name
        raise TypeError(f"{name}={given}: expected one of {', '.join(FLOATS)}")
    kept = jax.dtypes.canonicalize_dtype(asked)
    if kept != asked:
        warn_of_precision(name, asked.name, kept.name)
    return kept


def number(name: str, value: Any) -> float:
    """`value` as a finite float.

    Raises:
        TypeError: no real number, or one that is not known while JAX traces.
        ValueError: NaN, infinite, or beyond what a float holds.
    """
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not real and not _is_scalar(value):
        raise TypeError(wrong(name, value, "a finite number"))
    try:
        given = float(value)
    except OverflowError:
        given = math.inf
    if not math.isfinite(given):
        raise ValueError(wrong(name, value, "a finite number"))
    return given


def _is_scalar(value: Any) -> bool:
    if not isinstance(value, jax.Array | np.ndarray) or isinstance(value, Tracer) or _gone(value):
        return False
    return value.ndim == 0 and value.dtype.name in FLOATS + INTEGERS


def _gone(value: Any) -> bool:
    return isinstance(value, jax.Array) and not isinstance(value, Tracer) and value.is_deleted()


def flag(name: str, value: Any) -> bool:
    """`value` as True or False.

    Raises:
        TypeError: anything else; a word such as "no" would be taken for True.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(wrong(name, value, "True or False"))
    return bool(value)


def random_key(name: str, value: Any) -> Array:
    """`value` as a JAX random key.

    Raises:
        TypeError: anything else.
    """
    key: Any = value
    if isinstance(value, jax.Array | np.ndarray) and value.dtype == np.uint32 and value.ndim == 1 and not _gone(value):
        try:
            key = jax.random.wrap_key_data(jnp.asarray(value))
        except (TypeError, ValueError):
            key = None
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0 and not _gone(key):
        return key
    raise TypeError(f"{name}={shown(value)}: expected one JAX random key, such as jax.random.key(0)")


def same_dtype(**arrays: AnyArray | None) -> None:
    """Raises TypeError unless all given arrays share one dtype: nothing is promoted behind the caller's back."""
    dtypes = {name: array.dtype.name for name, array in arrays.items() if array is not None}
    if len(set(dtypes.values())) > 1:
        first, *_ = dtypes
        listed = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        fix = f"convert, e.g. with .astype({first}.dtype)"
        if "float64" in dtypes.values() and jax.dtypes.canonicalize_dtype(np.float64) != np.float64:
            fix = "call it under `with jax.enable_x64(True):`, without which JAX takes what is given in 32 bits, or convert"
        raise TypeError(f"dtypes differ ({listed}): expected one for all; {fix}")


def spatial_rank(name: str, x: Array) -> int:
    """The number of spatial axes of x: (N, *S, C), 1 to 3 of them, none of its axes empty.

    Raises:
        ValueError: another rank, or an empty axis.
    """
    if not 3 <= x.ndim <= 5:
        hint = f"; {name}[None] adds a batch axis" if x.ndim < 3 else ""
        raise ValueError(f"{name} has shape {x.shape}: expected (N, *S, C) with 1 to 3 spatial axes{hint}")
    not_empty(name, x)
    return x.ndim - 2


def not_empty(name: str, x: Array | jax.ShapeDtypeStruct) -> None:
    """Raises ValueError if x has no elements, an empty batch for one."""
    if x.size == 0:
        what = "the batch is empty" if x.shape[0] == 0 else "an axis is empty"
        raise ValueError(f"{name} has shape {x.shape}: {what}; expected at least one element along every axis")


def vector(name: str, value: Any, length: int, meaning: str) -> Array:
    """`value` as an array of shape (length,).

    Raises:
        TypeError: as `numeric`.
        ValueError: another shape.
    """
    value = numeric(name, value, integers=True)
    if value.shape != (length,):
        raise ValueError(f"{name} has shape {value.shape}: expected ({length},), {meaning}")
    return value


def per_channel(name: str, value: Any, x: Array, of: str = "x", what: str = "channel") -> Array:
    """`value` as an array of one number for each channel of x, in its dtype or in the one that its sums are taken in.

    Raises:
        TypeError: another dtype.
        ValueError: another shape.
    """
    value = vector(name, value, x.shape[-1], f"one number per {what} of {of}, whose shape is {x.shape}")
    if value.dtype != sum_dtype(x):
        same_dtype(**{of: x, name: value})
    return value


def output_gradient(
    dy: Any, expected: tuple[int, ...], x: AnyArray, operation: str, of: str = "x", options: object = ""
) -> Array:
    """`dy` as an array of the shape and dtype that `operation` gives for x, whose name is `of`, and these `options`.

    Raises:
        TypeError: no array, or another dtype than x.
        ValueError: another shape.
    """
    dy = ordered("dy", dy)
    same_dtype(dy=dy, **{of: x})
    if dy.shape != expected:
        given = f"{of} of shape {x.shape}{', ' if options else ''}{options}"
        raise ValueError(f"dy has shape {dy.shape}: expected {expected}, the shape of {operation}'s output for {given}")
    return dy
