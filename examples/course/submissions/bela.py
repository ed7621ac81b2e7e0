import numpy as np


def conv_backward(dy, x, w, b=None, *, stride=1, padding=0):
    if not (isinstance(stride, int) and isinstance(padding, int)) or x.ndim != 4:
        raise NotImplementedError("images, and whole numbers for stride and padding")
    p = padding
    padded = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    dpadded = np.zeros_like(padded)
    dw = np.zeros_like(w)
    rows, columns = w.shape[:2]
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            top, left = i * stride, j * stride
            window = np.s_[:, top : top + rows, left : left + columns]
            dw += np.einsum("nabc,nk->abck", padded[window], dy[:, i, j])
            dpadded[window] = np.einsum("nk,abck->nabc", dy[:, i, j], w)
    dx = dpadded[:, p : p + x.shape[1], p : p + x.shape[2]]
    return dx, dw, dy.sum((0, 1, 2))
