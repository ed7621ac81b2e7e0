"""The dtype that sums are taken in."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Num


def wide(x: Num[Array, "..."]) -> Num[Array, "..."]:
    """x in the dtype its sums are taken in: at least float32."""
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
