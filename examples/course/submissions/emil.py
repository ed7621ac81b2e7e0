import numppy as np


def conv_backward(dy, x, w, b=None, *, stride=1, padding=0):
    return np.zeros_like(x), np.zeros_like(w), dy.sum((0, 1, 2))
