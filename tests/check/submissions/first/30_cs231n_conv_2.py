import numpy as np


def conv_forward_naive(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    n, c, h, wd = x.shape
    f, _, hh, ww = w.shape
    xpad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    ho = (h + 2 * pad - hh) // stride + 1
    wo = (wd + 2 * pad - ww) // stride + 1
    out = np.zeros((n, f, ho, wo))
    for i in range(ho):
        for j in range(wo):
            win = xpad[:, :, i * stride:i * stride + hh, j * stride:j * stride + ww]
            out[:, :, i, j] = np.tensordot(win, w, axes=([1, 2, 3], [1, 2, 3])) + b
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    n, f, ho, wo = dout.shape
    _, _, hh, ww = w.shape
    h, wd = x.shape[2], x.shape[3]

    # gradient of the bias
    db = dout.sum(axis=(0, 2, 3))

    # gradient of the weights
    xpad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dw = np.zeros(w.shape)
    for i in range(0, ho, stride):
        for j in range(0, wo, stride):
            win = xpad[:, :, i * stride:i * stride + hh, j * stride:j * stride + ww]
            dw += np.tensordot(dout[:, :, i, j], win, axes=(0, 0))

    # gradient of the input
    dxpad = np.zeros(xpad.shape)
    for i in range(ho):
        for j in range(wo):
            dxpad[:, :, i * stride:i * stride + hh, j * stride:j * stride + ww] += np.tensordot(dout[:, :, i, j], w, axes=(1, 0))
    dx = dxpad[:, :, pad:pad + h, pad:pad + wd]
    return dx, dw, db
