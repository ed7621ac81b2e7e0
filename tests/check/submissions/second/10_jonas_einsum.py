"""Indices: n event, (u,v) pixel, (i,j) output pixel, (a,b) tap, c/o channels.
   Sum convention everywhere -- einsum does the bookkeeping."""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def _pair(t):
    return (t, t) if np.isscalar(t) else tuple(t)


def conv_backward(dy, x, w, *, stride=1, padding=0):
    (sh, sw), (ph, pw) = _pair(stride), _pair(padding)
    _, H, W, _ = x.shape
    FH, FW = w.shape[:2]
    I, J = dy.shape[1:3]

    xp = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    X = sliding_window_view(xp, (FH, FW), axis=(1, 2))[:, ::sh, ::sw]   # n i j c a b

    db = np.einsum('nijo->o', dy)
    dw = np.einsum('nijcab,nijo->abco', X, dy)

    T = np.einsum('nijo,abco->abnijc', dy, w)
    dxp = np.zeros_like(xp, dtype=T.dtype)
    for a, b in np.ndindex(FH, FW):
        dxp[:, a:a + sh * I:sh, b:b + sw * J:sw][:, :I, :J] += T[a, b]
    return dxp[:, :H, :W], dw, db
