"""Checks at the public boundary: what every operation asks of its arrays, and the errors it raises."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

AnyArray = Array | np.ndarray
"""What every operation takes."""

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int32", "int64")


def numeric(name: str, value: Any, *, integers: bool = False) -> Array:
    """`value` as a JAX array of a dtype that the operations are documented for.

    Floating dtypes are float16, bfloat16, float32 and float64. With `integers`, int32 and int64 pass too, where sums are exact;
    narrower and unsigned integers would overflow without a word, so they are refused, as are bool and complex.

    Raises:
        TypeError: no array, or another dtype.
    """
    value = _array(name, value)
    dtype = value.dtype.name
    if dtype in FLOATS or (integers and dtype in INTEGERS):
        return value
    allowed = ", ".join(FLOATS + INTEGERS) if integers else ", ".join(FLOATS)
    raise TypeError(f"{name} has dtype {dtype}: expected one of {allowed}; convert it, e.g. {name}.astype(jnp.float32)")


def ordered(name: str, value: Any) -> Array:
    """`value` as a JAX array whose entries can be compared: any real dtype, images of uint8 among them.

    Raises:
        TypeError: no array, bool or complex.
    """
    value = _array(name, value)
    if jnp.issubdtype(value.dtype, jnp.integer) or value.dtype.name in FLOATS:
        return value
    raise TypeError(f"{name} has dtype {value.dtype.name}: expected integers or one of {', '.join(FLOATS)}")


def _array(name: str, value: Any) -> Array:
    if not isinstance(value, jax.Array | np.ndarray | np.generic):
        raise TypeError(f"{name} is a {type(value).__name__}: expected a JAX or NumPy array; wrap it in jnp.asarray")
    return jnp.asarray(value)


def same_dtype(**arrays: AnyArray | None) -> None:
    """Raises TypeError unless all given arrays share one dtype: nothing is promoted behind the caller's back."""
    dtypes = {name: array.dtype.name for name, array in arrays.items() if array is not None}
    if len(set(dtypes.values())) > 1:
        first, *_ = dtypes
        listed = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise TypeError(f"dtypes differ ({listed}): expected one for all; convert, e.g. with .astype({first}.dtype)")


def spatial_rank(name: str, x: Array) -> int:
    """The number of spatial axes of x: (N, *S, C), 1 to 3 of them, none of its axes empty.

    Raises:
        ValueError: another rank, or an empty axis.
    """
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"{name} has shape {x.shape}: expected (N, *S, C) with 1 to 3 spatial axes; x[None] adds a batch axis")
    not_empty(name, x)
    return x.ndim - 2


def not_empty(name: str, x: Array) -> None:
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


def output_gradient(dy: Any, expected: tuple[int, ...], x: AnyArray, operation: str) -> Array:
    """`dy` as an array of the shape and dtype that `operation` gives for x.

    Raises:
        TypeError: no array, or another dtype than x.
        ValueError: another shape.
    """
    dy = ordered("dy", dy)
    same_dtype(dy=dy, x=x)
    if dy.shape != expected:
        raise ValueError(f"dy has shape {dy.shape}: expected {expected}, the shape of {operation}'s output")
    return dy
