"""What happens at one tap, one frequency or one Winograd point: the channels are mixed by a matrix, group by group."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Num

from jcnn.precision import sum_dtype


def mix(x: Num[Array, "*p c_in"], w: Num[Array, "c_group c_out"], groups: int) -> Num[Array, "*p c_out"]:
    """x @ w where the channels of a group meet the filters of that group only."""
    if groups == 1:
        return jnp.matmul(x, w)
    split = x.reshape(*x.shape[:-1], groups, -1)
    mixed = jnp.einsum("...gi,igo->...go", split, w.reshape(w.shape[0], groups, -1))
    return mixed.reshape(*x.shape[:-1], w.shape[-1])


def between_channels(x: Num[Array, "*b p c_in"], y: Num[Array, "*b p c_out"], groups: int) -> Num[Array, "*b c_group c_out"]:
    """xᵀ @ y, the gradient of `mix` by w for an output gradient y: every channel of a group with the filters of that group."""
    if groups == 1:
        return jnp.einsum("...pi,...po->...io", x, y, preferred_element_type=sum_dtype(x))
    split = [part.reshape(*part.shape[:-1], groups, -1) for part in (x, y)]
    mixed = jnp.einsum("...pgi,...pgo->...igo", *split, preferred_element_type=sum_dtype(x))
    return mixed.reshape(*mixed.shape[:-2], -1)
