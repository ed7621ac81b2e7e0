import numpy as np


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(dy, x):
    s = softmax(x)
    # derivative of softmax is s * (1 - s), just like for the sigmoid
    return dy * s * (1 - s)
