import numpy as np


def _correlate(a, k):
    """valid cross-correlation, stride 1.  a: N H W C,  k: kh kw C O"""
    kh, kw, _, o = k.shape
    n, h, w, _ = a.shape
    oh, ow = h - kh + 1, w - kw + 1
    res = np.zeros((n, oh, ow, o))
    for u in range(kh):
        for v in range(kw):
            res += a[:, u:u + oh, v:v + ow] @ k[u, v]
    return res


def conv_backward(dy, x, w, *, stride=1, padding=0):
    kh, kw, cin, cout = w.shape
    n, h, wid, _ = x.shape
    hp, wp = h + 2 * padding, wid + 2 * padding
    # put stride-1 zeros between the gradients (and zeros for leftover pixels)
    d = np.zeros((n, hp - kh + 1, wp - kw + 1, cout))
    d[:, ::stride, ::stride] = dy

    # dx: full correlation with the rotated filter, in/out channels swapped
    rot = w[::-1, ::-1].transpose(0, 1, 3, 2)
    full = np.pad(d, ((0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1), (0, 0)))
    dx = _correlate(full, rot)[:, padding:padding + h, padding:padding + wid]

    # dw: correlate the image with the gradient; the batch plays "channel"
    xp = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dw = _correlate(xp.transpose(3, 1, 2, 0), d.transpose(1, 2, 0, 3)).transpose(1, 2, 0, 3)
    db = d.sum(axis=(0, 1, 2))
    return dx, dw, db
