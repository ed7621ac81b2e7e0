# only stride 1, as allowed in the sheet
import numpy as np
from scipy import signal


def conv_backward(dy, x, w, *, padding=0):
    N, H, W, Cin = x.shape
    FH, FW, _, Cout = w.shape
    p = padding
    xp = np.pad(x, [(0, 0), (p, p), (p, p), (0, 0)])
    dxp = np.zeros(xp.shape)
    dw = np.zeros(w.shape)
    for n in range(N):
        for k in range(Cout):
            err = dy[n, :, :, k]
            for c in range(Cin):
                # gradient of the filter: slide the error over the image
                dw[:, :, c, k] += signal.correlate2d(xp[n, :, :, c], err, mode='valid')
                # gradient of the image: 'full' mode makes it large again
                dxp[n, :, :, c] += signal.correlate2d(err, w[:, :, c, k], mode='full')
    db = dy.sum((0, 1, 2))
    return dxp[:, p:p + H, p:p + W], dw, db
