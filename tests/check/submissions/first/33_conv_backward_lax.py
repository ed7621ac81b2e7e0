import jax.numpy as jnp
from jax import lax

DN = ("NHWC", "HWIO", "NHWC")


def conv_backward(dy, x, w, *, stride=1, padding=0):
    fh, fw, ci, co = w.shape
    _, h, wd, _ = x.shape
    p, s = padding, stride
    dy, x, w = jnp.asarray(dy), jnp.asarray(x), jnp.asarray(w)

    # input gradient = transposed convolution (dilate dy, flip w)
    w_t = jnp.flip(w, (0, 1)).swapaxes(2, 3)
    dx = lax.conv_general_dilated(
        dy, w_t, window_strides=(1, 1),
        padding=((fh - 1 - p, fh - 1 - p), (fw - 1 - p, fw - 1 - p)),
        lhs_dilation=(s, s), dimension_numbers=DN, precision="highest")

    # weight gradient: sum over images and positions
    xp = jnp.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    ho, wo = dy.shape[1], dy.shape[2]
    taps = [[jnp.einsum("nijc,nijo->co", xp[:, a:a + s * ho:s, b:b + s * wo:s][:, :ho, :wo], dy,
                        precision="highest")
             for b in range(fw)] for a in range(fh)]
    dw = jnp.array(taps)
    return dx, dw, dy.sum((0, 1, 2))
