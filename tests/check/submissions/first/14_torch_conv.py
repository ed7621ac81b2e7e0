import torch
import torch.nn.functional as F


class MyConv2d(torch.autograd.Function):
    """2-D convolution, NCHW, through unfold and a matrix product."""

    @staticmethod
    def forward(ctx, x, weight, bias, stride=1, padding=0):
        n, c, h, w = x.shape
        f, _, kh, kw = weight.shape
        cols = F.unfold(x, (kh, kw), stride=stride, padding=padding)   # n, c*kh*kw, L
        out = weight.reshape(f, -1) @ cols + bias.reshape(1, -1, 1)
        ctx.save_for_backward(cols, weight)
        ctx.geometry = (h, w, stride, padding)
        oh = (h + 2 * padding - kh) // stride + 1
        return out.reshape(n, f, oh, -1)

    @staticmethod
    def backward(ctx, grad_out):
        cols, weight = ctx.saved_tensors
        h, w, stride, padding = ctx.geometry
        f, c, kh, kw = weight.shape
        g = grad_out.reshape(grad_out.shape[0], f, -1)
        grad_w = torch.einsum("nfl,nkl->fk", g, cols).reshape(weight.shape)
        grad_cols = weight.reshape(f, -1).t() @ g
        grad_x = F.fold(grad_cols, (h, w), (kh, kw), stride=stride, padding=padding)
        grad_b = g[0].sum(dim=1)
        return grad_x, grad_w, grad_b, None, None
