import torch
from torch.nn.functional import unfold, fold


class Conv(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, w, b, stride=1, padding=0):
        ctx.save_for_backward(x, w)
        ctx.s, ctx.p = stride, padding
        N, C, H, W = x.shape
        F, _, KH, KW = w.shape
        u = unfold(x, (KH, KW), padding=padding, stride=stride).transpose(1, 2)
        y = u.matmul(w.view(F, -1).t()).transpose(1, 2) + b[:, None]
        Ho = (H + 2 * padding - KH) // stride + 1
        Wo = (W + 2 * padding - KW) // stride + 1
        return y.reshape(N, F, Ho, Wo)

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        N, C, H, W = x.shape
        F, _, KH, KW = w.shape
        dy = dy.flatten(2)                       # N F L
        # bias
        db = dy.sum(2).sum(0)
        # weights
        u = unfold(x, (KH, KW), padding=ctx.p, stride=ctx.s)
        dw = torch.bmm(dy, u.transpose(1, 2)).sum(0)
        dw = dw.view(F, KH, KW, C).permute(0, 3, 1, 2)
        # input
        du = torch.matmul(w.view(F, -1).t(), dy)
        dx = fold(du, (H, W), (KH, KW), padding=ctx.p, stride=ctx.s)
        return dx, dw, db, None, None


def conv(x, w, b, stride=1, padding=0):
    return Conv.apply(x, w, b, stride, padding)
