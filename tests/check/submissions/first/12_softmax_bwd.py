import numpy as np

def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

def softmax_backward(dy, x):
    """dx for y = softmax(x) along the last axis."""
    s = softmax(x)
    # chain rule: upstream times derivative of softmax
    return dy * s * (1 - s)
