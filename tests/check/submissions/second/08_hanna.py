import numpy as np


def dense(x, w, b=None):
    out = np.matmul(x, w)
    if b is not None:
        out = out + b
    return out


def dense_backward(dy, x, w):
    # chain rule, see blackboard photo 12
    grad_input = np.matmul(dy, np.transpose(w))
    grad_weight = np.matmul(np.transpose(dy), x)
    grad_bias = np.sum(dy, axis=0)
    return grad_input, grad_weight, grad_bias
