# I normally use PyTorch, so I go through NCHW inside and come back at the end.
import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    N, H, W, C = x.shape
    KH, KW, _, O = w.shape
    x_ = x.transpose(0, 3, 1, 2)
    w_ = w.transpose(3, 2, 0, 1)
    g_ = dy.transpose(0, 3, 1, 2)
    OH, OW = g_.shape[2:]

    x_ = np.pad(x_, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    dx_ = np.zeros(x_.shape)
    dw_ = np.zeros(w_.shape)
    for i in range(OH):
        for j in range(OW):
            hs = slice(i * stride, i * stride + KH)
            ws = slice(j * stride, j * stride + KW)
            g = g_[:, :, i, j]
            dw_ += np.einsum('no,nchw->ochw', g, x_[:, :, hs, ws])
            dx_[:, :, hs, ws] += np.einsum('no,ochw->nchw', g, w_)

    dx = dx_[:, :, padding:padding + H, padding:padding + W].transpose(0, 2, 3, 1)
    dw = dw_.transpose(2, 3, 1, 0)
    db = dy.sum(axis=(0, 2, 3))
    return dx, dw, db
