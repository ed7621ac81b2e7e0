import numpy as np


def conv(x, w, b=None, *, stride=1, padding=0):
    N, H, W, C = x.shape
    FH, FW, C, O = w.shape
    S, P = stride, padding
    x = np.pad(x, [(0, 0), (P, P), (P, P), (0, 0)])
    Hout = (H + 2 * P - FH) // S + 1
    Wout = (H + 2 * P - FW) // S + 1
    y = np.zeros((N, Hout, Wout, O))
    for i in range(Hout):
        for j in range(Wout):
            field = x[:, i * S:i * S + FH, j * S:j * S + FW, :]
            y[:, i, j, :] = np.tensordot(field, w, axes=3)
    if b is not None:
        y += b
    return y
