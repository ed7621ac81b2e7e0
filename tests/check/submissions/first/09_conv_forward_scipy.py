import numpy as np
from scipy import signal


def conv(x, w, b=None, *, stride=1, padding=0):
    batch, H, W, channels = x.shape
    fh, fw, _, filters = w.shape
    if b is None:
        b = np.zeros(filters)
    padded = np.pad(x, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
    H_out = (H + 2 * padding - fh) // stride + 1
    W_out = (W + 2 * padding - fw) // stride + 1
    out = np.zeros((batch, H_out, W_out, filters))
    for n in range(batch):
        for f in range(filters):
            for c in range(channels):
                full = signal.correlate2d(padded[n, :, :, c], w[:, :, c, f], mode="valid")
                out[n, :, :, f] += full[::stride, ::stride] + b[f]
    return out
