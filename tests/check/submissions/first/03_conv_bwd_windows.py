import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def _as_pair(v):
    return (v, v) if isinstance(v, int) else tuple(v)


def conv_backward(dy, x, w, *, stride=1, padding=0):
    (sh, sw), (ph, pw) = _as_pair(stride), _as_pair(padding)
    kh, kw, cin, cout = w.shape
    batch, h, width, _ = x.shape
    ho, wo = dy.shape[1:3]

    xp = np.pad(x, [(0, 0), (ph, ph), (pw, pw), (0, 0)])
    # (batch, ho, wo, cin, kh, kw)
    windows = sliding_window_view(xp, (kh, kw), axis=(1, 2))[:, ::sh, ::sw]
    dw = np.tensordot(windows, dy, axes=([0, 1, 2], [0, 1, 2]))   # cin, kh, kw, cout
    dw = np.moveaxis(dw, 0, 2)

    # gradient of each window, folded back
    dwin = np.tensordot(dy, w, axes=([3], [3]))                  # batch, ho, wo, kh, kw, cin
    dxp = np.zeros(xp.shape, dtype=np.result_type(dy, w, float))
    view = sliding_window_view(dxp, (kh, kw), axis=(1, 2), writeable=True)
    for a in range(kh):
        for b in range(kw):
            view[:, ::sh, ::sw, :, a, b] += dwin[:, :, :, a, b, :]
    dx = dxp[:, ph:ph + h, pw:pw + width]
    return dx, dw, dy.sum((0, 1, 2))
