import numpy as np

def conv(x, w, b=None, *, stride=1, padding=0):
    N, H, W, C = x.shape
    FH, FW, C, K = w.shape
    if padding > 0:
        x = np.pad(x, ((0,0), (padding,padding), (padding,padding), (0,0)), 'constant')
    OH = int((H + 2*padding - FH) / stride) + 1
    OW = int((W + 2*padding - FW) / stride) + 1
    y = np.zeros((N, OH, OW, K), dtype=x.dtype)
    for k in range(K):
        for i in range(OH):
            for j in range(OW):
                for n in range(N):
                    field = x[n, i*stride : i*stride+FH, j*stride : j*stride+FW, :]
                    y[n, i, j, k] = (field * w[:, :, :, k]).sum()
                    if b is not None:
                        y[n, i, j, k] += b[k]
    return y
