import jax
import jax.numpy as jnp
from jax.scipy.special import erf

SQRT2 = 1.4142135623730951


def gelu(x):
    return x * 0.5 * (1.0 + erf(x / SQRT2))


def gelu_backward(dy, x):
    # d/dx [x * Phi(x)] = Phi(x) + x * phi(x),  Phi via the lower tail, phi = Phi'
    x = jnp.asarray(x)
    dy = jnp.asarray(dy)
    upper = 0.5 * (1.0 - erf(-jnp.abs(x) / SQRT2))      # Phi(|x|)
    Phi = jnp.where(x < 0, 1.0 - upper, upper)
    phi = 0.5 / SQRT2 * jax.vmap(jax.grad(erf))((x / SQRT2).ravel()).reshape(x.shape)
    return dy * (Phi + x * phi)
