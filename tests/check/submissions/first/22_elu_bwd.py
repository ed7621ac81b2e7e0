import numpy as np

def elu_backward(dy, x, alpha=1.0):
    # elu(x) = x                    x > 0
    #          alpha * (e^x - 1)    x <= 0
    # and for x <= 0 the derivative is elu(x) + alpha
    y = np.where(x > 0, x, (np.exp(np.minimum(x, 0)) - 1))
    slope = np.where(x > 0, 1.0, y + alpha)
    return dy * slope
