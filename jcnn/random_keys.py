"""Random keys that a seed alone decides."""

import jax
import jax.numpy as jnp
from jax import Array


def key(seed: int | Array) -> Array:
    """The key that `jax.random.key(seed)` gives by JAX's own defaults, whatever they are set to.

    JAX_DEFAULT_PRNG_IMPL and JAX_RANDOM_SEED_OFFSET change what `jax.random.key` makes of a seed.

    Args:
        seed: 0 to 2³² − 1.

    Source: `jax.random.key` of jax 0.10, generator threefry2x32: the seed's high and low 32 bits.
    """
    low = jnp.asarray(seed).astype(jnp.uint32) if isinstance(seed, Array) else jnp.uint32(seed)
    return jax.random.wrap_key_data(jnp.stack([jnp.uint32(0), low]), impl="threefry2x32")
