import numpy as np


def conv_backward(dy, x, w, *, stride=1, padding=0):
    kh, kw, cin, cout = w.shape
    n, h, wid, _ = x.shape
    H, W = h + 2 * padding, wid + 2 * padding
    xp = np.zeros((n, H, W, cin))
    xp[:, padding:padding + h, padding:padding + wid] = x
    gxp = np.zeros_like(xp)
    gw = np.zeros(w.shape)
    gb = dy.reshape(-1, cout).sum(0)

    # slide the window over the padded image as in the forward pass
    for i, top in enumerate(range(0, H - kh, stride)):
        for j, left in enumerate(range(0, W - kw, stride)):
            g = dy[:, i, j, :]                                   # n, cout
            block = xp[:, top:top + kh, left:left + kw, :]
            gw += np.tensordot(block, g, axes=(0, 0))
            gxp[:, top:top + kh, left:left + kw, :] += np.tensordot(g, w, axes=(1, 3))

    return gxp[:, padding:H - padding, padding:W - padding], gw, gb
