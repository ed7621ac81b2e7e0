import numpy as np


def im2col(x, FH, FW, S, P):
    N, H, W, C = x.shape
    xp = np.pad(x, ((0, 0), (P, P), (P, P), (0, 0)))
    Ho = (H + 2 * P - FH) // S + 1
    Wo = (W + 2 * P - FW) // S + 1
    cols = np.empty((N, Ho, Wo, FH * FW * C))
    for i in range(Ho):
        for j in range(Wo):
            patch = xp[:, i * S:i * S + FH, j * S:j * S + FW, :]
            cols[:, i, j, :] = patch.reshape(N, -1)
    return cols.reshape(N * Ho * Wo, -1)


def col2im(cols, shape, FH, FW, S, P, Ho, Wo):
    N, H, W, C = shape
    xp = np.zeros((N, H + 2 * P, W + 2 * P, C))
    cols = cols.reshape(N, Ho, Wo, C, FH, FW).transpose(0, 1, 2, 4, 5, 3)
    for i in range(Ho):
        for j in range(Wo):
            xp[:, i * S:i * S + FH, j * S:j * S + FW, :] += cols[:, i, j]
    return xp[:, P:P + H, P:P + W, :]


def conv_backward(dy, x, w, *, stride=1, padding=0):
    FH, FW, C, O = w.shape
    N, Ho, Wo, _ = dy.shape
    cols = im2col(x, FH, FW, stride, padding)
    dy2 = dy.reshape(-1, O)
    w2 = w.reshape(-1, O)
    dw = (cols.T @ dy2).reshape(w.shape)
    db = dy2.sum(axis=0)
    dcols = dy2 @ w2.T
    dx = col2im(dcols, x.shape, FH, FW, stride, padding, Ho, Wo)
    return dx, dw, db
