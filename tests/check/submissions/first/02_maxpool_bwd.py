import numpy as np


def max_pool_backward(dy, x, size, *, stride=None, padding=0):
    """Gradient of max pooling: route dy to the maximum of each window."""
    if stride is None:
        stride = size
    n, h, w, c = x.shape
    xp = np.full((n, h + 2 * padding, w + 2 * padding, c), -np.inf)
    xp[:, padding:padding + h, padding:padding + w] = x
    dxp = np.zeros(xp.shape)
    out_h, out_w = dy.shape[1], dy.shape[2]
    for r in range(out_h):
        for q in range(out_w):
            rows = slice(r * stride, r * stride + size)
            cols = slice(q * stride, q * stride + size)
            win = xp[:, rows, cols, :]
            biggest = win.max(axis=(1, 2), keepdims=True)
            mask = win == biggest
            dxp[:, rows, cols, :] += mask * dy[:, r:r + 1, q:q + 1, :]
    return dxp[:, padding:padding + h, padding:padding + w]
