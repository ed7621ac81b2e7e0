import torch
from torch.nn.functional import fold, unfold


class ConvUnfold(torch.autograd.Function):
    """ConvUnfold.apply(x, w, b, stride, padding) -- the matrix product version"""

    @staticmethod
    def forward(ctx, x, w, b, stride=1, padding=0):
        k = w.shape[2:]
        n, _, h, wd = x.shape
        cols = unfold(x, k, stride=stride, padding=padding)      # (n, c*kh*kw, L)
        out = w.flatten(1) @ cols + b[:, None]
        ho = (h + 2 * padding - k[0]) // stride + 1
        ctx.save_for_backward(cols, w)
        ctx.geo = (h, wd, k, stride, padding)
        return out.view(n, -1, ho, out.shape[-1] // ho)

    @staticmethod
    def backward(ctx, dout):
        cols, w = ctx.saved_tensors
        h, wd, k, stride, padding = ctx.geo
        d = dout.flatten(2)                                       # (n, o, L)
        db = d.sum(-1).sum(0)
        dw = torch.einsum('nol,nkl->ok', d, cols).view_as(w)
        dx = fold(w.flatten(1).t() @ d, (h, wd), k, stride=stride, padding=padding)
        return dx, dw, db, None, None
