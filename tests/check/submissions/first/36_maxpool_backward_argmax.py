import numpy as np

def max_pool_backward(dy, x, size, *, stride=None, padding=0):
    st = stride or size
    N, H, W, C = x.shape
    big = np.full((N, H + 2*padding, W + 2*padding, C), -np.inf)
    big[:, padding:H+padding, padding:W+padding, :] = x
    dbig = np.zeros(big.shape)
    _, h_out, w_out, _ = dy.shape
    for n in range(N):
        for i in range(h_out):
            for j in range(w_out):
                for c in range(C):
                    window = big[n, i*st:i*st+size, j*st:j*st+size, :]
                    pos = np.unravel_index(np.argmax(window), window.shape)
                    dbig[n, i*st + pos[0], j*st + pos[1], c] += dy[n, i, j, c]
    return dbig[:, padding:H+padding, padding:W+padding, :]
