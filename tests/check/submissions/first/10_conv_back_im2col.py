import numpy as np

def get_indices(H, W, FH, FW, S):
    Ho = (H - FH) // S + 1
    Wo = (W - FW) // S + 1
    return Ho, Wo

def im2col(xp, FH, FW, S):
    N, H, W, C = xp.shape
    Ho, Wo = get_indices(H, W, FH, FW, S)
    col = np.zeros((N, Ho, Wo, FH * FW * C))
    for i in range(Ho):
        for j in range(Wo):
            col[:, i, j] = xp[:, i*S:i*S+FH, j*S:j*S+FW].reshape(N, -1)
    return col.reshape(N * Ho * Wo, -1)

def col2im(col, xp_shape, FH, FW, S):
    N, H, W, C = xp_shape
    Ho, Wo = get_indices(H, W, FH, FW, S)
    col = col.reshape(N, Ho, Wo, FH, FW, C)
    img = np.zeros(xp_shape)
    for i in range(Ho):
        for j in range(Wo):
            img[:, i*S:i*S+FH, j*S:j*S+FW] += col[:, i, j]
    return img

def conv_backward(dy, x, w, *, stride=1, padding=0):
    N, H, W, C = x.shape
    FH, FW, _, M = w.shape
    xp = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    X = im2col(xp, FH, FW, stride)
    G = dy.reshape(-1, M)
    Wmat = w.reshape(-1, M)
    dw = (X.T @ G).reshape(w.shape)
    db = G.sum(axis=0)
    dX = G @ Wmat.T
    dxp = col2im(dX, xp.shape, FH, FW, stride)
    # cut the border away again
    dx = dxp[:, :H, :W, :]
    return dx, dw, db
