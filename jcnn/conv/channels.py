"""What happens at one tap, one frequency or one Winograd point: the channels are mixed by a matrix, group by group."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Num


def mix(x: Num[Array, "*p c_in"], w: Num[Array, "c_group c_out"], groups: int) -> Num[Array, "*p c_out"]:
    """x @ w where the channels of a group meet the filters of that group only."""
    split = x.reshape(*x.shape[:-1], groups, -1)
    mixed = jnp.einsum("...gi,igo->...go", split, w.reshape(w.shape[0], groups, -1))
    return mixed.reshape(*x.shape[:-1], w.shape[-1])
