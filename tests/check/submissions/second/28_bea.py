import numpy as np


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


def elu_backward(dy, x, alpha=1.0):
    slope = np.ones(x.shape)
    neg = x <= 0
    slope[neg] = alpha * (np.exp(x[neg]) - 1)
    return dy * slope
