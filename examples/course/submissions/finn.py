import numpy as np


def conv_backward(dy, x, w, b=None, *, stride=1, padding=0):
    if not (isinstance(stride, int) and isinstance(padding, int)) or x.ndim != 4:
        raise NotImplementedError("images, and whole numbers for stride and padding")
    (rows, columns), (height, width) = w.shape[:2], dy.shape[1:3]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dpadded, dw = np.zeros(padded.shape), np.empty(w.shape)
    for a in range(rows):
        for c in range(columns):
            seen = np.s_[:, a : a + stride * height : stride, c : c + stride * width : stride]
            dw[a, c] = np.tensordot(padded[seen], dy, ((0, 1, 2), (0, 1, 2)))
            dpadded[seen] += dy @ w[a, c].T
    return dpadded[:, padding : padding + x.shape[1], padding : padding + x.shape[2]], dw, dy.sum((0, 1, 2))
