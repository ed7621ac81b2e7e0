"""The dtype that numbers are computed in."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Num


def wide(x: Num[Array, "..."]) -> Num[Array, "..."]:
    """x in the dtype it is computed with: at least float32 for floating point numbers; integers stay what they are."""
    return x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize < 4 else x


def rounded_once(function: Callable[..., Any], *arrays: Array | None) -> Any:
    """`function(*arrays)`, computed in at least float32, its results rounded once, at the end, to the dtype of the first array.

    Autodiff turns the two conversions around: cotangents are widened as they enter, added in float32, and rounded once as they
    leave.

    Args:
        function: of as many arrays as given; returns an array or a pytree of them.
        *arrays: of one dtype; None passes through. Other dtypes than float16 and bfloat16 stay what they are.
    """
    (dtype, *_) = [array.dtype for array in arrays if array is not None]
    return jax.tree.map(lambda y: y.astype(dtype), function(*jax.tree.map(wide, arrays)))
