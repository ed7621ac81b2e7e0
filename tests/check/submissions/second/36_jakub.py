import numpy as np


def max_pool_backward(dy, x, size, *, stride=None, padding=0):
    step = stride or size
    N, H, W, C = x.shape
    Ho, Wo = dy.shape[1:3]
    dx = np.zeros((N, H, W, C))
    for n in range(N):
        for i in range(Ho):
            # clip the window at the border, so no padding is needed
            r0, r1 = max(i * step - padding, 0), min(i * step - padding + size, H)
            for j in range(Wo):
                c0, c1 = max(j * step - padding, 0), min(j * step - padding + size, W)
                win = x[n, r0:r1, c0:c1, :]
                for c in range(C):
                    r, q = np.unravel_index(np.argmax(win.max(axis=2)), win.shape[:2])
                    dx[n, r0 + r, c0 + q, c] += dy[n, i, j, c]
    return dx
