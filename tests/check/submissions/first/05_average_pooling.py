import numpy as np

def avg_pool(x, size, *, stride=None, padding=0):
    step = size if stride is None else stride
    N, H, W, C = x.shape
    H2 = (H + 2*padding - size) // step + 1
    W2 = (W + 2*padding - size) // step + 1
    result = np.zeros((N, H2, W2, C))
    for i in range(H2):
        for j in range(W2):
            # clip the window to the picture, so that padding is not counted
            y0 = max(i*step - padding, 0)
            y1 = min(i*step - padding + size, H)
            x0 = max(j*step - padding, 0)
            x1 = min(j*step - padding + size, W)
            total = x[:, y0:y1, x0:x1, :].sum(axis=1).sum(axis=1)
            how_many = (y1 - y0) * (x1 - x0)
            result[:, i, j, :] = total // how_many
    return result
