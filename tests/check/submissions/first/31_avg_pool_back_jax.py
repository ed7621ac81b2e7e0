import jax.numpy as jnp
from jax import lax


def _window_sum(v, k, s, p):
    return lax.reduce_window(v, jnp.zeros((), v.dtype), lax.add, (1, k, k, 1), (1, s, s, 1), ((0, 0), (p, p), (p, p), (0, 0)))


def avg_pool_backward(dy, x, size, *, stride=None, padding=0):
    s = size if stride is None else stride
    dy = jnp.asarray(dy)
    _, h, w, _ = x.shape
    counts = _window_sum(jnp.ones((1, h, w, 1), dy.dtype), size, s, padding)
    share = dy / counts
    ho, wo = dy.shape[1], dy.shape[2]
    dxp = jnp.zeros((x.shape[0], h + 2 * padding, w + 2 * padding, x.shape[3]), dy.dtype)
    for a in range(size):
        for b in range(size):
            dxp = dxp.at[:, a:a + s * (ho - 1) + 1:s, b:b + s * (wo - 1) + 1:s, :].add(share)
    return dxp[:, padding:padding + h, padding:padding + w, :]
