import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    [N, H, W, C] = x.shape
    [FH, FW, C, M] = w.shape
    [N, Ho, Wo, M] = dy.shape
    dx = np.zeros([N, H, W, C])
    dw = np.zeros([FH, FW, C, M])
    for a in range(FH):
        for b in range(FW):
            for i in range(Ho):
                for j in range(Wo):
                    r = stride * i + a - padding
                    q = stride * j + b - padding
                    # only when the tap falls inside of the image
                    if r > 0 and r < H and q > 0 and q < W:
                        D = dy[:, i, j, :]
                        dw[a, b, :, :] += x[:, r, q, :].T @ D
                        dx[:, r, q, :] += D @ w[a, b, :, :].T
    db = np.sum(np.sum(np.sum(dy, 2), 1), 0)
    return dx, dw, db
