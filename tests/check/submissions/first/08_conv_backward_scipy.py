import numpy as np
from scipy.signal import convolve2d, correlate2d

# stride is not supported here (only stride 1)
def conv_backward(dy, x, w, *, stride=1, padding=0):
    assert stride == 1
    N, H, W, nin = x.shape
    nout = w.shape[3]
    xp = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dxp = np.zeros(xp.shape)
    dw = np.zeros(w.shape)
    for o in range(nout):
        for c in range(nin):
            for n in range(N):
                dw[:, :, c, o] += correlate2d(xp[n, :, :, c], dy[n, :, :, o], mode='valid')
                dxp[n, :, :, c] += correlate2d(dy[n, :, :, o], w[:, :, c, o], mode='full')
    db = np.array([dy[:, :, :, o].sum() for o in range(nout)])
    return dxp[:, padding:H + padding, padding:W + padding, :], dw, db
