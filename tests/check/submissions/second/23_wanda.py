import numpy as np


def conv(x, w, b=None, *, stride=1, padding=0):
    """Layer 1. I go through the output pixel by pixel."""
    N, H, W, C_in = x.shape
    FH, FW, _, C_out = w.shape
    H_out = int(np.floor((H + 2 * padding - FH) / stride)) + 1
    W_out = int(np.floor((W + 2 * padding - FW) / stride)) + 1
    if b is None:
        b = np.zeros(C_out)
    y = np.zeros((N, H_out, W_out, C_out))
    for n in range(N):
        for filt in range(C_out):
            for c in range(C_in):
                picture = np.pad(x[n, :, :, c], padding)
                kernel = w[:, :, c, filt]
                for i in range(H_out):
                    for j in range(W_out):
                        piece = picture[i * stride:i * stride + FH, j * stride:j * stride + FW]
                        y[n, i, j, filt] += np.sum(piece * kernel) + b[filt]
    return y
