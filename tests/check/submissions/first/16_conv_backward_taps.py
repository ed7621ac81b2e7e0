import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    FH, FW, Cin, Cout = w.shape
    N, H, W, _ = x.shape
    Ho, Wo = dy.shape[1], dy.shape[2]
    xp = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dxp = np.zeros(xp.shape)
    dw = np.zeros(w.shape)
    db = dy.sum(axis=0).sum(axis=0).sum(axis=0)
    dyf = dy.reshape(-1, Cout)
    for a in range(FH):
        for b in range(FW):
            # all the pixels that tap (a, b) has touched
            seen = xp[:, a:a + Ho, b:b + Wo, :]
            dw[a, b] = seen.reshape(-1, Cin).T @ dyf
            dxp[:, a:a + stride * Ho:stride, b:b + stride * Wo:stride, :] += dy @ w[a, b].T
    return dxp[:, padding:padding + H, padding:padding + W, :], dw, db
