"""First weights: the numbers that JAX draws for their shape, scaled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jcnn.layers.initial import normal_weights


@pytest.mark.parametrize("partitionable", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_are_what_jax_draws_for_their_shape(dtype: str, partitionable: bool) -> None:
    key, shape = jax.random.key(3), (3, 2, 5, 7)
    with jax.threefry_partitionable(partitionable):
        w = normal_weights(key, shape, fan_in=30, fan_out=42, gain=2.0, dtype=jnp.dtype(dtype))
        drawn = jax.random.normal(key, shape, dtype)
    np.testing.assert_array_equal(w, drawn * jnp.asarray(2.0 / 30**0.5, dtype))
