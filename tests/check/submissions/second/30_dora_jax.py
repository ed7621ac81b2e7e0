import jax.numpy as jnp


def max_pool_backward(dy, x, size, *, stride=None, padding=0):
    s = size if stride is None else stride
    x = jnp.asarray(x)
    N, H, W, C = x.shape
    Ho, Wo = dy.shape[1:3]
    xp = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)),
                 constant_values=-jnp.inf)
    n = jnp.arange(N)[:, None]
    c = jnp.arange(C)[None, :]
    dxp = jnp.zeros_like(xp)
    for i in range(Ho):
        for j in range(Wo):
            patch = xp[:, i * s:i * s + size, j * s:j * s + size, :].reshape(N, -1, C)
            k = jnp.argmax(patch, axis=1)
            dxp = dxp.at[n, i * s + k // size, j * s + k % size, c].set(dy[:, i, j, :])
    return dxp[:, padding:padding + H, padding:padding + W]
