import jax
import jax.numpy as jnp
from jax import lax

DN = ("NHWC", "HWIO", "NHWC")


def conv_backward(dy, x, w, *, stride=1, padding=0):
    x, w, dy = map(jnp.asarray, (x, w, dy))
    S, P = stride, padding
    N, H, W, C = x.shape
    FH, FW, _, O = w.shape
    OH, OW = dy.shape[1:3]

    # rows/columns that the last window doesn't reach
    eh = (H + 2 * P - FH) % S
    ew = (W + 2 * P - FW) % S

    # transposed convolution: dilate dy by the stride, flip the taps, swap in/out
    wt = jnp.flip(w, (0, 1)).swapaxes(2, 3)
    lo_h = FH - 1 - P
    lo_w = FH - 1 - P
    dx = lax.conv_general_dilated(
        dy, wt, window_strides=(1, 1),
        padding=((lo_h, lo_h + eh), (lo_w, W + FW - 2 - S * (OW - 1) - lo_w)),
        lhs_dilation=(S, S), dimension_numbers=DN)

    # dw: batch plays the role of the channels, dy is the (dilated) kernel
    dw = lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0), dy.transpose(1, 2, 0, 3), window_strides=(1, 1),
        padding=((P, P - eh), (P, P - ew)), rhs_dilation=(S, S),
        dimension_numbers=DN).transpose(1, 2, 0, 3)

    return dx, dw, dy.sum((0, 1, 2))
