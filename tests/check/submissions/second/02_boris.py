import numpy as np

def max_pool_backward(dy, x, size, *, stride=None, padding=0):
    if stride is None:
        stride = size
    N, H, W, C = x.shape
    _, Ho, Wo, _ = dy.shape
    xp = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)),
                constant_values=-np.inf)
    dxp = np.zeros(xp.shape)
    for i in range(Ho):
        for j in range(Wo):
            rows = slice(i * stride, i * stride + size)
            cols = slice(j * stride, j * stride + size)
            window = xp[:, rows, cols, :]
            biggest = window.max(axis=(1, 2), keepdims=True)
            mask = (window == biggest)
            dxp[:, rows, cols, :] += mask * dy[:, i:i + 1, j:j + 1, :]
    return dxp[:, padding:padding + H, padding:padding + W, :]
