import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    s, p = stride, padding
    N, H, W, C = x.shape
    kh, kw = w.shape[0], w.shape[1]
    oh, ow = dy.shape[1], dy.shape[2]
    xp = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    dxp = np.zeros(xp.shape)
    dw = np.zeros(w.shape)
    for a in range(kh):
        for b in range(kw):
            sl = (slice(None),
                  slice(a, a + s * (oh - 1) + 1, s),
                  slice(b, b + s * (ow - 1) + 1, s))
            dw[a, b] = np.tensordot(xp[sl], dy, axes=([0, 1, 2], [0, 1, 2]))
            dxp[sl] += np.tensordot(dy, w[a, b], axes=([3], [0]))
    db = dy.sum(axis=(0, 1, 2))
    return dxp[:, p:p + H, p:p + W], dw, db
