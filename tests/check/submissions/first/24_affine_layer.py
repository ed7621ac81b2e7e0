import numpy as np


def affine_forward(x, w, b):
    """
    x has shape (N, d_1, ..., d_k); each example is flattened to a vector of
    length D = d_1 * ... * d_k.  w: (D, M), b: (M,)
    """
    N = x.shape[0]
    out = x.reshape(N, -1).dot(w) + b
    cache = (x, w, b)
    return out, cache


def affine_backward(dout, cache):
    x, w, b = cache
    N = x.shape[0]
    x_flat = x.reshape(N, -1)
    dx = dout.dot(w.T)
    dw = x_flat.T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db
