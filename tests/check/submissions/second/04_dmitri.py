"""conv_backward as a *gather*: every gradient entry is computed once, complete."""
import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    S, P = stride, padding
    N, H, W, C = x.shape
    FH, FW, _, O = w.shape
    HO, WO = dy.shape[1:3]

    dw = np.empty(w.shape)
    for b in range(FW):
        for a in range(FH):
            for c in range(C):
                t = np.zeros(O)
                for j in range(WO - 1, -1, -1):
                    v = S * j + b - P
                    if v < 0 or v > W - 1:
                        continue
                    for i in range(HO):
                        u = S * i + a - P
                        if not 0 <= u < H:
                            continue
                        for n in range(N):
                            t += x[n, u, v, c] * dy[n, i, j]
                dw[a, b, c] = t

    # which outputs has pixel (u, v) helped to make?  those with S*i + a - P == u
    dx = np.empty(x.shape)
    for v in range(W):
        for u in range(H):
            t = np.zeros((N, C))
            for a in range(FH):
                if (u + P - a) % S:
                    continue
                i = (u + P - a) // S
                if i < 0 or i >= HO:
                    continue
                for b in range(FW):
                    j, rest = divmod(v + P - b, S)
                    if rest == 0 and 0 <= j < WO:
                        t += dy[:, i, j] @ w[a, b].T
            dx[:, u, v] = t

    db = np.array([dy[..., o].sum() for o in range(O)])
    return dx, dw, db
