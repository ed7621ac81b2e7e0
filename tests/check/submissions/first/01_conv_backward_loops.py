import numpy as np

# backward pass of the conv layer, plain loops
def conv_backward(dy, x, w, *, stride=1, padding=0):
    N, H, W, Cin = x.shape
    FH, FW, _, Cout = w.shape
    _, Ho, Wo, _ = dy.shape
    s, p = stride, padding
    xpad = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
    dxpad = np.zeros_like(xpad, dtype=float)
    dw = np.zeros(w.shape)
    db = np.zeros(Cout)
    for i in range(Ho):
        for j in range(Wo):
            top = i * s
            left = j * s
            for n in range(N):
                # every output pixel sends gradient to its patch
                patch = xpad[n, top:top + FH, left:left + FW, :]
                grad_patch = np.zeros((FH, FW, Cin))
                for o in range(Cout):
                    g = dy[n, i, j, o]
                    dw[:, :, :, o] += g * patch
                    grad_patch += g * w[:, :, :, o]
                    db[o] += g
                dxpad[n, top:top + FH, left:left + FW, :] = grad_patch
    dx = dxpad[:, p:p + H, p:p + W, :]
    return dx, dw, db
