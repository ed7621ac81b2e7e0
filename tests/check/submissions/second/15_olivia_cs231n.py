import numpy as np


def conv_forward_naive(x, w, b, conv_param):
    out = None
    s = conv_param['stride']
    p = conv_param['pad']
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    Ho = int(1 + (H + 2 * p - HH) / s)
    Wo = int(1 + (W + 2 * p - WW) / s)
    xp = np.pad(x, ((0,), (0,), (p,), (p,)), 'constant')
    out = np.zeros((N, F, Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            block = xp[:, :, i * s:i * s + HH, j * s:j * s + WW]
            for f in range(F):
                out[:, f, i, j] = np.sum(block * w[f], axis=(1, 2, 3)) + b[f]
    cache = (x, w, b, conv_param)
    return out, cache


def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    s = conv_param['stride']
    p = conv_param['pad']
    N, C, H, W = x.shape
    F, C, HH, WW = w.shape
    Ho, Wo = dout.shape[2:]

    dx = np.zeros_like(x)
    db = np.zeros_like(b)
    for n in range(N):
        img = np.pad(x[n], ((0,), (p,), (p,)), 'constant')
        dimg = np.zeros_like(img)
        dw = np.zeros_like(w)
        for f in range(F):
            db[f] += np.sum(dout[n, f])
            for i in range(Ho):
                for j in range(Wo):
                    dw[f] += img[:, i * s:i * s + HH, j * s:j * s + WW] * dout[n, f, i, j]
                    dimg[:, i * s:i * s + HH, j * s:j * s + WW] += w[f] * dout[n, f, i, j]
        dx[n] = dimg[:, p:p + H, p:p + W]
    return dx, dw, db
