import numpy as np


def pair(t):
    """3 -> (3, 3);  (1, 2) -> (1, 2)"""
    try:
        a, b = t
    except TypeError:
        a = b = t
    return a, b


def conv_backward(dy, x, w, *, stride=1, padding=0):
    sy, sx = pair(stride)
    py, px = pair(padding)
    N, H, W, Ci = x.shape
    fy, fx, Ci, Co = w.shape
    N, Oy, Ox, Co = dy.shape

    canvas = np.pad(x, ((0, 0), (py, py), (px, px), (0, 0)))
    dcanvas = np.zeros(canvas.shape)
    dw = np.zeros(w.shape)
    for oy in range(Oy):
        for ox in range(Ox):
            box = np.s_[:, oy * sy:oy * sy + fy, ox * sx:ox * sx + fx, :]
            up = dy[:, oy, ox, :]
            dw += np.einsum("nyxc,no->yxco", canvas[box], up)
            dcanvas[box] += np.einsum("yxco,no->nyxc", w, up)
    y0, x0 = px, py
    return dcanvas[:, y0:y0 + H, x0:x0 + W, :], dw, dy.sum(axis=(0, 1, 2))
