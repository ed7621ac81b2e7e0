import numpy as np

def windows(xp, FH, FW, S, Ho, Wo):
    N, _, _, C = xp.shape
    out = np.empty((N, Ho, Wo, FH, FW, C))
    for a in range(FH):
        for b in range(FW):
            out[:, :, :, a, b, :] = xp[:, a:a + S * (Ho - 1) + 1:S, b:b + S * (Wo - 1) + 1:S, :]
    return out

def conv_backward(dy, x, w, *, stride=1, padding=0):
    # n batch, i/j output position, a/b filter position, c in, o out
    S, P = stride, padding
    FH, FW, C, O = w.shape
    N, Ho, Wo, O = dy.shape
    xp = np.pad(x, ((0,0),(P,P),(P,P),(0,0)), mode="constant")
    win = windows(xp, FH, FW, S, Ho, Wo)

    dw = np.einsum("nijabc,nijo->baco", win, dy)
    db = np.einsum("nijo->o", dy)

    contrib = np.einsum("nijo,abco->nijabc", dy, w)
    dxp = np.zeros(xp.shape)
    for i in range(Ho):
        for j in range(Wo):
            dxp[:, i*S:i*S+FH, j*S:j*S+FW, :] += contrib[:, i, j]
    H, W = x.shape[1], x.shape[2]
    return dxp[:, P:P+H, P:P+W, :], dw, db
