import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    batch, height, width, in_channels = x.shape
    k_h, k_w, _, out_channels = w.shape
    n_rows = (height - k_h) // stride + 1
    n_cols = (width - k_w) // stride + 1

    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    grad_padded = np.zeros(padded.shape)
    grad_w = np.zeros(w.shape)
    grad_b = np.zeros(out_channels)

    for o in range(out_channels):
        for col in range(n_cols):
            for row in range(n_rows):
                top, left = row * stride, col * stride
                for n in range(batch):
                    upstream = dy[n, row, col, o]
                    region = padded[n, top:top + k_h, left:left + k_w]
                    grad_w[..., o] += upstream * region
                    grad_padded[n, top:top + k_h, left:left + k_w] += upstream * w[..., o]
        grad_b[o] = dy[..., o].sum()

    grad_x = grad_padded[:, padding:height + padding, padding:width + padding]
    return grad_x, grad_w, grad_b
