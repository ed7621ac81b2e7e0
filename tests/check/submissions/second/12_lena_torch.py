import torch
import torch.nn.functional as F


class MyConv2d(torch.autograd.Function):
    """y = MyConv2d.apply(x, w, b, stride, padding);  x NCHW, w (out, in, kh, kw)"""

    @staticmethod
    def forward(ctx, x, w, b, stride=1, padding=0):
        ctx.save_for_backward(x, w)
        ctx.stride = stride
        ctx.padding = padding
        return F.conv2d(x, w, b, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx, grad_out):
        x, w = ctx.saved_tensors
        s, p = ctx.stride, ctx.padding
        H, W = x.shape[2:]
        kh, kw = w.shape[2:]
        ho, wo = grad_out.shape[2:]

        # dx
        full = F.conv_transpose2d(grad_out, w, stride=s)
        miss_h = H + 2 * p - full.shape[2]
        miss_w = W + 2 * p - full.shape[3]
        full = F.pad(full, (miss_w, 0, miss_h, 0))
        grad_x = full[:, :, p:p + H, p:p + W]

        # dw
        xp = F.pad(x, (p, p, p, p))
        grad_w = torch.zeros_like(w)
        for a in range(kh):
            for b in range(kw):
                part = xp[:, :, a:a + s * (ho - 1) + 1:s, b:b + s * (wo - 1) + 1:s]
                grad_w[:, :, a, b] = torch.einsum('nchw,nohw->oc', part, grad_out)

        grad_b = grad_out.sum(dim=(0, 2, 3))
        return grad_x, grad_w, grad_b, None, None
