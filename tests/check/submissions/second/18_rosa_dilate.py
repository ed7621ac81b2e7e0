import numpy as np
from scipy.signal import correlate


def spread(g, s):
    """put zeros between the entries of g (rows and columns)"""
    n, h, w, c = g.shape
    step = s + 1 if s > 1 else 1
    out = np.zeros((n, step * (h - 1) + 1, step * (w - 1) + 1, c))
    out[:, ::step, ::step, :] = g
    return out


def conv_backward(dy, x, w, *, stride=1, padding=0):
    s, p = stride, padding
    N, H, W, Cin = x.shape
    FH, FW, _, Cout = w.shape
    OH, OW = dy.shape[1:3]

    xp = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    dw = np.zeros(w.shape)
    for a in range(FH):
        for b in range(FW):
            tap = xp[:, a:a + s * OH:s, b:b + s * OW:s, :][:, :OH, :OW, :]
            dw[a, b] = tap.reshape(-1, Cin).T @ dy.reshape(-1, Cout)
    db = dy.reshape(-1, Cout).sum(axis=0)

    # dx: full correlation of the spread-out dy with the kernel turned by 180 degrees
    z = spread(dy, s)
    wr = w[::-1, ::-1]
    dxp = np.zeros(xp.shape)
    for n in range(N):
        for c in range(Cin):
            for o in range(Cout):
                full = correlate(z[n, :, :, o], wr[:, :, c, o], mode='full', method='direct')
                h, v = min(full.shape[0], xp.shape[1]), min(full.shape[1], xp.shape[2])
                dxp[n, :h, :v, c] += full[:h, :v]
    return dxp[:, p:p + H, p:p + W, :], dw, db
