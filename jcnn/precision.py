"""The dtype that numbers are computed in."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Num


def sum_dtype(x: Num[Array, "..."]) -> jnp.dtype:
    """The dtype that sums over x are taken in: at least float32 for floating point numbers, for integers their own."""
    return jnp.dtype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize < 4 else x.dtype


def wide(x: Num[Array, "..."]) -> Num[Array, "..."]:
    """x in the dtype that its sums are taken in."""
    return x.astype(sum_dtype(x))


def rounded_at_end(function: Callable[..., Any], *arrays: Array | None) -> Any:
    """`function(*arrays)`, which gives sums in at least float32, rounded to the dtype of the first array.

    For products that a processor has units for: they take float16 and bfloat16 as they are, and sum in float32.

    Args:
        function: of as many arrays as given; returns an array or a pytree of them, or None.
        *arrays: of one dtype; None passes through.
    """
    (dtype, *_) = [array.dtype for array in arrays if array is not None]
    return jax.tree.map(lambda y: y.astype(dtype), function(*arrays))


def rounded_once(function: Callable[..., Any], *arrays: Array | None) -> Any:
    """`function(*arrays)`, computed in at least float32, its results rounded once, at the end, to the dtype of the first array.

    Autodiff turns the two conversions around: cotangents are widened as they enter, added in float32, and rounded once as they
    leave.

    Args:
        function: of as many arrays as given; returns an array or a pytree of them.
        *arrays: of one dtype; None passes through. Other dtypes than float16 and bfloat16 stay what they are.
    """
    return rounded_at_end(lambda *given: function(*jax.tree.map(wide, given)), *arrays)
