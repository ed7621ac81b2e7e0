import numpy as np

def _pad(v):
    return np.pad(v, ((0, 0), (PAD, PAD), (PAD, PAD), (0, 0)))

def avg_pool_backward(dy, x, size, *, stride=None, padding=0):
    """
    every input pixel of a window gets an equal share of the gradient
    """
    global PAD
    PAD = padding
    if stride is None:
        stride = size
    N, H, W, C = x.shape
    dxp = np.zeros((N, H + 2 * padding, W + 2 * padding, C))
    real = _pad(np.ones(x.shape))
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            h0, w0 = i * stride, j * stride
            inside = real[:, h0:h0 + size, w0:w0 + size, :]
            share = dy[:, i, j, :] / (size * size)
            dxp[:, h0:h0 + size, w0:w0 + size, :] += inside * share[:, None, None, :]
    return dxp[:, padding:padding + H, padding:padding + W, :]
