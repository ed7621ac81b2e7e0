import numpy as np


def softmax_loss(x, y):
    """
    Inputs:
    - x: scores, shape (N, C)
    - y: labels, shape (N,), 0 <= y[i] < C

    Returns (loss, dx); the loss is the mean over the batch
    """
    N = x.shape[0]
    shifted = x - np.max(x, axis=1, keepdims=True)
    log_Z = np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    log_probs = shifted - log_Z
    loss = -np.sum(log_probs[np.arange(N), y]) / N
    dx = np.exp(log_probs)
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx
