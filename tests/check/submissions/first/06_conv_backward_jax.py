import jax
import jax.numpy as jnp


def conv_backward(dy, x, w, *, stride=1, padding=0):
    """Gradients for a single image, then vmap over the batch."""
    fh, fw, cin, cout = w.shape
    h, width = x.shape[1:3]
    ho, wo = dy.shape[1:3]

    def single(g, img):
        padded = jnp.pad(img, ((padding, padding), (padding, padding), (0, 0)))
        dpad = jnp.zeros(padded.shape, dtype=jnp.result_type(g, w))
        dk = jnp.zeros(w.shape, dtype=jnp.result_type(g, img))
        for a in range(fh):
            for b in range(fw):
                rows = slice(a, a + stride * (ho - 1) + 1, stride)
                cols = slice(b, b + stride * (wo - 1) + 1, stride)
                dk = dk.at[a, b].add(jnp.tensordot(padded[rows, cols], g, axes=((0, 1), (0, 1))))
                dpad = dpad.at[rows, cols].add(g @ w[a, b].T)
        dimg = dpad[padding:padding + h, padding:padding + width]
        return dimg, dk, g.sum(axis=(0, 1))

    dx, dw, db = jax.vmap(single)(jnp.asarray(dy), jnp.asarray(x))
    return dx, dw.sum(axis=0), db.mean(axis=0)
