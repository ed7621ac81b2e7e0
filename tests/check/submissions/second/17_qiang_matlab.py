# my old conv.m, translated to Python
import numpy as np
from scipy.signal import convolve2d


def zeropad(A, p):
    B = np.zeros((A.shape[0] + 2 * p, A.shape[1] + 2 * p))
    B[p:p + A.shape[0], p:p + A.shape[1]] = A
    return B


def conv(x, w, b=None, *, stride=1, padding=0):
    nImages = x.shape[0]
    nMaps = x.shape[3]
    nFilters = w.shape[3]
    Y = []
    for k in range(nImages):
        maps = []
        for f in range(nFilters):
            acc = 0
            for c in range(nMaps):
                A = zeropad(x[k, :, :, c], padding)
                acc = acc + convolve2d(A, w[:, :, c, f], 'valid')
            acc = acc[::stride, ::stride]
            if b is not None:
                acc = acc + b[f]
            maps.append(acc)
        Y.append(np.stack(maps, axis=2))
    return np.stack(Y, axis=0)
