import numpy as np


def _pads(padding):
    if padding == "valid":
        return (0, 0), (0, 0)
    if isinstance(padding, int):
        return (padding, padding), (padding, padding)
    a, b = padding
    a = (a, a) if isinstance(a, int) else tuple(a)
    b = (b, b) if isinstance(b, int) else tuple(b)
    return a, b


def _indices(x_shape, FH, FW, stride, pads):
    N, H, W, C = x_shape
    SH, SW = (stride, stride) if isinstance(stride, int) else stride
    Ho = (H + sum(pads[0]) - FH) // SH + 1
    Wo = (W + sum(pads[1]) - FW) // SW + 1
    c, a, b = [t.ravel() for t in np.meshgrid(range(C), range(FH), range(FW), indexing="ij")]
    i, j = [t.ravel() for t in np.meshgrid(range(Ho), range(Wo), indexing="ij")]
    rows = SH * i[:, None] + a[None, :]
    cols = SW * j[:, None] + b[None, :]
    return rows, cols, c[None, :]


def conv_backward(dy, x, w, *, stride=1, padding=0):
    N, H, W, C = x.shape
    FH, FW, _, O = w.shape
    pads = _pads(padding)
    rows, cols, chan = _indices(x.shape, FH, FW, stride, pads)

    xp = np.pad(x, ((0, 0), pads[0], pads[1], (0, 0)))
    X = xp[:, rows, cols, chan]                            # (N, L, C*FH*FW)
    Wmat = np.transpose(w, (2, 0, 1, 3)).reshape(-1, O)    # channel slowest, as in X
    D = dy.reshape(N, -1, O)

    dWmat = np.zeros(Wmat.shape)
    for n in range(N):
        dWmat += X[n].T.dot(D[n])
    dw = dWmat.reshape(C, FH, FW, O).transpose(1, 2, 0, 3)

    db = np.ones(D.shape[0] * D.shape[1]).dot(D.reshape(-1, O))

    dX = D.dot(Wmat.T)
    dxp = np.zeros(xp.shape)
    np.add.at(dxp, (slice(None), rows, cols, chan), dX)
    dx = dxp[:, pads[0][0]:pads[0][0] + H, pads[1][0]:pads[1][0] + W]
    return dx, dw, db
