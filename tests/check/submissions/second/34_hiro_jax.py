"""vmap over the batch, vmap over the output pixels, scatter-add for dx."""
import jax
import jax.numpy as jnp
from jax import lax


def conv_backward(dy, x, w, *, stride=1, padding=0):
    x, w, dy = jnp.asarray(x), jnp.asarray(w), jnp.asarray(dy)
    fh, fw, cin, cout = w.shape
    h, wd = x.shape[1:3]
    oh, ow = dy.shape[1:3]
    ii, jj = jnp.meshgrid(jnp.arange(oh) * stride, jnp.arange(ow) * stride, indexing="ij")
    corners = jnp.stack([ii.ravel(), jj.ravel()], axis=1)
    da, db_ = jnp.meshgrid(jnp.arange(fh), jnp.arange(fw), indexing="ij")

    def one(xi, gi):
        xp = jnp.pad(xi, ((padding, padding), (padding, padding), (0, 0)))
        g = gi.reshape(-1, cout)
        cut = jax.vmap(lambda k: lax.dynamic_slice(xp, (k[0], k[1], 0), (fh, fw, cin)))
        dw = jnp.tensordot(cut(corners), g, axes=(0, 0))
        back = jnp.einsum("po,abco->pabc", g, w)
        r = corners[:, 0, None, None] + da
        q = corners[:, 1, None, None] + db_
        dxp = jnp.zeros_like(xp).at[r, q].add(back)
        return dxp[padding:padding + h, padding:padding + wd], dw, g.sum(0)

    dx, dw, db = jax.vmap(one)(x, dy)
    return dx, dw.sum(0), db.sum(0)
