import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    N = x.shape[0]; H = x.shape[1]; W = x.shape[2]; CI = x.shape[3]
    FH = w.shape[0]; FW = w.shape[1]; CO = w.shape[3]
    OH = dy.shape[1]; OW = dy.shape[2]

    dx = np.zeros((N, H, W, CI))
    dw = np.zeros((FH, FW, CI, CO))
    db = np.zeros(CO)

    # bias
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                for o in range(CO):
                    db[o] += dy[n, i, j, o]

    # the rest
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                for a in range(FH):
                    ih = i * stride + a - padding
                    if ih < 0 or ih >= H:
                        continue
                    for b in range(FW):
                        iw = j * stride + b - padding
                        if iw < 0 or iw >= W:
                            continue
                        for c in range(CI):
                            acc = 0.0
                            for o in range(CO):
                                g = dy[n, i, j, o]
                                dw[a, b, c, o] += x[n, ih, iw, c] * g
                                acc += w[a, b, c, o] * g
                            dx[n, ih, iw, c] = acc
    return dx, dw, db
