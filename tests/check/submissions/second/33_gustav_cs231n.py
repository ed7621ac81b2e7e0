import numpy as np


def affine_forward(x, w, b):
    N = x.shape[0]
    out = x.reshape(N, -1).dot(w) + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    dx = w.dot(dout.T).T.reshape(x.shape)
    dw = np.zeros_like(w)
    for xi, di in zip(x, dout):
        dw += np.outer(xi, di)
    db = np.ones(len(dout)) @ dout
    return dx, dw, db
