import numpy as np

def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))

def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))

def sigmoid_backward(dy, x):
    a = sigmoid(x)        # activation
    return dy * sigmoid_prime(a)
