import numpy as np


def conv_forward_naive(x, w, b, conv_param):
    """
    - x: Input data of shape (N, C, H, W)
    - w: Filter weights of shape (F, C, HH, WW)
    - b: Biases, of shape (F,)
    """
    P = conv_param['pad']
    S = conv_param['stride']
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    Hn = 1 + (H + 2 * P - HH) // S
    Wn = 1 + (W + 2 * P - WW) // S
    xp = np.pad(x, ((0,), (0,), (P,), (P,)), mode='constant')
    out = np.zeros((N, F, Hn, Wn))
    for r in range(Hn):
        for c in range(Wn):
            piece = xp[:, :, r*S:r*S+HH, c*S:c*S+WW]
            for k in range(F):
                out[:, k, r, c] = np.sum(piece * w[k], axis=(1, 2, 3)) + b[k]
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    P = conv_param['pad']
    S = conv_param['stride']
    N, F, Hn, Wn = dout.shape
    _, _, HH, WW = w.shape
    xp = np.pad(x, ((0,), (0,), (P,), (P,)), mode='constant')
    dxp = np.zeros_like(xp, dtype=float)
    dw = np.zeros_like(w, dtype=float)
    db = np.sum(dout, axis=(0, 2, 3))
    for r in range(Hn):
        for c in range(Wn):
            piece = xp[:, :, r*S:r*S+HH, c*S:c*S+WW]
            for k in range(F):
                up = dout[:, k, r, c][:, None, None, None]
                dw[k] += np.sum(piece * up, axis=0)
            for n in range(N):
                dxp[n, :, r*S:r*S+HH, c*S:c*S+WW] += np.sum(
                    w * dout[n, :, r, c][:, None, None, None], axis=0)
    dx = dxp[:, :, P:P + x.shape[2], P:P + x.shape[3]]
    return dx, dw, db
