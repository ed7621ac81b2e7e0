# Exercise 4, Anna K.  (statistics, 3rd semester)
import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    """Gradients of the convolution. I treat every output pixel as an
    observation y = <patch, w> + b, like in a linear regression."""
    n_obs, height, width, n_in = x.shape
    fh, fw, _, n_out = w.shape
    _, out_h, out_w, _ = dy.shape

    x_padded = np.zeros((n_obs, height + 2 * padding, width + 2 * padding, n_in))
    x_padded[:, padding:padding + height, padding:padding + width, :] = x

    dx_padded = np.zeros(x_padded.shape)
    dw = np.zeros(w.shape)
    db = np.zeros(n_out)

    for obs in range(n_obs):
        for row in range(out_h):
            for col in range(out_w):
                top = row * stride
                left = col * stride
                patch = x_padded[obs, top:top + fh, left:left + fw, :]
                for k in range(n_out):
                    g = dy[obs, row, col, k]
                    dw[:, :, :, k] += g * patch
                    dx_padded[obs, top:top + fh, left:left + fw, :] += g * w[:, :, :, k]
                    db[k] += g
    dw = dw / n_obs

    dx = dx_padded[:, padding:padding + height, padding:padding + width, :]
    return dx, dw, db
