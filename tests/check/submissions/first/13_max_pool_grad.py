import numpy as np

def max_pool_backward(dy, x, size, *, stride=None, padding=0):
    if stride is None: stride = size
    N, H, W, C = x.shape
    dx = np.zeros(x.shape)
    for n in range(N):
        for c in range(C):
            for i in range(dy.shape[1]):
                for j in range(dy.shape[2]):
                    # look for the best pixel inside of the window
                    best = None
                    for a in range(size):
                        for b in range(size):
                            u = i * stride + a - padding
                            v = j * stride + b - padding
                            if u < 0 or v < 0 or u >= H or v >= W:
                                continue
                            if best is None or x[n, u, v, c] > x[n, best[0], best[1], c]:
                                best = (u, v)
                    dx[n, best[0], best[1], c] = dy[n, i, j, c]
    return dx
